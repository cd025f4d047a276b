"""Routers (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

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
from vnetlab.state.compile.vrfs import compile_vrf
from vnetlab.state.objects import (
    MAIN_TABLE,
    Address,
    Kind,
    Link,
    Object,
    Role,
    Route,
)
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import (
    Router,
    RouterInterface,
)

ROUTER_LINK = "eth0"


def compile_router(context: Context, router: Router) -> Iterator[Object]:
    """The router, its trunk port, the switch's port, an interface in each network, its VRFs."""
    yield from node(router.name, Role.ROUTER, dict(router.sysctls))
    trunk = replace(context.link(router.name, ROUTER_LINK, Role.ROUTER_PORT), mac=router.mac)
    segments = [context.segments[interface.segment] for interface in router.interfaces]
    native = [i for i in router.interfaces if is_native(context.segments[i.segment])]
    for interface in native:
        trunk = replace(
            trunk, link_local=has_ipv6(interface.addresses), master=_master(interface.vrf)
        )
        yield from addresses_on(trunk, interface.addresses)
    port = _port(context, router)
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
                master=_master(interface.vrf),
            )
            yield sub
            yield from addresses_on(sub, interface.addresses)
    yield from compile_router_policy(
        router.name,
        router.policy,
        {it.segment: _link_of(context, it) for it in router.interfaces},
        {it.segment: it.addresses for it in router.interfaces},
        external=router.external,
    )
    for vrf in router.vrfs:
        yield from compile_vrf(context, router.name, vrf)
    yield from _routes(context, router)


def _port(context: Context, router: Router) -> Link:
    """The switch's port: of a physical switch, or of a vSwitch."""
    name = f"{router.name}.{ROUTER_LINK}"
    if router.switch is not None:
        return context.switch_port(router.switch, name)
    port = context.link(str(router.hypervisor), name, Role.VSWITCH_PORT)
    return replace(port, master=kernel_name(str(router.vswitch)))


def _master(vrf: str | None) -> str | None:
    return None if vrf is None else kernel_name(vrf)


def _routes(context: Context, router: Router) -> Iterator[Route]:
    """Static routes, each in the table of its VRF and through a link that is in it."""
    tables = {vrf.name: vrf.table for vrf in router.vrfs}
    for route in router.routes:
        held = [
            Address(netns=router.name, link=_link_of(context, interface), interface=address)
            for interface in router.interfaces
            if interface.vrf == route.vrf
            for address in interface.addresses
        ]
        table = MAIN_TABLE if route.vrf is None else tables[route.vrf]
        yield replace(static_route(router.name, route, held), table=table)


def _link_of(context: Context, interface: RouterInterface) -> str:
    segment = context.segments[interface.segment]
    return ROUTER_LINK if is_native(segment) else f"{ROUTER_LINK}.{segment.vlan}"
