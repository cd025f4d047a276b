"""Hypervisors' own interfaces, and the VTEPs of overlay networks (pure).

An overlay floods by head-end replication: a VTEP sends a copy of every flooded frame to each other
hypervisor that is in the overlay, as one static forwarding entry for each says, and learns from the
frames that it gets which MAC is where.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.compile.parts import (
    Context,
    addresses_on,
    bridge_vlan,
    default_routes,
    has_ipv6,
    veth,
)
from vnetlab.state.objects import Kind, Link, Object, Role
from vnetlab.state.overlays import ANY_MAC, FdbEntry, Vxlan
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import Address, Hypervisor, Segment

_NOT_BY_OTHER_LINKS = {"net/ipv4/conf/all/arp_ignore": "1"}
"""A vSwitch is a link of the hypervisor too, and does not answer for its interfaces' addresses."""

_HOST = _NOT_BY_OTHER_LINKS | {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}
_IPV6_HOST = {
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/forwarding": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}


def host_settings(hypervisor: Hypervisor) -> dict[str, str]:
    """The settings of a hypervisor that has addresses itself, where they are not a switch's."""
    addresses = [address for nic in hypervisor.nics for address in nic.addresses]
    return (_HOST if addresses else {}) | (_IPV6_HOST if has_ipv6(addresses) else {})


def compile_hypervisor_nics(context: Context, hypervisor: Hypervisor) -> Iterator[Object]:
    """The interfaces of a hypervisor itself, each with its port of a vSwitch."""
    for nic in hypervisor.nics:
        segment = context.segments[nic.segment]
        inner = replace(
            context.link(hypervisor.name, nic.name, Role.HYPERVISOR_NIC),
            mac=nic.mac,
            mtu=segment.mtu,
            link_local=has_ipv6(nic.addresses),
        )
        port = replace(
            context.link(hypervisor.name, f"{hypervisor.name}.{nic.name}", Role.VSWITCH_PORT),
            mtu=segment.mtu,
            master=kernel_name(nic.vswitch),
        )
        yield from veth(inner, port)
        yield from addresses_on(inner, nic.addresses)
        if segment.vlan is not None:
            yield bridge_vlan(port, segment.vlan, access=True)
    yield from default_routes(context, hypervisor.name, hypervisor.nics)


def compile_vteps(context: Context, hypervisor: Hypervisor) -> Iterator[Object]:
    """The VTEPs of a hypervisor, one for each overlay that it has a port in."""
    for segment in context.topology.segments:
        members = context.members[segment.name]
        if segment.overlay is None or hypervisor.name not in members:
            continue
        link = _vtep(context, hypervisor, segment, master=members[hypervisor.name])
        yield link
        if segment.vlan is not None:
            yield bridge_vlan(link, segment.vlan, access=True)
        for other in members:
            if other != hypervisor.name:
                remote = _vtep_address(context, other, segment)
                yield FdbEntry(netns=link.netns, link=link.name, mac=ANY_MAC, remote=remote)


def _vtep(context: Context, hypervisor: Hypervisor, segment: Segment, *, master: str) -> Link:
    assert segment.overlay is not None
    name = f"{segment.name}.vtep"
    label = f"{hypervisor.name}.{name}"
    return Link(
        netns=hypervisor.name,
        name=kernel_name(name),
        kind=Kind.VXLAN,
        role=Role.VTEP,
        label=label,
        mac=context.mac(label),
        mtu=segment.mtu,
        master=kernel_name(master),
        vxlan=Vxlan(
            vni=segment.overlay.vni,
            local=_vtep_address(context, hypervisor.name, segment),
            port=segment.overlay.port,
        ),
    )


def _vtep_address(context: Context, hypervisor: str, segment: Segment) -> Address:
    """The hypervisor's first address in the underlay: IPv4 where that has both families."""
    assert segment.overlay is not None
    nics = next(it.nics for it in context.topology.hypervisors if it.name == hypervisor)
    return next(
        address.ip
        for nic in nics
        if nic.segment == segment.overlay.underlay
        for address in nic.addresses
    )
