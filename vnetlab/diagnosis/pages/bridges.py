"""Pages of verdicts: vSwitches and physical switches, and their ports (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

BRIDGES: dict[Reason, Page] = {
    Reason.BRIDGE_DOWN: Page(
        phrase="is down, and forwards nothing",
        what="The bridge itself is down. Its ports may be up all the same.",
        elsewhere=(
            "VMware: the vSwitch lost its uplinks, or the host lost the distributed switch.",
            "Hyper-V: the switch's management adapter or its extension is disabled.",
            "Proxmox: vmbr0 is missing an 'auto' line, or 'ifdown vmbr0' was run.",
            "OpenStack: br-int or the provider's bridge is down after a reboot.",
        ),
        look=("ip -br link show dev BRIDGE",),
        fix="'ip link set dev BRIDGE up'.",
    ),
    Reason.PORT_DISABLED: Page(
        phrase="is a disabled port",
        what=(
            "The bridge port's state is disabled: it takes part in nothing, though the interface "
            "is up."
        ),
        elsewhere=(
            "VMware: 'Block port' in the distributed port's or port group's policies.",
            "OpenStack: the port's admin state is down.",
            "Switches: err-disabled by BPDU guard, port security, storm control or UDLD.",
        ),
        look=("bridge -d link show dev PORT",),
        fix=(
            "'bridge link set dev PORT state 3' (forwarding); on a switch first find why it was "
            "disabled."
        ),
    ),
    Reason.PORT_ISOLATED: Page(
        phrase="is isolated from the port that the frame came in by",
        what=(
            "Both ports are isolated. Isolated ports reach only ports that are not: the uplink, a "
            "gateway."
        ),
        elsewhere=(
            "VMware: a private VLAN of the isolated kind on a distributed port group.",
            "Hyper-V: 'Set-VMNetworkAdapterVlan -Isolated' with primary and secondary VLAN.",
            "Proxmox: 'Isolate ports' of an SDN VNet.",
            "Cloud, Wi-Fi: client isolation; hosters keep their customers apart this way.",
        ),
        look=("bridge -d link show dev PORT",),
        fix=(
            "'bridge link set dev PORT isolated off' at one of them, or route between them at the "
            "gateway."
        ),
    ),
    Reason.PORT_LOCKED: Page(
        phrase="is locked for the frame's sender",
        what=(
            "The port is locked: it takes frames only from MAC addresses that the bridge's table "
            "has at that port, as with 802.1X or MAC authentication bypass."
        ),
        elsewhere=(
            (
                "VMware, Hyper-V: guests behind a physical port with port security or 802.1X for "
                "one address: their MAC addresses are not allowed."
            ),
            "Proxmox: the VM's firewall with MAC filter, for nested guests.",
            "Switches: 'switchport port-security maximum 1' at a hypervisor's port.",
        ),
        look=(
            "bridge -d link show dev PORT",
            "bridge fdb show dev PORT",
        ),
        fix=(
            "Add the address ('bridge fdb add MAC dev PORT master static'), or unlock the port "
            "('bridge link set dev PORT locked off')."
        ),
    ),
    Reason.UNICAST_FLOOD_OFF: Page(
        phrase="gets no frames for MAC addresses that the bridge does not know",
        what=(
            "Flooding of unknown unicast is off at the port. A destination that has not sent "
            "anything lately is not found."
        ),
        elsewhere=(
            (
                "VMware: a vSwitch knows its VMs and never floods to them; nested hypervisors and "
                "guests with several MAC addresses need MAC learning or promiscuous mode."
            ),
            "Hyper-V: guests behind a guest are not found without MAC address spoofing.",
            "Proxmox: 'bridge-unicast-flood off', 'bridge-disable-mac-learning'.",
            (
                "Switches: 'switchport block unicast'; ARP's time-out longer than the MAC table's "
                "ageing."
            ),
        ),
        look=(
            "bridge -d link show dev PORT",
            "bridge fdb show br BRIDGE",
        ),
        fix="'bridge link set dev PORT flood on', or a static entry for the address.",
    ),
    Reason.BROADCAST_FLOOD_OFF: Page(
        phrase="gets no broadcasts",
        what=(
            "Broadcasts are not sent out of the port, so that no ARP request or DHCP answer "
            "reaches what is behind it."
        ),
        elsewhere=(
            "VMware: storm control or a filter of a distributed switch; NSX answers ARP itself.",
            "Hyper-V: '-StormLimit' of the VM's adapter.",
            "OpenStack: l2population with an ARP responder that does not know the address.",
            "Cloud: VPCs carry no broadcasts at all.",
        ),
        look=("bridge -d link show dev PORT",),
        fix="'bridge link set dev PORT bcast_flood on'.",
    ),
    Reason.MULTICAST_FLOOD_OFF: Page(
        phrase="gets no multicasts",
        what=(
            "Multicasts to groups that the bridge does not know are not sent out of the port. IPv6 "
            "needs them even to find a neighbour's MAC address."
        ),
        elsewhere=(
            (
                "VMware: multicast filtering mode 'IGMP/MLD snooping' of a distributed switch, "
                "without a querier."
            ),
            (
                "Hyper-V, Proxmox: IGMP snooping without a querier: groups run out after some "
                "minutes ('bridge-mcsnoop')."
            ),
            "OpenStack: igmp_snooping_enable without a querier in the network.",
            "Switches: 'switchport block multicast', snooping without a querier.",
        ),
        look=(
            "bridge -d link show dev PORT",
            "bridge mdb show",
        ),
        fix=(
            "'bridge link set dev PORT mcast_flood on', or have a querier: 'ip link set dev BRIDGE "
            "type bridge mcast_querier 1'."
        ),
    ),
    Reason.WRONG_STATIC_FDB_ENTRY: Page(
        phrase="is not where the destination is, but a static entry says so",
        what=(
            "The bridge's table has a static entry that sends the destination's frames to the "
            "wrong port. Static entries are never learned anew."
        ),
        elsewhere=(
            (
                "Proxmox, OpenStack: SR-IOV set-ups with 'bridge fdb add' by hooks, which stay "
                "after a VM has moved."
            ),
            (
                "Switches: a static MAC entry or sticky port security from before a host was "
                "plugged elsewhere."
            ),
        ),
        look=("bridge fdb show br BRIDGE",),
        fix="'bridge fdb del MAC dev PORT master', with 'vlan N' where it has one.",
    ),
    Reason.WRONG_LEARNED_FDB_ENTRY: Page(
        phrase="is not where the destination is, but its bridge learned so",
        what=(
            "The bridge saw the destination's MAC address come in by the wrong port: the guest "
            "moved, another has its address, or frames went round a loop."
        ),
        elsewhere=(
            (
                "VMware: 'Notify switches' is off, so that no RARP tells the physical switches "
                "where a VM has gone by vMotion."
            ),
            "Hyper-V, Proxmox: a live migration whose gratuitous ARP was lost.",
            (
                "Networks: duplicate MAC addresses, loops, and active/active teams against a "
                "switch without a LAG (MAC flapping)."
            ),
        ),
        look=("bridge fdb show br BRIDGE",),
        fix=(
            "'bridge fdb del MAC dev PORT master', or wait for the ageing time; then see why it "
            "was learned."
        ),
    ),
    Reason.LOCAL_FDB_ENTRY: Page(
        phrase="takes frames for the destination as its own",
        what=(
            "The bridge has the destination's MAC address as one of its own: it hands such frames "
            "to its host and forwards none."
        ),
        elsewhere=(
            "Proxmox: a guest was given the MAC address of vmbr0 or of the uplink.",
            (
                "Hyper-V: the management adapter keeps the physical one's address, and a guest has "
                "it too."
            ),
            "Linux: 'bridge fdb add MAC dev PORT' without 'master' or with 'local'.",
        ),
        look=("bridge fdb show br BRIDGE",),
        fix="Delete the entry, or give the guest another address.",
    ),
    Reason.NEIGHBOUR_SUPPRESSED: Page(
        phrase="gets no neighbour resolution: it is suppressed",
        what=(
            "The bridge answers ARP and neighbour solicitations itself from its table and sends "
            "none out of the port; it does not know the address."
        ),
        elsewhere=(
            (
                "OpenStack: l2population and the ARP responder lack the entry, or an "
                "allowed-address pair has moved."
            ),
            (
                "VXLAN with EVPN: the neighbour was not announced (type 2 route), with "
                "'neigh_suppress on' at the VXLAN port."
            ),
            "VMware: NSX's ARP suppression with a stale table.",
        ),
        look=(
            "bridge -d link show dev PORT",
            "ip neigh show",
        ),
        fix=(
            "'bridge link set dev PORT neigh_suppress off', or give the bridge the neighbour entry."
        ),
    ),
    Reason.HAIRPIN_OFF: Page(
        phrase="does not send frames back where they came from",
        what=(
            "The frame would have to leave by the port that it came in by. A bridge does this only "
            "with hairpin mode, or with VEPA on the other side."
        ),
        elsewhere=(
            (
                "Proxmox, Kubernetes: a guest or pod reaches itself through its own service's "
                "address; the CNI plugin has to set hairpin mode."
            ),
            "VMware, Hyper-V: a guest that is a bridge itself, behind one port.",
            "Networks: macvtap in VEPA mode against a switch that does not reflect.",
        ),
        look=("bridge -d link show dev PORT",),
        fix="'bridge link set dev PORT hairpin on'.",
    ),
    Reason.LOOP: Page(
        phrase="is part of a loop",
        what=(
            "Frames come back to the bridge that sent them: there are two ways and no spanning "
            "tree. Broadcasts multiply until links are full."
        ),
        elsewhere=(
            "VMware: a guest bridges two port groups; the vSwitch itself never makes a loop.",
            "Hyper-V: a guest with a network bridge over two adapters.",
            "Proxmox: two uplinks in one vmbr without a bond, or two vmbr joined twice.",
            "Switches: portfast ports patched into each other, BPDUs filtered.",
        ),
        look=(
            "bridge -d link show",
            "ip -s link show dev PORT",
        ),
        fix=(
            "Take one of the ways away, make a bond of the two, or switch on STP: 'ip link set dev "
            "BRIDGE type bridge stp_state 1'."
        ),
    ),
}
