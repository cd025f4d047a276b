"""The tables, indexed for one packet (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from vnetlab.state.objects import LinkId
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.fib import LOOPBACK, Fib
from vnetlab.trace.forwarding.fib_index import index_fib, index_meant
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.intended import intended_tables
from vnetlab.trace.forwarding.journey import Connection, World
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.walk import Translation, Walk
from vnetlab.trace.request import IpAddress


def make_world(
    tables: Tables,
    answers: Walk | None,
    *,
    underlay: Callable[[str, Packet], Walk],
    answered_by_probe: bool,
) -> World:
    """Index `tables` for a packet, which answers that of the walk `answers`, if it is a reply."""
    meant = intended_tables(tables)
    fib = index_fib(tables)
    intended = index_meant(meant)
    return World(
        tables=tables,
        index=build_index(tables),
        fib=fib,
        intended=intended,
        holders=_holders(fib),
        underlay=underlay,
        connection=_connection(answers) if answers is not None else None,
        answered_by_probe=answered_by_probe,
    )


def _holders(fib: Fib) -> dict[IpAddress, tuple[LinkId, ...]]:
    """The links that hold each address."""
    found: defaultdict[IpAddress, list[LinkId]] = defaultdict(list)
    for netns, held in fib.addresses.items():
        for address in held:
            link = LinkId(netns=netns, name=address.link)
            if link in fib.links or address.link == LOOPBACK:
                found[address.interface.ip].append(link)
    return {ip: tuple(sorted(links)) for ip, links in found.items()}


def _connection(walk: Walk) -> Connection:
    translations: dict[str, Translation] = {}
    for it in walk.translations:
        first = translations.get(it.netns, it)
        translations[it.netns] = replace(it, before=first.before)
    return Connection(
        passed=frozenset(step.netns for step in walk.steps), translations=translations
    )
