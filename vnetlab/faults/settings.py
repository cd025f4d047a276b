"""Faults of kernel settings: sysctl(8) (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vnetlab.faults.fault import Fault, Flow, Place
from vnetlab.faults.routing import (
    GUESTS,
    ROUTER,
    address_of,
    addresses_of,
    names_of,
    nodes_speaking,
)
from vnetlab.state.edit import put
from vnetlab.state.objects import Route, State, Sysctl


def setting_faults() -> Iterator[Fault]:
    """What a node does with packets, switched off or on."""
    yield Fault(
        kind="guest-reverse-path-filter",
        code="guest.reverse-path-filter",
        title="a guest answers by another link, and its reverse path filter is strict",
        places=_answering_elsewhere,
        change=_filter_asymmetric,
        flow=Flow(version=4),
    )
    settings = (
        ("router-forwarding-off", "router.forwarding-off", "net/ipv4/ip_forward", "0", ROUTER, 4),
        (
            "router-ipv6-forwarding-off",
            "router.forwarding-off",
            "net/ipv6/conf/all/forwarding",
            "0",
            ROUTER,
            6,
        ),
        (
            "guest-echo-ignored",
            "guest.echo-ignored",
            "net/ipv4/icmp_echo_ignore_all",
            "1",
            GUESTS,
            4,
        ),
        (
            "guest-ipv6-echo-ignored",
            "guest.echo-ignored",
            "net/ipv6/icmp/echo_ignore_all",
            "1",
            GUESTS,
            6,
        ),
        ("guest-arp-ignored", "guest.arp-ignored", "net/ipv4/conf/all/arp_ignore", "8", GUESTS, 4),
        (
            "router-arp-ignored",
            "router.arp-ignored",
            "net/ipv4/conf/all/arp_ignore",
            "8",
            ROUTER,
            4,
        ),
        (
            "guest-ipv6-disabled",
            "guest.ipv6-disabled",
            "net/ipv6/conf/all/disable_ipv6",
            "1",
            GUESTS,
            6,
        ),
        ("guest-short-ttl", "guest.ttl-expired", "net/ipv4/ip_default_ttl", "1", GUESTS, 4),
    )
    for kind, code, key, value, roles, version in settings:
        yield Fault(
            kind=kind,
            code=code,
            title=f"{key.replace('/', '.')} of a {code.split('.')[0]} is {value}",
            places=nodes_speaking(version, *roles),
            change=_sysctl(key, value),
            flow=Flow(version=version),
        )


def _sysctl(key: str, value: str) -> Callable[[State, Place], State]:
    return lambda state, place: put(state, Sysctl(netns=place.netns, key=key, value=value))


def _answering_elsewhere(state: State) -> Iterator[Place]:
    """Links of guests with a second link, by which they can answer as well: through a router."""
    routers = names_of(state, ROUTER)
    held = [a for a in state.addresses if a.interface.version == 4]
    for place in addresses_of(*GUESTS)(state):
        near = address_of(place).interface.network
        joining = {a.netns for a in held if a.netns in routers and a.interface.network == near}
        others = [a for a in held if a.netns == place.netns and a.link != place.link]
        if any(
            router.netns in joining and router.interface.network == other.interface.network
            for other in others
            for router in held
        ):
            yield place


def _filter_asymmetric(state: State, place: Place) -> State:
    """Answer by the other link, and take no packets that are answered so."""
    near = address_of(place).interface.network
    routers = {a.netns: a for a in state.addresses if a.interface.network == near}
    other, gateway = next(
        (mine, theirs)
        for mine in sorted(state.addresses, key=lambda a: (a.netns, a.link, str(a.interface)))
        for theirs in sorted(state.addresses, key=lambda a: (a.netns, str(a.interface)))
        if mine.netns == place.netns
        and mine.link != place.link
        and theirs.netns != place.netns
        and theirs.netns in routers
        and theirs.netns in names_of(state, ROUTER)
        and theirs.interface.network == mine.interface.network
        and theirs.interface.version == 4
    )
    routes = [
        Route(netns=place.netns, destination=half, via=gateway.interface.ip, link=other.link)
        for half in near.subnets()
    ]
    key = f"net/ipv4/conf/{place.link}/rp_filter"
    return put(state, Sysctl(netns=place.netns, key=key, value="1"), *routes)
