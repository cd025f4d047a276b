"""Pages of verdicts: the VLANs of bridges' ports, and the spanning tree (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

VLANS: dict[Reason, Page] = {
    Reason.VLAN_NOT_ALLOWED: Page(
        phrase="does not carry the frame's VLAN",
        what=(
            "The port does not have the frame's VLAN in its list: it drops such frames as they "
            "come in, and never gets any to send."
        ),
        elsewhere=(
            (
                "VMware: the VLAN of the port group is not on the physical switch's trunk to this "
                "host; a VLAN trunk's range on a distributed port group leaves it out. It shows "
                "when a VM moves to that host."
            ),
            "Hyper-V: '-AllowedVlanIdList' of 'Set-VMNetworkAdapterVlan -Trunk' lacks it.",
            "Proxmox: 'bridge-vids' of vmbr0 or 'trunks=' of the VM's NIC lacks it.",
            (
                "OpenStack: the provider network's segmentation ID is not on the trunks to all "
                "compute nodes, or not in network_vlan_ranges."
            ),
            (
                "Switches: 'switchport trunk allowed vlan 20' where 'allowed vlan add 20' was "
                "meant: it replaces the list."
            ),
        ),
        look=("bridge vlan show dev PORT",),
        fix=(
            "'bridge vlan add dev PORT vid N' ('switchport trunk allowed vlan add N'), at both "
            "ends of the cable."
        ),
    ),
    Reason.NO_PVID: Page(
        phrase="has no VLAN for frames without a tag",
        what=(
            "A frame without a tag came in by a port that has no PVID, so it belongs to no VLAN "
            "and is dropped."
        ),
        elsewhere=(
            (
                "VMware: the host sends untagged (port group VLAN ID 0) to a trunk whose native "
                "VLAN is set to tagged or pruned."
            ),
            "Hyper-V: a trunk adapter whose '-NativeVlanId' is 0.",
            "Proxmox: 'bridge-vlan-aware' with 'bridge-pvid 0', or the VM's NIC without 'tag='.",
            (
                "Switches: 'vlan dot1q tag native', or 'switchport acceptable frame types' is "
                "tagged only."
            ),
        ),
        look=("bridge vlan show dev PORT",),
        fix=(
            "Give the port a PVID ('bridge vlan add dev PORT vid N pvid untagged'), or have the "
            "sender tag."
        ),
    ),
    Reason.WRONG_PVID: Page(
        phrase="puts frames without a tag into another VLAN",
        what=(
            "The port's access VLAN (PVID) is not that of the network that its guest belongs to. "
            "Its frames are carried, but in the wrong VLAN."
        ),
        elsewhere=(
            (
                "VMware: the VM is on the wrong port group, or the port group has a wrong VLAN ID "
                "on one host (standard vSwitches are set up on each)."
            ),
            "Hyper-V: 'Set-VMNetworkAdapterVlan -Access -VlanId' with the wrong ID.",
            "Proxmox: a wrong 'tag=' at the VM's NIC.",
            (
                "OpenStack: the instance was started on another network, or the segmentation ID "
                "does not match the physical VLAN."
            ),
            "Switches: 'switchport access vlan' with the wrong VLAN.",
        ),
        look=("bridge vlan show dev PORT",),
        fix=(
            "'bridge vlan add dev PORT vid N pvid untagged', and take the wrong VLAN off: 'bridge "
            "vlan del dev PORT vid M'."
        ),
    ),
    Reason.NATIVE_VLAN_MISMATCH: Page(
        phrase="and its other end differ in their native VLAN",
        what=(
            "The two ends of a trunk put frames without a tag into different VLANs: what leaves "
            "one VLAN arrives in another."
        ),
        elsewhere=(
            (
                "VMware: VLAN ID 0 for a VMkernel or port group, with a native VLAN on the "
                "physical switch that is not the one meant."
            ),
            "Hyper-V: '-NativeVlanId' of a trunk differs from the switch's.",
            "Proxmox: 'bridge-pvid' of vmbr0 differs from the switch's native VLAN.",
            (
                "Switches: 'switchport trunk native vlan' at one end only; Cisco's CDP reports "
                "'%CDP-4-NATIVE_VLAN_MISMATCH'."
            ),
        ),
        look=("bridge vlan show dev PORT",),
        fix="Make the PVID the same at both ends, or send no VLAN untagged.",
    ),
    Reason.VLAN_FILTERING_OFF: Page(
        phrase="does not look at VLAN tags",
        what=(
            "The bridge's VLAN filtering is off: it neither adds nor takes off tags, and its "
            "ports' VLANs mean nothing. All VLANs are one network, and tags reach guests that do "
            "not expect them."
        ),
        elsewhere=(
            "VMware: the port group has VLAN ID 4095, so that all tags reach the guest.",
            "Proxmox: vmbr0 without 'bridge-vlan-aware yes', though the ports' VLANs are set.",
            (
                "Linux: the bridge was made by hand, or by docker or libvirt, which leave "
                "filtering off."
            ),
        ),
        look=(
            "ip -d link show dev BRIDGE",
            "bridge vlan show",
        ),
        fix="'ip link set dev BRIDGE type bridge vlan_filtering 1'.",
    ),
    Reason.VLAN_BLOCKED: Page(
        phrase="does not forward in the frame's VLAN",
        what=(
            "The port's spanning-tree state in this VLAN, or MST instance, is not forwarding, "
            "though the port's own may be."
        ),
        elsewhere=(
            (
                "Switches: PVST+ or MSTP blocks the port in this VLAN: another root than expected, "
                "or regions that do not match."
            ),
            (
                "VMware, Hyper-V: their switches take no part in STP; it is the physical switch's "
                "port."
            ),
            "Linux: 'bridge vlan set ... state' by hand or by mstpd.",
        ),
        look=("bridge -d vlan show dev PORT",),
        fix=(
            "'bridge vlan set dev PORT vid N state forwarding'; on switches give the right one the "
            "root's priority for this VLAN."
        ),
    ),
    Reason.STP_BLOCKING: Page(
        phrase="is blocked by the spanning tree",
        what=(
            "The spanning tree keeps the port closed, as there is another way to the root. Frames "
            "have to go that way; if it is cut, the tree needs up to 50 seconds to open this one."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V: their switches do not speak STP. A guest that bridges two port "
                "groups makes a loop, and the physical switch blocks or disables (BPDU guard) the "
                "host's port."
            ),
            "Proxmox: two bridges, or one with two uplinks without a bond, close a loop.",
            (
                "Switches: an unexpected root bridge, with the lowest priority or the oldest MAC "
                "address."
            ),
        ),
        look=(
            "bridge -d link show dev PORT",
            "ip -d link show dev BRIDGE",
        ),
        fix=(
            "If the blocked way is the one wanted, set the root's priority ('ip link set dev "
            "BRIDGE type bridge priority 4096') or the port's cost ('bridge link set dev PORT cost "
            "N')."
        ),
    ),
    Reason.STP_LEARNING: Page(
        phrase="waits for the spanning tree and does not forward yet",
        what=(
            "The port came up a short time ago and is in the states listening or learning: twice "
            "the forward delay, 30 seconds by default."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V: a host's uplink comes up again, and its VMs are cut off for 30 "
                "seconds as the switch's port is not 'spanning-tree portfast trunk'. PXE and DHCP "
                "of booting hosts time out for the same reason."
            ),
            "Proxmox: 'bridge-stp on' with 'bridge-fd 15' for a bridge without loops.",
        ),
        look=(
            "bridge -d link show dev PORT",
            "ip -d link show dev BRIDGE",
        ),
        fix=(
            "Wait; make ports to hosts edge ports (portfast), use RSTP, or 'bridge_fd 0' where "
            "there are no loops."
        ),
    ),
}
