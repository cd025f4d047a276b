"""From what the user means to what the kernel should have (pure).

The one translator between the two vocabularies: a vNIC becomes a veth pair with one end in the
VM and one on the vSwitch, an access port becomes a bridge VLAN with `pvid` and `untagged`, an
uplink a shaped veth pair between a hypervisor and a physical switch.

Link names: `eth0` in a VM; a port is named after what is plugged into it (`web1.eth0` on a
vSwitch, `hv1.eno1` on a physical switch), cut to the kernel's 15 bytes by `kernel_name`. Names in
a topology have no dot, so that no two of these meet.
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.external import compile_external
from vnetlab.state.compile.hosts import compile_host
from vnetlab.state.compile.hypervisors import compile_hypervisor
from vnetlab.state.compile.parts import Context
from vnetlab.state.compile.port_limits import promiscuous_ports
from vnetlab.state.compile.routers import compile_router
from vnetlab.state.compile.switches import compile_physical_switch
from vnetlab.state.compile.vms import compile_vm
from vnetlab.state.mirrors import mirrors
from vnetlab.state.objects import Object, State, collect
from vnetlab.state.outside import NOWHERE, Outside
from vnetlab.topology.topology import Topology


def compile_topology(topology: Topology, outside: Outside = NOWHERE) -> State:
    """Return the state that the kernel should have for `topology` on the host with `outside`.

    Raises UsageError if the host has no address left for a router with `external`.
    """
    context = Context(topology)
    objects = (*_objects(context), *compile_external(context, outside))
    return collect((*objects, *mirrors(objects, promiscuous_ports(topology))))


def _objects(context: Context) -> Iterator[Object]:
    """Every object of the lab, in no particular order."""
    for switch in context.topology.physical_switches:
        yield from compile_physical_switch(context, switch)
    for hypervisor in context.topology.hypervisors:
        yield from compile_hypervisor(context, hypervisor)
    for vm in context.topology.vms:
        yield from compile_vm(context, vm)
    for host in context.topology.hosts:
        yield from compile_host(context, host)
    for router in context.topology.routers:
        yield from compile_router(context, router)
