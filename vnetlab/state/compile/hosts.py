"""Bare-metal hosts: NICs on ports of physical switches (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.guests import compile_nic, compile_routes
from vnetlab.state.compile.parts import Context, bridge_vlan, cable, node
from vnetlab.state.compile.policies import compile_firewall
from vnetlab.state.compile.running import compile_running
from vnetlab.state.objects import Address, Object, Role
from vnetlab.topology.topology import Host, HostNic


def compile_host(context: Context, host: Host) -> Iterator[Object]:
    """A host with its NICs, the switches' ports that they are cabled to, and its routes."""
    yield from node(host.name, Role.HOST, dict(host.sysctls))
    held: list[Address] = []
    for nic in host.nics:
        for item in _nic(context, host, nic):
            yield item
            held += [item] if isinstance(item, Address) else []
    yield from compile_routes(context, host.name, host.nics, host.routes, held)
    yield from compile_firewall(host.name, host.firewall)
    yield from compile_running(context, host.name, host.services, host.limits)


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
