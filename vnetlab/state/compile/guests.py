"""What a VM and a bare-metal host have in common (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from vnetlab.state.compile.parts import (
    DEFAULT_ROUTE,
    Context,
    addresses_on,
    default_routes,
    has_ipv6,
    node,
)
from vnetlab.state.compile.policies import compile_firewall
from vnetlab.state.compile.running import compile_running
from vnetlab.state.objects import Address, Kind, Link, LinkId, Object, Role, Route, RouteKind
from vnetlab.topology.ports import StaticRoute
from vnetlab.topology.topology import Host, HostNic, Vm, Vnic

Nic = Vnic | HostNic


def compile_guest(
    context: Context, guest: Vm | Host, role: Role, interfaces: Iterable[Object]
) -> Iterator[Object]:
    """A guest with its `interfaces`, its settings and routes, and what filters and runs there."""
    yield from node(guest.name, role, dict(guest.sysctls))
    made = [*interfaces]
    yield from made
    held = [item for item in made if isinstance(item, Address)]
    yield from _routes(context, guest, held)
    yield from compile_firewall(guest.name, guest.firewall)
    yield from compile_running(context, guest.name, guest.services, guest.limits)


def compile_nic(context: Context, name: str, nic: Nic, role: Role) -> tuple[Link, list[Object]]:
    """The guest's end of a nic, and what is on it: sub-interfaces and addresses."""
    names = [nic.segment, *(tagged.segment for tagged in nic.tagged)]
    mtus = [context.segments[name].mtu for name in names if name is not None]
    link = replace(
        context.link(name, nic.name, role),
        mac=nic.mac,
        mtu=max(mtus, default=context.trunk_mtu),
        link_local=has_ipv6(nic.addresses),
    )
    return link, [*addresses_on(link, nic.addresses), *_sub_interfaces(context, link, nic)]


def _sub_interfaces(context: Context, link: Link, nic: Nic) -> Iterator[Object]:
    for tagged in nic.tagged:
        segment = context.segments[tagged.segment]
        sub = Link(
            netns=link.netns,
            name=f"{nic.name}.{segment.vlan}",
            kind=Kind.VLAN,
            role=Role.VLAN_INTERFACE,
            label=f"{link.netns}.{nic.name}.{segment.name}",
            mac=nic.mac,
            mtu=segment.mtu,
            link_local=has_ipv6(tagged.addresses),
            parent=nic.name,
            vlan=segment.vlan,
        )
        yield sub
        yield from addresses_on(sub, tagged.addresses)


def _routes(context: Context, guest: Vm | Host, held: Collection[Address]) -> Iterator[Route]:
    """The routes of the file, and the default ones that it leaves to the gateways."""
    said = [static_route(guest.name, route, held) for route in guest.routes]
    yield from said
    replaced = {route.destination for route in said}
    for route in default_routes(context, guest.name, guest.nics):
        if DEFAULT_ROUTE[route.destination.version] not in replaced:
            yield route


def static_route(node: str, route: StaticRoute, on: Iterable[Address]) -> Route:
    """A route, through the link of the node that has an address `on` its gateway's network."""
    links = (
        LinkId(netns=node, name=address.link)
        for address in on
        if address.netns == node and route.via in address.interface.network
    )
    through = next(links, None) if route.via else None
    return Route(
        netns=node,
        destination=route.destination,
        via=route.via,
        link=through.name if through else None,
        kind=RouteKind[route.type.upper()],
        metric=route.metric,
    )
