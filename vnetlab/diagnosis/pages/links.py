"""Pages of verdicts: interfaces and the cables between them (pure)."""

from __future__ import annotations

from vnetlab.diagnosis.pages.page import Page
from vnetlab.trace.forwarding.reasons import Reason

LINKS: dict[Reason, Page] = {
    Reason.LINK_DOWN: Page(
        phrase="is down",
        what=(
            "The interface is administratively down: it sends and receives nothing, and the other "
            "end of its cable has no carrier."
        ),
        elsewhere=(
            (
                "VMware: 'Connected' is cleared in the VM's settings; 'esxcli network nic down -n "
                "vmnic0' for an uplink."
            ),
            (
                "Hyper-V: 'Disable-NetAdapter' in the guest or on the host, "
                "'Disconnect-VMNetworkAdapter' for a VM."
            ),
            (
                "Proxmox: 'Disconnect' is ticked for the VM's NIC ('link_down=1' in its "
                "configuration), or the uplink has no 'auto' line in /etc/network/interfaces."
            ),
            "OpenStack: the port's admin state is down ('openstack port set --disable PORT').",
            "Switches: the port is 'shutdown', or went to err-disabled.",
        ),
        look=("ip -br link show dev IF",),
        fix="Set it up ('ip link set dev IF up', 'no shutdown'), and find out what set it down.",
    ),
    Reason.NO_CARRIER: Page(
        phrase="has no carrier",
        what="The interface is up, but what it is plugged into is down, so it sends nothing.",
        elsewhere=(
            (
                "VMware: the vmnic's link is down ('esxcli network nic list'), as the port of the "
                "physical switch is shut down."
            ),
            (
                "Hyper-V, Proxmox: the uplink shows 'Disconnected' or NO-CARRIER: cable, "
                "transceiver, speed, or the switch's port."
            ),
            (
                "OpenStack: the tap device has no VM behind it: the instance is shut off or its "
                "port was not bound."
            ),
        ),
        look=(
            "ip -br link show dev IF",
            "cat /sys/class/net/IF/carrier",
        ),
        fix="Set the other end up; outside of a lab look at cable, transceiver, speed and duplex.",
    ),
    Reason.MTU_TOO_SMALL: Page(
        phrase="takes no packet of this size",
        what=(
            "An interface on the way takes only smaller packets. Between two ends of one layer-2 "
            "network nobody splits a packet or reports it: it is lost in silence. Small packets, "
            "so ping and the start of TCP connections, pass."
        ),
        elsewhere=(
            (
                "VMware: jumbo frames on vmk1 (MTU 9000), but 1500 on the vSwitch or the physical "
                "ports; 'vmkping -d -s 8972 ADDRESS' tells."
            ),
            (
                "Hyper-V: '*JumboPacket' is set on the virtual and not on the physical adapter, or "
                "in the VM alone."
            ),
            (
                "Proxmox: 'mtu 9000' at the VM's NIC, not at vmbr0 and its ports; 'mtu=1' at a "
                "virtio NIC takes the bridge's."
            ),
            (
                "OpenStack: 'global_physnet_mtu' is more than the physical network carries; VXLAN "
                "takes 50 bytes of it."
            ),
            (
                "Cloud: AWS carries 9001 bytes inside a VPC and 1500 beyond its gateways, GCP 1460 "
                "by default; a VPN takes its part."
            ),
        ),
        look=(
            "ip -d link show dev IF",
            "ping -c 1 -M do -s 1472 ADDRESS",
        ),
        fix=(
            "Give every interface of the network the same MTU ('ip link set dev IF mtu N'), the "
            "switches at least that, and the guests at most that."
        ),
    ),
    Reason.NOT_PLUGGED_IN: Page(
        phrase="leads nowhere",
        what="The interface has no other end: nothing is plugged into it.",
        elsewhere=(
            (
                "VMware: the VM's NIC is on a port group of a vSwitch without uplinks, or on a "
                "port group that was deleted."
            ),
            (
                "Hyper-V: the VM's adapter is 'Not connected', or its switch is of type Internal "
                "or Private."
            ),
            "Proxmox: the VM's NIC is on another bridge, or the bridge has 'bridge-ports none'.",
            "OpenStack: the port is not bound ('binding_vif_type' is unbound or binding_failed).",
        ),
        look=(
            "ip -d link show dev IF",
            "bridge link show",
        ),
        fix="Plug it in: to the right port group, bridge or switch.",
    ),
    Reason.NOT_IN_BRIDGE: Page(
        phrase="is a port of no bridge",
        what=(
            "The interface is there and up, but in no bridge, so that what comes in by it goes no "
            "further."
        ),
        elsewhere=(
            "VMware: the vmnic is listed as unused, in no vSwitch ('esxcfg-vswitch -l').",
            "Hyper-V: the physical adapter is bound to no external switch ('Get-VMSwitch').",
            (
                "Proxmox: the uplink is missing in 'bridge-ports' of vmbr0, or a tap device was "
                "not added again after 'ifreload'."
            ),
            (
                "OpenStack: the agent did not plug the tap device into br-int, or the uplink is in "
                "no provider bridge (bridge_mappings)."
            ),
        ),
        look=(
            "ip -d link show dev IF",
            "bridge link show",
        ),
        fix=(
            "Put it into its bridge: 'ip link set dev IF master BRIDGE'; its VLANs have to be "
            "given anew."
        ),
    ),
    Reason.XDP_PROGRAM: Page(
        phrase="has an XDP program that may drop the packet",
        what=(
            "A program that was attached to the interface sees each frame before the network stack "
            "does. What it does cannot be read from the kernel's tables."
        ),
        elsewhere=(
            (
                "Kubernetes: Cilium or Calico in its eBPF mode attached it, for load balancing or "
                "as a firewall."
            ),
            (
                "Cloud: a filter against denial of service, as with xdp-tools' xdp-filter or "
                "Cloudflare's tools."
            ),
        ),
        look=(
            "ip -d link show dev IF",
            "bpftool net show dev IF",
        ),
        fix=(
            "Take it off to see whether it is to blame ('ip link set dev IF xdp off'), then mend "
            "the program."
        ),
    ),
    Reason.WRONG_MAC: Page(
        phrase="has another MAC address than the frame is for",
        what=(
            "The frame arrives, but its destination MAC address is not the interface's: the kernel "
            "throws it away."
        ),
        elsewhere=(
            (
                "VMware: the guest changed its address (MAC pools, cloned VMs), while 'MAC address "
                "changes' is set to reject; or an ARP entry is old."
            ),
            (
                "Hyper-V: a VM was imported with its old MAC address, or teams in guests run "
                "without MAC address spoofing."
            ),
            (
                "Proxmox, OpenStack: the address in the guest's netplan or udev rules is not that "
                "of the VM's configuration, or the port's."
            ),
            "Cloud: a cloned image keeps the MAC address of the machine that it was made of.",
        ),
        look=(
            "ip -br link show dev IF",
            "ip neigh show to ADDRESS",
        ),
        fix=(
            "Give the interface the address that others know it by ('ip link set dev IF address "
            "MAC'), or flush their neighbour entries."
        ),
    ),
    Reason.UNEXPECTED_TAG: Page(
        phrase="gets the frame with a VLAN tag that nothing there takes off",
        what=(
            "The frame arrives with an 802.1Q tag and the interface has no VLAN interface for it: "
            "the kernel counts it as for another protocol and drops it."
        ),
        elsewhere=(
            (
                "VMware: the port group's VLAN ID is 4095 (trunk to the guest), but the guest has "
                "no VLAN interface; or its ID is 0 and the physical switch sends tags."
            ),
            (
                "Hyper-V: 'Set-VMNetworkAdapterVlan -Trunk' for a VM that expects no tags, where "
                "'-Access' is right."
            ),
            (
                "Proxmox: the VM's NIC has no 'tag=' on a bridge that is VLAN-aware and gets all "
                "VLANs, so that the guest is on a trunk."
            ),
            "OpenStack: a trunk's subport without a VLAN interface in the instance.",
        ),
        look=(
            "tcpdump -e -n -i IF vlan",
            "bridge vlan show dev PORT",
        ),
        fix=(
            "Have the port before it take the tag off ('bridge vlan add dev PORT vid N pvid "
            "untagged'), or make a VLAN interface in the guest."
        ),
    ),
    Reason.DUPLICATE_MAC: Page(
        phrase="has the MAC address of another interface",
        what=(
            "Two interfaces of one layer-2 network have the same MAC address. Switches move the "
            "address to where it was seen last, so that frames go now to one, now to the other."
        ),
        elsewhere=(
            (
                "VMware: a VM was copied as files and the question answered with 'I moved it'; "
                "addresses set by hand."
            ),
            (
                "Hyper-V: two hosts with the same range of dynamic MAC addresses ('Get-VMHost', "
                "MacAddressMinimum)."
            ),
            "Proxmox: a VM was restored beside its original without 'unique' ticked.",
            (
                "OpenStack: two ports were made with one '--mac-address' on networks that are "
                "bridged outside."
            ),
            "Networks: VRRP with the same virtual router ID twice on a network.",
        ),
        look=(
            "ip -br link show",
            "bridge fdb show br BRIDGE",
        ),
        fix="Give one of them an address of its own, then flush the switches' tables.",
    ),
    Reason.ARP_OFF: Page(
        phrase="takes no part in ARP",
        what=(
            "The interface is set to NOARP: it neither asks nor answers who has an address, so "
            "that no neighbour learns its MAC address by ARP."
        ),
        elsewhere=(
            (
                "Load balancers: servers behind direct routing (LVS-DR) carry the virtual address "
                "on an interface that must not answer; here it is the wrong one."
            ),
            "Clouds: routers of the provider answer for all; a guest set to NOARP depends on them.",
        ),
        look=("ip link show dev IF",),
        fix="'ip link set dev IF arp on'.",
    ),
    Reason.PACKET_TOO_BIG: Page(
        phrase="cannot forward a packet of this size without fragmenting it",
        what=(
            "A router has to send the packet over an interface with a smaller MTU, and the packet "
            "must not be fragmented (IPv4 with DF, or IPv6). It answers with ICMP 'fragmentation "
            "needed' or 'packet too big'; where a firewall drops that, large transfers hang."
        ),
        elsewhere=(
            (
                "VMware: a VPN or an NSX overlay without the 1600 bytes that its segments need on "
                "the way."
            ),
            (
                "OpenStack: tenants' networks of 1450 bytes routed to instances that were told "
                "1500 by DHCP."
            ),
            (
                "Cloud: a VPC of 9001 bytes and a VPN, transit gateway or peering of 1500 or 8500, "
                "with ICMP not allowed by a network ACL."
            ),
        ),
        look=(
            "ip link show",
            "tracepath -n ADDRESS",
            "ip route get ADDRESS",
        ),
        fix=(
            "Let ICMP pass, give the ways the same MTU, or clamp TCP's segments: 'nft add rule "
            "inet TABLE CHAIN tcp flags syn tcp option maxseg size set rt mtu'."
        ),
    ),
}
