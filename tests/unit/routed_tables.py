"""Tables made by hand, for tests of routing: nodes plugged together, in few words (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from ipaddress import ip_address, ip_interface, ip_network

from msgspec.structs import replace

from vnetlab.state.guards import with_given_rules
from vnetlab.state.objects import (
    MAIN_TABLE,
    Address,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Role,
    Route,
    RouteKind,
    Sysctl,
    collect,
)
from vnetlab.state.routing import PolicyRule
from vnetlab.state.tables import Carrier, Tables


def link_id(text: str) -> LinkId:
    """`r1.eth0` as a LinkId."""
    netns, _, name = text.partition(".")
    return LinkId(netns=netns, name=name)


def veth(left: str, right: str, *, mtu: int = 1500) -> list[Link]:
    """Both ends of a veth pair, `left` and `right` written as `r1.eth0`."""
    ends = [link_id(left), link_id(right)]
    return [_link(here, mtu, there) for here, there in (ends, reversed(ends))]


def mac_of(text: str) -> str:
    """The MAC address of the end of a veth pair, the same for the same name."""
    digest = blake2b(text.encode(), digest_size=5).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x02" + digest)


def _link(here: LinkId, mtu: int, there: LinkId) -> Link:
    return Link(
        netns=here.netns,
        name=here.name,
        kind=Kind.VETH,
        role=None,
        label=str(here),
        mac=mac_of(str(here)),
        mtu=mtu,
        peer=there,
    )


def address(link: str, interface: str, *, prefix_route: bool = True) -> Address:
    """An address on a link written as `r1.eth0`."""
    at = link_id(link)
    return Address(
        netns=at.netns,
        link=at.name,
        interface=ip_interface(interface),
        prefix_route=prefix_route,
    )


def route(
    netns: str,
    destination: str,
    via: str = "",
    link: str | None = None,
    *,
    metric: int = 0,
    table: int = MAIN_TABLE,
    kind: RouteKind = RouteKind.UNICAST,
) -> Route:
    """A route."""
    return Route(
        netns=netns,
        destination=ip_network(destination),
        via=ip_address(via) if via else None,
        link=link,
        table=table,
        metric=metric,
        kind=kind,
    )


def rule(netns: str, priority: int, *, table: int | None = None, **selectors: object) -> PolicyRule:
    """A policy rule of IPv4."""
    return PolicyRule(netns=netns, version=4, priority=priority, table=table, **selectors)  # type: ignore[arg-type] # the selectors are those of a PolicyRule


def tables(
    *objects: Object,
    sysctls: Mapping[str, str] | None = None,
    carriers: Mapping[str, Carrier] | None = None,
    suspects: Collection[Object] = (),
    routers: Collection[str] = (),
) -> Tables:
    """The tables with these objects in them, all links up but those that `carriers` says.

    `sysctls` by `node:path`; `routers` forward packets of both families.
    """
    links = [it for it in objects if isinstance(it, Link)]
    names = {it.netns for it in objects if not isinstance(it, Namespace)}
    forwarding = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
    said = {(router, key): "1" for router in routers for key in forwarding}
    said |= {tuple(key.split(":", 1)): value for key, value in (sysctls or {}).items()}  # type: ignore[misc] # two parts
    state = with_given_rules(
        collect(
            [
                *objects,
                *(
                    Namespace(name=name, role=Role.ROUTER if name in routers else Role.VM)
                    for name in names
                ),
                *(Sysctl(netns=netns, key=key, value=it) for (netns, key), it in said.items()),
            ]
        )
    )
    up = {link.id: Carrier.UP if link.up else Carrier.DOWN for link in links}
    return Tables(
        state=state,
        carriers=up | {link_id(name): carrier for name, carrier in (carriers or {}).items()},
        sysctls=said,
        suspects=frozenset((type(it), it.id) for it in suspects),
    )


def switch(netns: str, *ends: str) -> list[Object]:
    """A bridge with a port for each of `ends`, named after it."""
    bridge = Link(
        netns=netns,
        name="br0",
        kind=Kind.BRIDGE,
        role=None,
        label=netns,
        mac=mac_of(netns),
        mtu=1500,
    )
    found: list[Object] = [bridge]
    for end in ends:
        near, far = veth(f"{netns}.{end.replace('.', '-')}", end)
        found += [replace(near, master="br0"), far]
    return found
