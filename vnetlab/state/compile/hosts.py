"""Bare-metal hosts: NICs on ports of physical switches (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.guests import compile_guest, compile_nic
from vnetlab.state.compile.parts import Context, bridge_vlan, cable
from vnetlab.state.objects import Object, Role
from vnetlab.topology.topology import Host, HostNic


def compile_host(context: Context, host: Host) -> Iterator[Object]:
    """A host with its NICs, the switches' ports that they are cabled to, and its routes."""
    interfaces = (item for nic in host.nics for item in _nic(context, host, nic))
    yield from compile_guest(context, host, Role.HOST, interfaces)


def _nic(context: Context, host: Host, nic: HostNic) -> Iterator[Object]:
    """A NIC and the physical switch's port: an access port, a trunk where it is tagged."""
    link, on_it = compile_nic(context, host.name, nic, Role.HOST_NIC)
    port = context.switch_port(nic.switch, f"{host.name}.{nic.name}")
    yield from cable(link, port, nic.cable)
    yield from on_it
    untagged = context.segments[nic.segment].vlan if nic.segment is not None else None
    if untagged is not None:
        yield bridge_vlan(port, untagged, access=True)
    for tagged in nic.tagged:
        vlan = context.segments[tagged.segment].vlan
        assert vlan is not None
        yield bridge_vlan(port, vlan, access=False)
