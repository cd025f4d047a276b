"""Faults of IP: addresses, routes, neighbours, rules, settings (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_interface
from itertools import product

from msgspec.structs import replace

from vnetlab.faults.fault import Fault, Flow, Place, node_places, place_of
from vnetlab.state.edit import put, take
from vnetlab.state.objects import (
    MAIN_TABLE,
    Address,
    Link,
    LinkId,
    Role,
    Route,
    RouteKind,
    State,
)
from vnetlab.state.routing import Neighbour, PolicyRule

_WRONG_MAC = "02:00:00:fa:17:ed"
_V4 = Flow(version=4)
_VERSIONS = ((4, ""), (6, "ipv6-"))
"""With what the kinds of each are called."""
GUESTS, ROUTER = (Role.VM, Role.HOST), (Role.ROUTER,)
_AREAS = (("guest", GUESTS), ("router", ROUTER))
_EMPTY_TABLE = 4242
_SHORTEST_PREFIX = 4
_KINDS = {
    RouteKind.BLACKHOLE: "blackhole-route",
    RouteKind.UNREACHABLE: "unreachable-route",
    RouteKind.PROHIBIT: "prohibit-route",
}
_DEFAULTS: dict[int, IPv4Network | IPv6Network] = {
    4: IPv4Network("0.0.0.0/0"),
    6: IPv6Network("::/0"),
}


def routing_faults() -> Iterator[Fault]:
    """Everything about IP, in guests and in routers."""
    yield from _address_faults()
    yield from _route_faults()
    yield from _neighbour_faults()


def _address_faults() -> Iterator[Fault]:
    for (area, roles), (version, mark) in product(_AREAS, _VERSIONS):
        yield Fault(
            kind=f"{area}-{mark}address-removed",
            code=f"{area}.address-missing",
            title=f"a {area} loses an IPv{version} address",
            places=addresses_of(*roles, version=version),
            change=lambda state, place: take(state, address_of(place)),
            flow=Flow(version=version),
        )
    yield Fault(
        kind="guest-wrong-prefix-length",
        code="guest.wrong-prefix-length",
        title="a guest takes a far network for its own: an address with too short a prefix",
        places=_addresses_near_others,
        change=lambda state, place: put(state, address_of(place)),
        flow=_V4,
    )


def _route_faults() -> Iterator[Fault]:
    for version, mark in _VERSIONS:
        yield Fault(
            kind=f"guest-{mark}no-default-route",
            code="guest.no-default-route",
            title=f"a guest has no IPv{version} default route",
            places=_default_routes(version),
            change=lambda state, place: take(state, _route(place)),
            flow=Flow(version=version),
        )
        yield Fault(
            kind=f"guest-{mark}wrong-gateway",
            code="guest.wrong-gateway",
            title=f"a guest's IPv{version} default route leads to an address that nobody holds",
            places=_default_routes(version),
            change=_wrong_gateway,
            flow=Flow(version=version),
        )
    for (area, roles), (version, mark) in product(_AREAS, _VERSIONS):
        yield from _refusals(area, roles, version, mark)


def _refusals(area: str, roles: tuple[Role, ...], version: int, mark: str) -> Iterator[Fault]:
    """Routes and rules that refuse packets, one of them in a table of its own."""
    places, flow = nodes_speaking(version, *roles), Flow(version=version)
    for kind, reason in _KINDS.items():
        name = f"{'an' if reason[0] == 'u' else 'a'} {kind.name.lower()} route"
        yield Fault(
            kind=f"{area}-{mark}{reason}",
            code=f"{area}.{reason}",
            title=f"a {area} has {name} of IPv{version}",
            places=places,
            change=_refuse_everything(kind, version),
            flow=flow,
        )
    yield Fault(
        kind=f"{area}-{mark}policy-rule",
        code=f"{area}.policy-rule",
        title=f"a rule of a {area} refuses every IPv{version} packet",
        places=places,
        change=lambda state, place: put(state, _rule(place, version, action="blackhole")),
        flow=flow,
    )
    yield Fault(
        kind=f"{area}-{mark}policy-table",
        code=f"{area}.policy-rule",
        title=f"a rule of a {area} leads to a table that knows no way for IPv{version}",
        places=places,
        change=lambda state, place: put(
            state,
            _rule(place, version, table=_EMPTY_TABLE),
            replace(
                _refusing(place.netns, _DEFAULTS[version], RouteKind.UNREACHABLE),
                table=_EMPTY_TABLE,
            ),
        ),
        flow=flow,
    )


def _neighbour_faults() -> Iterator[Fault]:
    for (area, roles), (version, mark) in product(_AREAS, _VERSIONS):
        yield Fault(
            kind=f"{area}-{mark}wrong-neighbour",
            code=f"{area}.wrong-static-neighbour",
            title=f"a {area} has a static IPv{version} neighbour entry with a wrong MAC address",
            places=_pairs_in_one_network(*roles, version=version),
            change=_wrong_neighbour,
            flow=Flow(version=version),
        )


def _rule(
    place: Place, version: int, *, action: str = "lookup", table: int | None = None
) -> PolicyRule:
    return PolicyRule(netns=place.netns, version=version, priority=100, action=action, table=table)


def names_of(state: State, roles: Iterable[Role]) -> set[str]:
    """The names of the nodes of these roles."""
    wanted = tuple(roles)
    return {node.name for node in state.namespaces if node.role in wanted}


def nodes_speaking(version: int, *roles: Role) -> Callable[[State], Iterator[Place]]:
    """Return what finds the nodes of these roles with an address of that IP version."""

    def find(state: State) -> Iterator[Place]:
        speaking = {a.netns for a in state.addresses if a.interface.version == version}
        return (p for p in node_places(*roles)(state) if p.netns in speaking)

    return find


def addresses_of(*roles: Role, version: int = 4) -> Callable[[State], Iterator[Place]]:
    """Return what finds the addresses of that IP version on nodes of these roles."""

    def find(state: State) -> Iterator[Place]:
        names = names_of(state, roles)
        for item in sorted(state.addresses, key=lambda a: (a.netns, a.link, str(a.interface))):
            if item.netns in names and item.interface.version == version:
                yield Place(object=item.netns, netns=item.netns, link=item.link, item=item)

    return find


def address_of(place: Place) -> Address:
    """The address that a place is about."""
    assert isinstance(place.item, Address)
    return place.item


def _addresses_near_others(state: State) -> Iterator[Place]:
    """Addresses of guests, with a prefix that covers the nearest other network of the lab, too."""
    networks = {a.interface.network for a in state.addresses if a.interface.version == 4}
    for place in addresses_of(*GUESTS)(state):
        own = address_of(place).interface
        covering = [
            _common_bits(own.network, it) for it in networks if not it.overlaps(own.network)
        ]
        length = max(covering, default=0)
        if length >= _SHORTEST_PREFIX:
            wider = replace(address_of(place), interface=ip_interface(f"{own.ip}/{length}"))
            yield replace(place, item=wider)


def _common_bits(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> int:
    """How many bits the addresses of two networks have in common at their beginning."""
    differing = int(one.network_address) ^ int(other.network_address)
    return one.max_prefixlen - differing.bit_length()


def _default_routes(version: int) -> Callable[[State], Iterator[Place]]:
    def find(state: State) -> Iterator[Place]:
        names = names_of(state, GUESTS)
        for item in sorted(state.routes, key=lambda r: (r.netns, str(r.via))):
            if item.netns in names and item.destination == _DEFAULTS[version] and item.via:
                yield Place(object=item.netns, netns=item.netns, item=item)

    return find


def _route(place: Place) -> Route:
    assert isinstance(place.item, Route)
    return place.item


def _wrong_gateway(state: State, place: Place) -> State:
    old = _route(place)
    assert old.via is not None
    network = next(
        a.interface.network
        for a in state.addresses
        if a.netns == old.netns and old.via in a.interface.network
    )
    held = {a.interface.ip for a in state.addresses}
    addresses = (network.network_address + n for n in range(network.num_addresses - 2, 0, -1))
    free = next(ip for ip in addresses if ip not in held)
    return put(take(state, old), replace(old, via=free))


def _refuse_everything(kind: RouteKind, version: int) -> Callable[[State, Place], State]:
    def change(state: State, place: Place) -> State:
        return put(state, *(_refusing(place.netns, half, kind) for half in _far(state, version)))

    return change


def _refusing(netns: str, destination: IPv4Network | IPv6Network, kind: RouteKind) -> Route:
    return Route(
        netns=netns, destination=destination, via=None, link=None, kind=kind, table=MAIN_TABLE
    )


def _far(state: State, version: int) -> Iterator[IPv4Network | IPv6Network]:
    """Halves of the prefixes of the whole lab: longer than any that a node is connected to."""
    networks = {a.interface.network for a in state.addresses}
    for network in sorted(networks, key=str):
        if network.version == version and network.prefixlen < network.max_prefixlen:
            yield from network.subnets()


def _pairs_in_one_network(*roles: Role, version: int = 4) -> Callable[[State], Iterator[Place]]:
    """A node and a neighbour of it: the address that its entry will be wrong for."""

    def find(state: State) -> Iterator[Place]:
        names = names_of(state, roles)
        links = {link.id: link for link in state.links}
        for own in sorted(state.addresses, key=lambda a: (a.netns, a.link, str(a.interface))):
            if own.netns not in names or own.interface.version != version:
                continue
            others = [
                a
                for a in state.addresses
                if a.netns != own.netns and a.interface.network == own.interface.network
            ]
            for other in sorted(others, key=lambda a: a.netns)[:1]:
                link: Link = links[LinkId(netns=own.netns, name=own.link)]
                item = Neighbour(
                    netns=own.netns, link=own.link, address=other.interface.ip, mac=_WRONG_MAC
                )
                yield replace(place_of(link), object=own.netns, item=item)

    return find


def _wrong_neighbour(state: State, place: Place) -> State:
    assert isinstance(place.item, Neighbour)
    return put(state, place.item)
