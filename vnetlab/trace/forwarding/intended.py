"""What the tables would be without their suspects, as far as these tell (pure).

A suspect is known by its type and id. Of routes, rules and addresses the id is all there is to
them: one that the State lacks can be put back, one that it has too much taken away. So a lookup can
be done as it is meant, beside the one that the kernel does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from vnetlab.state.objects import Address, Object, Route, RouteKind
from vnetlab.state.routing import PolicyRule
from vnetlab.state.tables import Tables


def intended_tables(tables: Tables) -> Tables:
    """Return `tables` with the addresses, routes and rules that they are meant to have."""
    if not tables.suspects:
        return tables
    state = tables.state
    lacking = tuple(missing_objects(tables))
    addresses = {
        it if it.prefix_route else replace(it, prefix_route=True)
        for it in state.addresses
        if not it.prefix_route or not is_suspect(tables, it)
    }
    return replace(
        tables,
        state=replace(
            state,
            addresses=frozenset(addresses | {it for it in lacking if isinstance(it, Address)}),
            routes=frozenset(
                {it for it in state.routes if not is_suspect(tables, it)}
                | {it for it in lacking if isinstance(it, Route)}
            ),
            policy_rules=frozenset(
                {it for it in state.policy_rules if not is_suspect(tables, it)}
                | {it for it in lacking if isinstance(it, PolicyRule)}
            ),
        ),
    )


def is_suspect(tables: Tables, item: Object | None) -> bool:
    """Whether an object is not as it is meant to be."""
    return item is not None and (type(item), item.id) in tables.suspects


def missing_objects(tables: Tables) -> Iterator[Address | Route | PolicyRule]:
    """The addresses, routes and rules that the State lacks."""
    state = tables.state
    held: set[object] = {it.id for it in state.addresses}
    held |= {it.id for it in state.routes} | {it.id for it in state.policy_rules}
    for kind, key in tables.suspects:
        parts: Any = key
        if key in held:
            continue
        if kind is Address:
            yield Address(netns=parts[0], link=parts[1], interface=parts[2])
        elif kind is Route:
            yield _route(*parts)
        elif kind is PolicyRule:
            yield _rule(*parts)


def _route(
    netns: str,
    table: int,
    destination: Any,
    metric: int,
    via: Any,
    link: str | None,
    kind: int,
    *rest: Any,
) -> Route:
    tos, sources, more = rest
    return Route(
        netns=netns,
        destination=destination,
        via=via,
        link=link,
        table=table,
        kind=RouteKind(kind),
        metric=metric,
        tos=tos,
        sources=sources,
        more=more,
    )


def _rule(netns: str, version: int, priority: int, action: str, *rest: Any) -> PolicyRule:
    table, source, destination, iif, oif, mark, more = rest
    return PolicyRule(
        netns=netns,
        version=version,
        priority=priority,
        action=action,
        table=table,
        source=source,
        destination=destination,
        iif=iif,
        oif=oif,
        mark=mark,
        more=more,
    )
