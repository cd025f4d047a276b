"""Pages of verdicts: bonds, and VXLAN between hypervisors (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

TUNNELS: dict[Reason, Page] = {
    Reason.NO_ACTIVE_SLAVE: Page(
        phrase="has no slave to send by",
        what="None of the bond's slaves is up and in use, so that the bond has no carrier.",
        elsewhere=(
            (
                "VMware: all uplinks of the team are down, or LACP is on at one side only ('esxcli "
                "network vswitch dvs vmware lacp status get')."
            ),
            (
                "Hyper-V: the team is degraded: 'Get-NetLbfoTeamMember', or no adapter left in a "
                "SET team."
            ),
            "Proxmox: bond0 in 802.3ad against switch ports that are not in a port channel.",
            "Switches: 'lacp mode' passive at both ends, ports of two switches without MLAG.",
        ),
        look=(
            "cat /proc/net/bonding/BOND",
            "ip -d link show dev BOND",
        ),
        fix="Bring a slave up, and give both ends the same mode.",
    ),
    Reason.BACKUP_SLAVE: Page(
        phrase="is a backup of its bond",
        what=(
            "A frame came in by a slave that is not the active one. An active-backup bond drops "
            "such frames: the other side must not use both cables as one."
        ),
        elsewhere=(
            (
                "VMware: a team with 'explicit failover order' against a port channel on the "
                "switch: the switch hashes half of the flows to the standby uplink."
            ),
            "Hyper-V: switch-independent teaming against a static LAG.",
            "Proxmox: 'bond-mode active-backup' against 802.3ad on the switch.",
        ),
        look=(
            "cat /proc/net/bonding/BOND",
            "ip -d link show dev IF",
        ),
        fix="Make the switch's ports single ports, or the bond 802.3ad: both ends the same.",
    ),
    Reason.VNI_MISMATCH: Page(
        phrase="belongs to another VXLAN than its peer",
        what=(
            "The two ends of the tunnel have different VXLAN network identifiers: the packet "
            "arrives, and no VXLAN interface there takes it."
        ),
        elsewhere=(
            "VMware: NSX segments of two transport zones that only have the same name.",
            "Proxmox: another 'tag' for the VNet in a cluster that is joined by hand.",
            (
                "OpenStack: provider:segmentation_id differs between sites or after the database "
                "was restored."
            ),
            "Switches: 'vn-segment' of the VLAN differs between two leaves.",
        ),
        look=("ip -d link show dev VXLAN",),
        fix="The identifier cannot be changed: make the interface anew with 'id N'.",
    ),
    Reason.VXLAN_PORT_MISMATCH: Page(
        phrase="uses another UDP port than its peer",
        what=(
            "The ends of the tunnel use different UDP ports. 4789 is IANA's; Linux' own default is "
            "8472."
        ),
        elsewhere=(
            (
                "VMware: NSX uses 4789, older NSX-V installations 8472; an old and a new transport "
                "node do not meet."
            ),
            "Proxmox: a VXLAN zone (4789) against one made by hand without 'dstport'.",
            "OpenStack: 'vxlan_udp_port' differs between agents. Kubernetes: flannel uses 8472.",
            (
                "Cloud: a security group or firewall between the hypervisors lets the other port "
                "pass only."
            ),
        ),
        look=(
            "ip -d link show dev VXLAN",
            "tcpdump -n -i IF udp port 4789 or udp port 8472",
        ),
        fix=(
            "Make the interface anew with 'dstport 4789', and let the port pass in firewalls "
            "between."
        ),
    ),
    Reason.NO_REMOTE_VTEP: Page(
        phrase="does not know the VTEP that the frame must go to",
        what=(
            "The VXLAN interface has no entry for the hypervisor that the destination is on: "
            "neither one for its MAC address nor one for all unknown (00:00:00:00:00:00)."
        ),
        elsewhere=(
            (
                "VMware: the transport node has lost its controller or manager and has an old "
                "table of TEPs."
            ),
            "Proxmox: a new node is missing in the zone's 'peers' list.",
            (
                "OpenStack: l2population was not told of the agent ('openstack network agent "
                "list'), so that the flood list lacks it."
            ),
            "EVPN: the neighbour's type 3 route is missing: BGP session, route target.",
        ),
        look=("bridge fdb show dev VXLAN",),
        fix=(
            "'bridge fdb append 00:00:00:00:00:00 dev VXLAN dst VTEP', or let the control plane "
            "announce it."
        ),
    ),
    Reason.WRONG_REMOTE_VTEP: Page(
        phrase="sends the frame to another VTEP",
        what="The VXLAN interface has the destination's MAC address at the wrong hypervisor.",
        elsewhere=(
            "VMware: a guest has moved and its transport node's report was lost.",
            "OpenStack: l2population after a live migration that failed half way.",
            "EVPN: a MAC mobility sequence that is out of step, or the address twice.",
        ),
        look=("bridge fdb show dev VXLAN",),
        fix="'bridge fdb replace MAC dev VXLAN dst VTEP', or delete it and let it be learned.",
    ),
}
