"""How a state's links hang together, indexed for walking (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface
from typing import TypeVar

from msgspec import Struct

from vnetlab.state.objects import MAIN_TABLE, Kind, Link, LinkId, Route, RouteKind, State
from vnetlab.trace.request import IpAddress

_K = TypeVar("_K")
_V = TypeVar("_V")


class Wiring(Struct, frozen=True, kw_only=True):
    """A state, by what a walk along it asks for.

    `ports` are a bridge's, `subinterfaces` the 802.1Q links above a link, both sorted; `holders`
    are the links that hold an address, or else are meant to; `remotes` the VTEPs that a VTEP sends
    to; `vlans` the VLAN that a port gives to frames without a tag; `tables` the routing table of a
    link in a VRF.
    """

    nodes: frozenset[str]
    links: Mapping[LinkId, Link]
    ports: Mapping[LinkId, tuple[LinkId, ...]]
    subinterfaces: Mapping[LinkId, tuple[LinkId, ...]]
    addresses: Mapping[str, tuple[tuple[LinkId, IPv4Interface | IPv6Interface], ...]]
    holders: Mapping[IpAddress, frozenset[LinkId]]
    routes: Mapping[str, tuple[Route, ...]]
    remotes: Mapping[LinkId, tuple[LinkId, ...]]
    vlans: Mapping[LinkId, int]
    tables: Mapping[LinkId, int]


class NextHop(Struct, frozen=True, kw_only=True):
    """Where a namespace sends a packet: out of `link`, to the neighbour that holds `address`."""

    link: LinkId
    address: IpAddress


def index_wiring(state: State, meant: State | None = None) -> Wiring:
    """Index `state`; an address that nobody holds is where it is `meant` to be."""
    above = [link for link in state.links if link.kind is Kind.VLAN and link.parent is not None]
    held = [
        (LinkId(netns=address.netns, name=address.link), address.interface)
        for address in sorted(state.addresses, key=lambda a: (a.netns, a.link, a.interface.version))
    ]
    by_metric = sorted(state.routes, key=lambda route: (route.netns, route.metric))
    return Wiring(
        nodes=frozenset(namespace.name for namespace in state.namespaces),
        links={link.id: link for link in state.links},
        ports=_group(
            (LinkId(netns=link.netns, name=link.master), link.id)
            for link in state.links
            if link.master is not None
        ),
        subinterfaces=_group(
            (LinkId(netns=link.netns, name=link.parent or ""), link.id) for link in above
        ),
        addresses=_collect((link.netns, (link, interface)) for link, interface in held),
        holders={**_holders(meant), **_holders(state)} if meant else _holders(state),
        routes=_collect((route.netns, route) for route in by_metric),
        remotes=_group(_tunnels(state)),
        vlans={
            LinkId(netns=vlan.netns, name=vlan.link): vlan.vid
            for vlan in state.bridge_vlans
            if vlan.pvid
        },
        tables=dict(_tables(state)),
    )


def _holders(state: State) -> dict[IpAddress, frozenset[LinkId]]:
    held = (
        (address.interface.ip, LinkId(netns=address.netns, name=address.link))
        for address in state.addresses
    )
    return {ip: frozenset(links) for ip, links in _collect(held).items()}


def find_next_hop(
    wiring: Wiring, netns: str, destination: IpAddress, *, came_by: LinkId | None = None
) -> NextHop | None:
    """The longest-prefix match in a namespace's connected networks and routes, None without one.

    Those of the VRF that the packet came into, by the link `came_by`; else those of none.
    """
    table = MAIN_TABLE if came_by is None else wiring.tables.get(came_by, MAIN_TABLE)
    best: tuple[int, NextHop | None] | None = None
    for prefix_length, hop in _candidates(wiring, netns, destination, table):
        if best is None or prefix_length > best[0]:
            best = (prefix_length, hop)
    return best[1] if best else None


def find_connected(
    wiring: Wiring, netns: str, neighbour: IpAddress, table: int = MAIN_TABLE
) -> LinkId | None:
    """The link of a namespace whose network `neighbour` is in, of those that use the table."""
    return next(
        (
            link
            for link, interface in wiring.addresses.get(netns, ())
            if neighbour in interface.network and wiring.tables.get(link, MAIN_TABLE) == table
        ),
        None,
    )


def _candidates(
    wiring: Wiring, netns: str, destination: IpAddress, table: int
) -> Iterable[tuple[int, NextHop | None]]:
    for link, interface in wiring.addresses.get(netns, ()):
        near = destination in interface.network and link in wiring.links  # not the loopback link
        if near and wiring.tables.get(link, MAIN_TABLE) == table:
            yield interface.network.prefixlen, NextHop(link=link, address=destination)
    for route in wiring.routes.get(netns, ()):
        if route.table != table or destination not in route.destination:
            continue
        if route.kind is not RouteKind.UNICAST:
            yield route.destination.prefixlen, None
        else:
            neighbour = route.via or destination
            link_id = (
                LinkId(netns=netns, name=route.link)
                if route.link is not None
                else find_connected(wiring, netns, neighbour, table)
            )
            if link_id is not None and link_id in wiring.links:
                yield route.destination.prefixlen, NextHop(link=link_id, address=neighbour)


def _tables(state: State) -> Iterable[tuple[LinkId, int]]:
    """Each link that is in a VRF, with the VRF's table."""
    vrfs = {link.id: link.table for link in state.links if link.table is not None}
    for link in state.links:
        table = vrfs.get(LinkId(netns=link.netns, name=link.master or ""))
        if table is not None:
            yield link.id, table


def _tunnels(state: State) -> Iterable[tuple[LinkId, LinkId]]:
    """Each VTEP with each other one that it has a forwarding entry for."""
    vteps = {link.id: link.vxlan for link in state.links if link.vxlan is not None}
    at = {(vxlan.local, vxlan.vni): link for link, vxlan in vteps.items()}
    for entry in state.fdb_entries:
        here = LinkId(netns=entry.netns, name=entry.link)
        if here in vteps and (there := at.get((entry.remote, vteps[here].vni))) is not None:
            yield here, there


def _collect(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, tuple[_V, ...]]:
    groups: defaultdict[_K, list[_V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _group(pairs: Iterable[tuple[LinkId, LinkId]]) -> dict[LinkId, tuple[LinkId, ...]]:
    return {key: tuple(sorted(values)) for key, values in _collect(pairs).items()}
