"""Pages of verdicts: firewalls, security groups, NAT, and the application (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

FIREWALLS: dict[Reason, Page] = {
    Reason.FIREWALL_DROP: Page(
        phrase="has a rule that drops the packet",
        what=(
            "A rule of nftables (or iptables) matches the packet and drops it. Its sender hears "
            "nothing and waits."
        ),
        elsewhere=(
            (
                "VMware: NSX' distributed firewall; the ESXi host's own ('esxcli network firewall "
                "ruleset list')."
            ),
            "Hyper-V: Windows' firewall on host or guest, 'Add-VMNetworkAdapterExtendedAcl'.",
            (
                "Proxmox: 'firewall=1' at the VM's NIC, rules of datacenter, node or VM "
                "('pve-firewall status')."
            ),
            "Guests: ufw, firewalld, docker's or Kubernetes' chains, fail2ban.",
        ),
        look=(
            "nft -a list ruleset",
            "nft monitor trace",
        ),
        fix=(
            "'nft delete rule FAMILY TABLE CHAIN handle N', or a rule before it that accepts; in "
            "ufw or firewalld by their own commands."
        ),
    ),
    Reason.FIREWALL_REJECT: Page(
        phrase="has a rule that rejects the packet",
        what=(
            "A rule matches the packet and answers its sender: 'connection refused' (TCP reset) or "
            "'administratively prohibited' (ICMP). It looks as if nothing listened."
        ),
        elsewhere=(
            "VMware: NSX' action 'Reject'; Proxmox: REJECT in its rules.",
            "Guests: firewalld's default zone rejects, ufw's 'reject' rules.",
        ),
        look=(
            "nft -a list ruleset",
            "tcpdump -n -i IF icmp or tcp[tcpflags] & tcp-rst != 0",
        ),
        fix="Delete the rule, or accept the packet before it.",
    ),
    Reason.FIREWALL_POLICY: Page(
        phrase="drops what no rule accepts",
        what="No rule matches the packet, and the chain's policy is drop.",
        elsewhere=(
            "VMware: NSX' default rule at the end set to drop.",
            "Proxmox: the input policy is DROP once the datacenter's firewall is enabled.",
            "Docker: sets the policy of FORWARD to drop, which cuts bridges that share the host.",
            "Cloud: all of them deny what comes in and is not allowed.",
        ),
        look=(
            "nft list chains",
            "nft -a list ruleset",
        ),
        fix="Add a rule that accepts the packet, in the chain that has the policy.",
    ),
    Reason.SECURITY_GROUP: Page(
        phrase="protects the vNIC by a security group that does not allow the packet",
        what=(
            "The security groups of the vNIC allow nothing that the packet matches. They are "
            "stateful: replies pass by themselves."
        ),
        elsewhere=(
            (
                "OpenStack: Neutron's default group lets in only members of the same group; "
                "'openstack security group rule list'. A rule by remote group does not match "
                "addresses of allowed-address-pairs."
            ),
            (
                "AWS: a security group per ENI with no rule for port, protocol or source; "
                "references to groups work by private addresses only. Network ACLs are another "
                "thing: they are stateless."
            ),
            (
                "Azure, GCP: a network security group at NIC and subnet, both have to allow; VPC "
                "firewall rules by tag or service account."
            ),
            "VMware, Proxmox: NSX' security groups, Proxmox' 'security groups' of its firewall.",
        ),
        look=("nft -a list ruleset",),
        fix="Add a rule to the group: protocol, port and source of this packet, in its direction.",
    ),
    Reason.PORT_SECURITY: Page(
        phrase="drops the frame by its port's security policy",
        what=(
            "The port allows only the MAC and IP addresses that its guest was given, and the "
            "frame's sender is another one."
        ),
        elsewhere=(
            (
                "VMware: 'Forged transmits' or 'MAC address changes' set to reject: nested "
                "hypervisors, clusters with virtual MAC addresses, bridges in guests."
            ),
            "Hyper-V: MAC address spoofing is off; DHCP guard, router guard.",
            "Proxmox: 'macfilter' and 'ipfilter' of the VM's firewall.",
            (
                "OpenStack: port security without '--allowed-address ip-address=...' for a virtual "
                "address (keepalived, Kubernetes, VPN guests)."
            ),
            (
                "Cloud: AWS' source/destination check and its counterparts drop what is not from "
                "the ENI's own address."
            ),
        ),
        look=(
            "nft -a list ruleset",
            "tcpdump -e -n -i IF",
        ),
        fix=(
            "Allow the address at the port, or give the guest the address that it was meant to "
            "have."
        ),
    ),
    Reason.ACL: Page(
        phrase="has an ACL that does not allow the packet",
        what=(
            "The router's access list has no rule that allows the packet, or one that denies it "
            "before. The first match counts."
        ),
        elsewhere=(
            (
                "AWS: a subnet's network ACL is stateless: replies need the ports 1024-65535 open "
                "in the other direction."
            ),
            "Azure, GCP: rules with a smaller priority number win.",
            (
                "VMware: the gateway firewall of NSX' tier-0 or tier-1 router. OpenStack: FWaaS at "
                "the router."
            ),
            "Routers: 'deny any any' at the end that is not written.",
        ),
        look=("nft -a list ruleset",),
        fix="Allow it by a rule before the one that denies.",
    ),
    Reason.WRONG_NAT: Page(
        phrase="translates the packet's address to a wrong one",
        what=(
            "NAT sends the packet to an address where it is not expected, or hides its source "
            "behind one that has no way back."
        ),
        elsewhere=(
            "VMware: NSX' DNAT to a VM that was given another address.",
            (
                "Proxmox, Linux: masquerading of traffic that stays inside (VPN, other subnets); "
                "docker's published ports."
            ),
            (
                "OpenStack: a floating IP at the wrong port; Cloud: a NAT gateway in a subnet "
                "without an internet gateway, an Elastic IP at an old ENI."
            ),
        ),
        look=(
            "nft -a list ruleset",
            "conntrack -L -d ADDRESS",
        ),
        fix=(
            "Mend the rule's address or port, or except the traffic by a rule before it; delete "
            "old entries with 'conntrack -D'."
        ),
    ),
    Reason.NO_LISTENER: Page(
        phrase="has nothing that listens on the port",
        what=(
            "The packet arrived, and no application has the port open: TCP is reset, UDP gets "
            "'port unreachable'."
        ),
        elsewhere=(
            (
                "All: the service is not started, has crashed, or listens on another port, on IPv4 "
                "or IPv6 only."
            ),
            "Cloud: a load balancer's health check on a port that the instance does not serve.",
            "Kubernetes: a service whose targetPort is not the container's.",
        ),
        look=(
            "ss -lntup",
            "systemctl --failed",
        ),
        fix="Start the service, or send to the port that it has.",
    ),
    Reason.WRONG_BIND_ADDRESS: Page(
        phrase="listens on the port, but on another address",
        what=(
            "The application has the port open on an address that is not the packet's destination: "
            "often 127.0.0.1."
        ),
        elsewhere=(
            (
                "All: databases' defaults (PostgreSQL's listen_addresses, MySQL's bind-address, "
                "Redis' bind)."
            ),
            (
                "Containers: '-p 127.0.0.1:80:80', or an application inside that binds to the "
                "container's localhost."
            ),
            (
                "Cloud: it binds to the public address, which the instance does not hold itself: "
                "NAT brings packets to the private one."
            ),
        ),
        look=("ss -lntup",),
        fix="Bind to 0.0.0.0 or :: or the address that is asked for, and restart the service.",
    ),
    Reason.NO_ANSWER: Page(
        phrase="got the packet and does not answer",
        what=(
            "The packet reached the node and nothing in the kernel's tables stops it or its answer "
            "there, but none was sent: the application does not answer, or what holds it is not "
            "modelled."
        ),
        elsewhere=(
            (
                "All: the service hangs, its queue of connections is full (SYNs are dropped), or "
                "it answers only requests that it understands, as many do over UDP."
            ),
            (
                "VMware, Hyper-V, Proxmox: the guest is frozen, paused by a snapshot, or without "
                "CPU time."
            ),
            "Cloud: an agent's or vendor's packet filter in the guest (endpoint protection, eBPF).",
        ),
        look=(
            "ss -lntup",
            "nstat -az TcpExtListenOverflows TcpExtListenDrops UdpRcvbufErrors",
            "tcpdump -n -i IF",
        ),
        fix="Look at the service's log and state, and restart it.",
    ),
}
