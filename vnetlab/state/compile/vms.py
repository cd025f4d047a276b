"""VMs and their vNICs (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vnetlab.state.compile.parts import (
    Context,
    addresses_on,
    bridge_vlan,
    default_routes,
    has_ipv6,
    node,
    veth,
)
from vnetlab.state.compile.policies import compile_firewall
from vnetlab.state.objects import (
    Object,
    Role,
)
from vnetlab.topology.topology import (
    Vm,
    Vnic,
)


def compile_vm(context: Context, vm: Vm) -> Iterator[Object]:
    """A VM with its vNICs, their vSwitch ports and its default routes."""
    yield from node(vm.name, Role.VM)
    for vnic in vm.nics:
        yield from _vnic(context, vm, vnic)
    yield from default_routes(context, vm.name, vm.nics)
    yield from compile_firewall(vm.name, vm.firewall)


def _vnic(context: Context, vm: Vm, vnic: Vnic) -> Iterator[Object]:
    """A vNIC and the vSwitch's access port that it is plugged into."""
    segment = context.segments[vnic.segment]
    guest = replace(
        context.link(vm.name, vnic.name, Role.VNIC),
        mac=vnic.mac,
        mtu=segment.mtu,
        link_local=has_ipv6(vnic.addresses),
    )
    port = replace(
        context.link(vm.hypervisor, f"{vm.name}.{vnic.name}", Role.VSWITCH_PORT),
        mtu=segment.mtu,
        master=vnic.vswitch,
    )
    yield from veth(guest, port)
    yield from addresses_on(guest, vnic.addresses)
    if segment.vlan is not None:
        yield bridge_vlan(port, segment.vlan, access=True)
