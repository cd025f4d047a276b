"""What a port group lets its vNICs send and receive, as qdiscs and filters at both ends (pure).

What comes to a VM is limited where it leaves the vSwitch's port. What a VM sends is limited at the
guest's end: there a queue builds up, and the guest's own sockets notice it and wait, as they do
with a real vNIC whose hypervisor is slow to take its packets. At the port of the vSwitch the
packets would be there already, and could only be dropped. A guest that changes it shows as drift.
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.hooks import clsact, storm_limits
from vnetlab.state.objects import LinkId, Object
from vnetlab.state.shaping import limit
from vnetlab.topology.limits import StormLimit, VnicShaping
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import Topology


def compile_limits(
    guest: LinkId, port: LinkId, shaping: VnicShaping, storm: StormLimit
) -> Iterator[Object]:
    """The limits of a vNIC, whose end in the VM is `guest`."""
    if shaping.to_vm is not None:
        yield limit(port, shaping.to_vm)
    if shaping.from_vm is not None:
        yield limit(guest, shaping.from_vm)
    filters = tuple(storm_limits(port, storm.broadcast_bit_s, storm.multicast_bit_s))
    if filters:
        yield clsact(port)
        yield from filters


def promiscuous_ports(topology: Topology) -> dict[LinkId, str]:
    """The ports whose vNICs get a copy of all frames of their VLANs, with the vNICs' MACs."""
    return {
        LinkId(netns=vm.hypervisor, name=kernel_name(f"{vm.name}.{vnic.name}")): vnic.mac
        for vm in topology.vms
        for vnic in vm.nics
        if vnic.port.security.promiscuous
    }
