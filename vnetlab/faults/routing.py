"""Faults of IP: addresses, routes, neighbours, rules, settings (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_interface

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
    Sysctl,
)
from vnetlab.state.routing import Neighbour, PolicyRule

_WRONG_MAC = "02:00:00:fa:17:ed"
_V4 = Flow(version=4)
_GUESTS = (Role.VM, Role.HOST)
_KINDS = {
    RouteKind.BLACKHOLE: "blackhole-route",
    RouteKind.UNREACHABLE: "unreachable-route",
    RouteKind.PROHIBIT: "prohibit-route",
}
_DEFAULT = IPv4Network("0.0.0.0/0")


def routing_faults() -> Iterator[Fault]:
    """Everything about IP, in guests and in routers."""
    yield from _address_faults()
    yield from _route_faults()
    yield from _neighbour_faults()
    yield from _setting_faults()


def _address_faults() -> Iterator[Fault]:
    for area, roles in (("guest", _GUESTS), ("router", (Role.ROUTER,))):
        yield Fault(
            kind=f"{area}-address-removed",
            code=f"{area}.address-missing",
            title=f"a {area} loses an address",
            places=_addresses_of(*roles),
            change=lambda state, place: take(state, _address(place)),
            flow=_V4,
        )
    yield Fault(
        kind="guest-wrong-prefix-length",
        code="guest.wrong-prefix-length",
        title="a guest takes a far network for its own: its prefix is too short",
        places=_addresses_of(*_GUESTS),
        change=_shorten_prefix,
        flow=_V4,
    )


def _route_faults() -> Iterator[Fault]:
    yield Fault(
        kind="guest-no-default-route",
        code="guest.no-default-route",
        title="a guest has no default route",
        places=_default_routes,
        change=lambda state, place: take(state, _route(place)),
        flow=_V4,
    )
    yield Fault(
        kind="guest-wrong-gateway",
        code="guest.wrong-gateway",
        title="a guest's default route leads to an address that nobody holds",
        places=_default_routes,
        change=_wrong_gateway,
        flow=_V4,
    )
    for area, roles in (("guest", _GUESTS), ("router", (Role.ROUTER,))):
        for kind, reason in _KINDS.items():
            yield Fault(
                kind=f"{area}-{reason}",
                code=f"{area}.{reason}",
                title=f"a {area} has {'an' if reason[0] == 'u' else 'a'} {kind.name.lower()} route",
                places=node_places(*roles),
                change=_refuse_everything(kind),
                flow=_V4,
            )
        yield Fault(
            kind=f"{area}-policy-rule",
            code=f"{area}.policy-rule",
            title=f"a rule of a {area} refuses every packet",
            places=node_places(*roles),
            change=_rule(action="blackhole", table=None),
            flow=_V4,
        )


def _neighbour_faults() -> Iterator[Fault]:
    for area, roles in (("guest", _GUESTS), ("router", (Role.ROUTER,))):
        yield Fault(
            kind=f"{area}-wrong-neighbour",
            code=f"{area}.wrong-static-neighbour",
            title=f"a {area} has a static neighbour entry with a wrong MAC address",
            places=_pairs_in_one_network(*roles),
            change=_wrong_neighbour,
            flow=_V4,
        )


def _setting_faults() -> Iterator[Fault]:
    settings = (
        ("router-forwarding-off", "router.forwarding-off", "net/ipv4/ip_forward", "0", _ROUTER, 4),
        (
            "router-ipv6-forwarding-off",
            "router.forwarding-off",
            "net/ipv6/conf/all/forwarding",
            "0",
            _ROUTER,
            6,
        ),
        (
            "guest-echo-ignored",
            "guest.echo-ignored",
            "net/ipv4/icmp_echo_ignore_all",
            "1",
            _GUESTS,
            4,
        ),
        (
            "guest-ipv6-echo-ignored",
            "guest.echo-ignored",
            "net/ipv6/icmp/echo_ignore_all",
            "1",
            _GUESTS,
            6,
        ),
        ("guest-arp-ignored", "guest.arp-ignored", "net/ipv4/conf/all/arp_ignore", "8", _GUESTS, 4),
        (
            "router-arp-ignored",
            "router.arp-ignored",
            "net/ipv4/conf/all/arp_ignore",
            "8",
            _ROUTER,
            4,
        ),
        (
            "guest-ipv6-disabled",
            "guest.ipv6-disabled",
            "net/ipv6/conf/all/disable_ipv6",
            "1",
            _GUESTS,
            6,
        ),
        ("guest-short-ttl", "guest.ttl-expired", "net/ipv4/ip_default_ttl", "1", _GUESTS, 4),
    )
    for kind, code, key, value, roles, version in settings:
        yield Fault(
            kind=kind,
            code=code,
            title=f"{key.replace('/', '.')} of a {code.split('.')[0]} is {value}",
            places=_nodes_speaking(version, *roles),
            change=_sysctl(key, value),
            flow=Flow(version=version),
        )


_ROUTER = (Role.ROUTER,)


def _sysctl(key: str, value: str) -> Callable[[State, Place], State]:
    return lambda state, place: put(state, Sysctl(netns=place.netns, key=key, value=value))


def _rule(action: str, table: int | None) -> Callable[[State, Place], State]:
    def change(state: State, place: Place) -> State:
        item = PolicyRule(netns=place.netns, version=4, priority=100, action=action, table=table)
        return put(state, item)

    return change


def _names(state: State, roles: Iterable[Role]) -> set[str]:
    wanted = tuple(roles)
    return {node.name for node in state.namespaces if node.role in wanted}


def _nodes_speaking(version: int, *roles: Role) -> Callable[[State], Iterator[Place]]:
    def find(state: State) -> Iterator[Place]:
        speaking = {a.netns for a in state.addresses if a.interface.version == version}
        return (p for p in node_places(*roles)(state) if p.netns in speaking)

    return find


def _addresses_of(*roles: Role) -> Callable[[State], Iterator[Place]]:
    def find(state: State) -> Iterator[Place]:
        names = _names(state, roles)
        for item in sorted(state.addresses, key=lambda a: (a.netns, a.link, str(a.interface))):
            if item.netns in names and item.interface.version == 4:
                yield Place(object=item.netns, netns=item.netns, link=item.link, item=item)

    return find


def _address(place: Place) -> Address:
    assert isinstance(place.item, Address)
    return place.item


def _shorten_prefix(state: State, place: Place) -> State:
    old = _address(place)
    wider = ip_interface(f"{old.interface.ip}/8")
    return put(take(state, old), replace(old, interface=wider))


def _default_routes(state: State) -> Iterator[Place]:
    names = _names(state, _GUESTS)
    for item in sorted(state.routes, key=lambda r: (r.netns, str(r.via))):
        if item.netns in names and item.destination == _DEFAULT and item.via:
            yield Place(object=item.netns, netns=item.netns, item=item)


def _route(place: Place) -> Route:
    assert isinstance(place.item, Route)
    return place.item


def _wrong_gateway(state: State, place: Place) -> State:
    old = _route(place)
    assert isinstance(old.via, IPv4Address)
    network = next(
        a.interface.network
        for a in state.addresses
        if a.netns == old.netns and old.via in a.interface.network
    )
    held = {a.interface.ip for a in state.addresses}
    addresses = (network.network_address + n for n in range(network.num_addresses - 2, 0, -1))
    free = next(ip for ip in addresses if ip not in held)
    return put(take(state, old), replace(old, via=free))


def _refuse_everything(kind: RouteKind) -> Callable[[State, Place], State]:
    def change(state: State, place: Place) -> State:
        return put(state, *(_refusing(place.netns, half, kind) for half in _far(state)))

    return change


def _refusing(netns: str, destination: IPv4Network, kind: RouteKind) -> Route:
    return Route(
        netns=netns, destination=destination, via=None, link=None, kind=kind, table=MAIN_TABLE
    )


def _far(state: State) -> Iterator[IPv4Network]:
    """Halves of the prefixes of the whole lab: longer than any that a node is connected to."""
    networks = {a.interface.network for a in state.addresses}
    for network in sorted(networks, key=str):
        if isinstance(network, IPv4Network) and network.prefixlen < network.max_prefixlen:
            yield from network.subnets()


def _pairs_in_one_network(*roles: Role) -> Callable[[State], Iterator[Place]]:
    """A node and a neighbour of it: the address that its entry will be wrong for."""

    def find(state: State) -> Iterator[Place]:
        names = _names(state, roles)
        links = {link.id: link for link in state.links}
        for own in sorted(state.addresses, key=lambda a: (a.netns, a.link, str(a.interface))):
            if own.netns not in names or own.interface.version != 4:
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
