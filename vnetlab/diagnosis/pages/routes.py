"""Pages of verdicts: routes, forwarding, and the settings of IP stacks (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

ROUTES: dict[Reason, Page] = {
    Reason.NO_ROUTE: Page(
        phrase="has no route to the destination",
        what="No route of any table that is asked matches the destination.",
        elsewhere=(
            (
                "VMware: a VMkernel interface on another TCP/IP stack than the traffic (vMotion, "
                "provisioning)."
            ),
            "Hyper-V, Proxmox: the host's route to the storage or migration network is missing.",
            "OpenStack: the subnet has no host_routes, or the router no interface in that network.",
            (
                "Cloud: the subnet's route table has no entry for the peering, VPN or transit "
                "gateway, in one of the two directions."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "ip route show table all",
        ),
        fix="'ip route add PREFIX via GATEWAY', and a way back at the other side.",
    ),
    Reason.NO_DEFAULT_ROUTE: Page(
        phrase="has no route to the destination, and no default route",
        what=(
            "The destination is in none of the node's networks, and no default route says where "
            "the rest goes."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: a static configuration without gateway; a second "
                "adapter whose configuration took the default route away."
            ),
            "OpenStack: the subnet was made with '--gateway none', or DHCP's option was lost.",
            (
                "Cloud: the route table has no 0.0.0.0/0 to an internet or NAT gateway: a "
                "'private' subnet."
            ),
        ),
        look=(
            "ip route show default",
            "ip -6 route show default",
        ),
        fix="'ip route add default via GATEWAY'.",
    ),
    Reason.BLACKHOLE_ROUTE: Page(
        phrase="has a blackhole route to the destination",
        what="A route of type blackhole matches: the packet is dropped in silence.",
        elsewhere=(
            (
                "Cloud: an AWS route whose gateway, ENI or peering was deleted shows as "
                "'blackhole'; Azure: a user-defined route with next hop 'None'."
            ),
            (
                "Kubernetes: Calico adds blackhole routes for its blocks of addresses; the route "
                "to the pod is missing."
            ),
            (
                "Routers: null0 for summaries, or remotely triggered blackholes against denial of "
                "service."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "ip route show type blackhole",
        ),
        fix="'ip route del blackhole PREFIX', or add the longer prefix that was to win.",
    ),
    Reason.UNREACHABLE_ROUTE: Page(
        phrase="has an unreachable route to the destination",
        what=(
            "A route of type unreachable matches: the packet is dropped, and its sender gets 'host "
            "unreachable'."
        ),
        elsewhere=(
            (
                "Linux: VRFs end with 'unreachable default' so that no packet leaves them: the "
                "route inside of the VRF is missing."
            ),
            (
                "Kubernetes, VPNs: WireGuard or Calico keep packets for absent peers from leaving "
                "by the default route."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "ip route show type unreachable",
        ),
        fix="'ip route del unreachable PREFIX', or add the route that was to win.",
    ),
    Reason.PROHIBIT_ROUTE: Page(
        phrase="has a prohibit route to the destination",
        what=(
            "A route of type prohibit matches: the packet is dropped, and its sender gets "
            "'administratively prohibited'."
        ),
        elsewhere=(
            "Linux: routers of hosters that forbid customers to reach management networks.",
        ),
        look=(
            "ip route get ADDRESS",
            "ip route show type prohibit",
        ),
        fix="'ip route del prohibit PREFIX', if the traffic is to be allowed.",
    ),
    Reason.WRONG_ROUTE: Page(
        phrase="routes the packet the wrong way",
        what=(
            "A route that was not meant for it matches: a longer prefix, a smaller metric, another "
            "interface."
        ),
        elsewhere=(
            (
                "VMware: a VMkernel interface in the wrong subnet takes vMotion's or storage's "
                "traffic."
            ),
            (
                "Hyper-V, Proxmox: two adapters in one network, or two default routes with equal "
                "metrics."
            ),
            "OpenStack: host_routes or a router's extra routes via an instance that is gone.",
            (
                "Cloud: a more specific route to a peering or VPN with overlapping prefixes; "
                "docker's 172.17.0.0/16 covering a company network."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "ip route show table all",
        ),
        fix=(
            "'ip route del' that route, or give the right one the longer prefix or the smaller "
            "metric."
        ),
    ),
    Reason.POLICY_RULE: Page(
        phrase="has a policy rule that refuses the packet or sends it the wrong way",
        what=(
            "A rule of policy routing (by source, mark or interface) decides before the main table "
            "does."
        ),
        elsewhere=(
            (
                "Cloud: guests with two ENIs get a table for each (ec2-net-utils, NetworkManager's "
                "cloud setup); a rule is left or missing."
            ),
            (
                "VPNs: wg-quick and others add rules with marks, which take more than they were "
                "meant to."
            ),
            "Kubernetes, Linux: Cilium, Calico, VRFs.",
        ),
        look=(
            "ip rule show",
            "ip route get ADDRESS from SOURCE iif IF",
        ),
        fix="'ip rule del pref N', or mend the table that it leads to.",
    ),
    Reason.REVERSE_PATH_FILTER: Page(
        phrase="drops packets whose source it would reach by another way",
        what=(
            "The packet came in by an interface that the node would not answer by (rp_filter=1, or "
            "fib in nftables). The kernel counts it as a martian source and drops it in silence."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: guests with two adapters: asked on one, the way back "
                "leads over the other."
            ),
            (
                "OpenStack, cloud: a second port or ENI without policy routing; firewalls that are "
                "entered and left by different ways."
            ),
            "Load balancers: direct server return, anycast, multicast.",
        ),
        look=(
            "sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.IF.rp_filter",
            "ip route get SOURCE",
            "nstat -az TcpExtIPReversePathFilter",
        ),
        fix=(
            "Make the way back the same (policy routing), or be loose: 'sysctl -w "
            "net.ipv4.conf.IF.rp_filter=2'; the greater of 'all' and the interface's counts."
        ),
    ),
    Reason.MARTIAN_SOURCE: Page(
        phrase="refuses the packet's source address",
        what=(
            "The source is an address that cannot come from there: the node's own, 127.0.0.0/8, a "
            "multicast or broadcast address."
        ),
        elsewhere=(
            (
                "Linux: a duplicate of the node's own address in the network; DNAT to 127.0.0.1 "
                "without route_localnet."
            ),
            "Load balancers: direct server return where the balancer itself is the client.",
            "VMware, Hyper-V, OpenStack: two guests with one address.",
        ),
        look=(
            (
                "sysctl net.ipv4.conf.all.log_martians net.ipv4.conf.IF.accept_local "
                "net.ipv4.conf.IF.route_localnet"
            ),
            "ip route get SOURCE",
        ),
        fix="Mend the source's address; 'accept_local=1' where it is meant to be so.",
    ),
    Reason.FORWARDING_OFF: Page(
        phrase="does not forward packets",
        what=(
            "The node got a packet for another one and is no router: ip_forward, or forwarding of "
            "the interface, is off."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: a firewall or VPN guest after a new installation; "
                "docker or sysctl.d set it back."
            ),
            (
                "OpenStack: an instance as a router also needs allowed-address-pairs or port "
                "security off."
            ),
            (
                "Cloud: AWS 'source/destination check', Azure 'IP forwarding' of the NIC, GCP "
                "'canIpForward': each has to be changed besides the guest's own setting."
            ),
        ),
        look=(
            "sysctl net.ipv4.ip_forward net.ipv4.conf.IF.forwarding",
            "sysctl net.ipv6.conf.all.forwarding",
        ),
        fix=(
            "'sysctl -w net.ipv4.ip_forward=1', for IPv6 'net.ipv6.conf.all.forwarding=1', and a "
            "file in /etc/sysctl.d."
        ),
    ),
    Reason.TTL_EXPIRED: Page(
        phrase="ends the packet: its TTL has run out",
        what=(
            "The packet passed as many routers as its TTL (IPv6: hop limit) allows. Its sender "
            "gets 'time exceeded'."
        ),
        elsewhere=(
            (
                "Networks: multicast and discovery with TTL 1 that are routed; BGP sessions over "
                "more hops without 'ebgp-multihop'."
            ),
            (
                "Containers, cloud: AWS' metadata service answers with a hop limit of 1, which a "
                "container's bridge uses up."
            ),
        ),
        look=(
            "sysctl net.ipv4.ip_default_ttl",
            "traceroute -n ADDRESS",
        ),
        fix="Raise the TTL at its sender, or put the two next to each other.",
    ),
    Reason.ROUTING_LOOP: Page(
        phrase="gets the packet a second time",
        what="Two routers send the packet to each other until its TTL runs out.",
        elsewhere=(
            (
                "Networks: a summary or default route to the neighbour and back, without a "
                "blackhole route for what is not there."
            ),
            (
                "OpenStack: extra routes of two routers that point at each other; Cloud: a transit "
                "gateway and a VPN that announce each other's routes."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "traceroute -n ADDRESS",
        ),
        fix="Take away one of the two routes; add a blackhole route for the prefix at its owner.",
    ),
    Reason.ECHO_IGNORED: Page(
        phrase="does not answer echo requests",
        what="The kernel is set not to answer ping. Other traffic may pass.",
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: hardened templates; Windows' firewall has the rule "
                "'File and Printer Sharing (Echo Request)' off by default."
            ),
            "Cloud: an image with icmp_echo_ignore_all=1. To test with ping says nothing there.",
        ),
        look=(
            "sysctl net.ipv4.icmp_echo_ignore_all",
            "sysctl net.ipv6.icmp.echo_ignore_all",
        ),
        fix="'sysctl -w net.ipv4.icmp_echo_ignore_all=0', or probe with '--proto tcp'.",
    ),
}
