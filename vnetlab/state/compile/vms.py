"""VMs and their vNICs (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.compile.guests import compile_guest, compile_nic
from vnetlab.state.compile.parts import Context, bridge_vlan, veth
from vnetlab.state.compile.port_limits import compile_limits
from vnetlab.state.objects import Object, Role
from vnetlab.state.switching import BridgePort
from vnetlab.topology.topology import Vm, Vnic


def compile_vm(context: Context, vm: Vm) -> Iterator[Object]:
    """A VM with its vNICs, their vSwitch ports and its routes."""
    interfaces = (item for vnic in vm.nics for item in _vnic(context, vm, vnic))
    yield from compile_guest(context, vm, Role.VM, interfaces)


def _vnic(context: Context, vm: Vm, vnic: Vnic) -> Iterator[Object]:
    """A vNIC and the vSwitch's port that it is plugged into."""
    guest, on_it = compile_nic(context, vm.name, vnic, Role.VNIC)
    watches = vnic.port.security.promiscuous  # and gets copies: state/mirrors.py
    port = replace(
        context.link(vm.hypervisor, f"{vm.name}.{vnic.name}", Role.VSWITCH_PORT),
        mtu=guest.mtu,
        master=vnic.vswitch,
        port=BridgePort(isolated=vnic.port.isolated, unicast_flood=not watches),
    )
    yield from veth(guest, port)
    yield from on_it
    if vnic.port.untagged is not None:
        yield bridge_vlan(port, vnic.port.untagged, access=True)
    for vid in vnic.port.tagged:
        yield bridge_vlan(port, vid, access=False)
    yield from compile_limits(guest.id, port.id, vnic.port.shaping, vnic.port.storm_limit)
