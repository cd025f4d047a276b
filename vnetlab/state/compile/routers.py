"""Routers (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vnetlab.state.compile.guests import static_route
from vnetlab.state.compile.parts import (
    Context,
    addresses_on,
    cable,
    has_ipv6,
    is_native,
    node,
    trunk_vlans,
)
from vnetlab.state.compile.policies import compile_router_policy
from vnetlab.state.objects import (
    Address,
    Kind,
    Link,
    Object,
    Role,
)
from vnetlab.topology.topology import (
    Router,
    RouterInterface,
)

ROUTER_LINK = "eth0"


def compile_router(context: Context, router: Router) -> Iterator[Object]:
    """The router, its trunk port, the switch's port, and an interface in each network."""
    yield from node(router.name, Role.ROUTER, dict(router.sysctls))
    trunk = replace(context.link(router.name, ROUTER_LINK, Role.ROUTER_PORT), mac=router.mac)
    segments = [context.segments[interface.segment] for interface in router.interfaces]
    native = [i for i in router.interfaces if is_native(context.segments[i.segment])]
    for interface in native:
        trunk = replace(trunk, link_local=has_ipv6(interface.addresses))
        yield from addresses_on(trunk, interface.addresses)
    port = context.switch_port(router.switch, f"{router.name}.{ROUTER_LINK}")
    yield from cable(trunk, port, router.cable)
    yield from trunk_vlans(port, [s.vlan for s in segments if s.vlan is not None])
    for interface in router.interfaces:
        if interface not in native:
            segment = context.segments[interface.segment]
            sub = Link(
                netns=router.name,
                name=_link_of(context, interface),
                kind=Kind.VLAN,
                role=Role.ROUTER_INTERFACE,
                label=f"{router.name}.{segment.name}",
                mac=router.mac,
                mtu=segment.mtu,
                link_local=has_ipv6(interface.addresses),
                parent=ROUTER_LINK,
                vlan=segment.vlan,
            )
            yield sub
            yield from addresses_on(sub, interface.addresses)
    yield from compile_router_policy(
        router.name,
        router.policy,
        {it.segment: _link_of(context, it) for it in router.interfaces},
        {it.segment: it.addresses for it in router.interfaces},
    )
    held = [
        Address(netns=router.name, link=_link_of(context, interface), interface=address)
        for interface in router.interfaces
        for address in interface.addresses
    ]
    for route in router.routes:
        yield static_route(router.name, route, held)


def _link_of(context: Context, interface: RouterInterface) -> str:
    segment = context.segments[interface.segment]
    return ROUTER_LINK if is_native(segment) else f"{ROUTER_LINK}.{segment.vlan}"
