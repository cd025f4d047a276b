"""VRFs of routers (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.parts import DEFAULT_ROUTE, Context
from vnetlab.state.objects import Kind, Link, Object, Role, Route, RouteKind
from vnetlab.topology.names import kernel_name
from vnetlab.topology.vrfs import Vrf

_MTU = 65535
_LAST_METRIC = 4278198272
"""Of the route that counts when no other does (Documentation/networking/vrf.rst)."""


def compile_vrf(context: Context, router: str, vrf: Vrf) -> Iterator[Object]:
    """A VRF. What its table has no route for must not be looked up in the main table."""
    label = f"{router}.{vrf.name}.vrf"
    yield Link(
        netns=router,
        name=kernel_name(vrf.name),
        kind=Kind.VRF,
        role=Role.VRF,
        label=label,
        mac=context.mac(label),
        mtu=_MTU,
        table=vrf.table,
    )
    for destination in DEFAULT_ROUTE.values():
        yield Route(
            netns=router,
            destination=destination,
            via=None,
            link=None,
            table=vrf.table,
            kind=RouteKind.UNREACHABLE,
            metric=_LAST_METRIC,
        )
