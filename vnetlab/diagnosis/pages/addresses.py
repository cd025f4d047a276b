"""Pages of verdicts: IP addresses, and how neighbours are found (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

ADDRESSES: dict[Reason, Page] = {
    Reason.ADDRESS_MISSING: Page(
        phrase="does not hold the address",
        what=(
            "The packet reached the node, or a question for its address did, and no interface "
            "there has the address."
        ),
        elsewhere=(
            (
                "VMware: the guest lost its address: DHCP failed (169.254.x.x), cloned without "
                "customization, another adapter got the configuration ('ens33' became 'ens192')."
            ),
            (
                "Hyper-V, Proxmox: cloud-init wrote an address for another interface's name or MAC "
                "address."
            ),
            (
                "OpenStack: DHCP agent or metadata was not reached at boot; the second port is not "
                "configured by the image."
            ),
            (
                "Cloud: a secondary private address was assigned to the ENI and not added in the "
                "guest."
            ),
        ),
        look=("ip -br address show",),
        fix=(
            "'ip address add ADDRESS/LENGTH dev IF', and in the guest's configuration, so that it "
            "stays."
        ),
    ),
    Reason.ADDRESS_TENTATIVE: Page(
        phrase="does not use the address yet",
        what=(
            "The IPv6 address is in duplicate address detection, about a second after the "
            "interface came up: it is not used until then. 'dadfailed' never ends by itself."
        ),
        elsewhere=(
            (
                "All: services that start before that fail to bind ('cannot assign requested "
                "address')."
            ),
            (
                "VMware, Hyper-V: probes that come back by a team or loop make detection fail "
                "against itself."
            ),
            "Clouds: a cloned guest with the same MAC address, so the same link-local address.",
        ),
        look=(
            "ip -6 address show tentative",
            "ip -6 address show dadfailed",
        ),
        fix=(
            "Wait; for a failed one mend the duplicate, then delete and add the address; 'nodad' "
            "where it is sure to be unique."
        ),
    ),
    Reason.DUPLICATE_ADDRESS: Page(
        phrase="holds an address that another interface holds, too",
        what=(
            "Two nodes of one network hold the same IP address. Which of them gets the packets "
            "depends on whose answer came last."
        ),
        elsewhere=(
            "VMware, Hyper-V: a clone with a static address was started beside its original.",
            "Proxmox: a restored VM, or a static address inside of the DHCP range.",
            (
                "OpenStack: allowed-address-pairs of two instances, both of which took the virtual "
                "address (keepalived split in two)."
            ),
            "Cloud: rare inside of a VPC, common over peerings and VPNs with overlapping prefixes.",
        ),
        look=(
            "arping -D -I IF ADDRESS",
            "ip neigh show to ADDRESS",
        ),
        fix="Give one of them another address, then 'ip neigh flush all' at the others.",
    ),
    Reason.WRONG_GATEWAY: Page(
        phrase="uses a gateway that nobody there is, or that routes nothing",
        what=(
            "The route's next hop is in the right network, but no node there has that address: ARP "
            "gets no answer."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V: a guest's static configuration with .1 where the gateway is "
                ".254, or a VM on another port group than its address is for."
            ),
            "Proxmox: 'gw=' of cloud-init.",
            "OpenStack: the subnet's gateway_ip is not the address of the router's port.",
            (
                "Cloud: a VPC's router is the first address of the subnet; no other node can be "
                "one without a route table's entry."
            ),
        ),
        look=(
            "ip route get ADDRESS",
            "ip neigh show to GATEWAY",
        ),
        fix="'ip route replace default via GATEWAY' with the address that the router has.",
    ),
    Reason.WRONG_PREFIX_LENGTH: Page(
        phrase="has another prefix length than its network",
        what=(
            "The node takes too much or too little for its own network: it asks by ARP for hosts "
            "that are behind the router, or sends to the router what is next to it."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: 255.255.0.0 for 255.255.255.0 in a static "
                "configuration; a network that was split, and guests that were not told."
            ),
            (
                "OpenStack, cloud: an address that was added by hand with /32 or the VPC's length "
                "instead of the subnet's."
            ),
        ),
        look=(
            "ip -br address show",
            "ip route get ADDRESS",
        ),
        fix="Delete the address and add it with the right length.",
    ),
    Reason.WRONG_STATIC_NEIGHBOUR: Page(
        phrase="has a static neighbour entry with a wrong MAC address",
        what=(
            "A permanent entry says to which MAC address the packets for that neighbour go, and it "
            "is wrong. Static entries are never asked anew."
        ),
        elsewhere=(
            "Hyper-V: 'New-NetNeighbor' or 'arp -s' for a cluster's multicast address (NLB).",
            (
                "Proxmox, Linux: entries by scripts for a firewall cluster whose hardware was "
                "replaced."
            ),
            "EVPN, OpenStack: entries of the control plane for a port that was made anew.",
        ),
        look=("ip neigh show nud permanent",),
        fix="'ip neigh del ADDRESS dev IF'.",
    ),
    Reason.STALE_NEIGHBOUR: Page(
        phrase="has a neighbour entry with an old MAC address",
        what=(
            "The neighbour's address moved to another MAC address, and the entry was not renewed "
            "yet."
        ),
        elsewhere=(
            (
                "VMware: a failover of a virtual address without gratuitous ARP; 'Forged "
                "transmits' set to reject drops it."
            ),
            "Hyper-V: a guest cluster without MAC address spoofing.",
            (
                "OpenStack: a virtual address (allowed-address-pairs) that moved, with the ARP "
                "filled in by the agent."
            ),
            "Cloud: VPCs ignore gratuitous ARP: an address has to be moved by the provider's API.",
        ),
        look=("ip neigh show to ADDRESS",),
        fix=(
            "'ip neigh flush to ADDRESS'; have the new owner send gratuitous ARP ('arping -U -I IF "
            "ADDRESS')."
        ),
    ),
    Reason.ARP_IGNORED: Page(
        phrase="does not answer ARP requests for the address",
        what=(
            "The node has the address, and arp_ignore, arp_filter or the like keeps it from "
            "answering on this interface."
        ),
        elsewhere=(
            (
                "Load balancers: arp_ignore=1 or 2 of LVS-DR's real servers on a node that is to "
                "answer."
            ),
            "Linux: two interfaces in one network with arp_filter=1; arp_ignore=8 answers nothing.",
            (
                "Kubernetes: kube-proxy's strictARP in a network where the node's address is on "
                "another interface."
            ),
        ),
        look=(
            "sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.IF.arp_ignore",
            "sysctl net.ipv4.conf.all.arp_filter net.ipv4.conf.IF.arp_filter",
        ),
        fix=(
            "'sysctl -w net.ipv4.conf.IF.arp_ignore=0', and the same for 'all': the greater of the "
            "two counts."
        ),
    ),
    Reason.IPV6_DISABLED: Page(
        phrase="has IPv6 disabled",
        what=(
            "The setting disable_ipv6 is on at the interface: it has no IPv6 address, not even a "
            "link-local one."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V, Proxmox: templates that were hardened by "
                "'net.ipv6.conf.all.disable_ipv6=1'; containers and docker's bridges."
            ),
            (
                "Cloud: the subnet or the ENI has no IPv6 prefix, so that the image's "
                "configuration switched it off."
            ),
        ),
        look=("sysctl net.ipv6.conf.all.disable_ipv6 net.ipv6.conf.IF.disable_ipv6",),
        fix=(
            "'sysctl -w net.ipv6.conf.IF.disable_ipv6=0'; addresses that were set before have to "
            "be added again."
        ),
    ),
    Reason.LOOPBACK_DOWN: Page(
        phrase="has its loopback interface down",
        what=(
            "The interface lo is down: the node cannot reach its own addresses, and Linux does not "
            "answer for itself."
        ),
        elsewhere=(
            (
                "Linux: network namespaces are made with lo down (containers, Neutron's qrouter- "
                "namespaces when made by hand)."
            ),
        ),
        look=("ip -br link show dev lo",),
        fix="'ip link set dev lo up'.",
    ),
}
