"""The tables, indexed for walks (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from msgspec.structs import replace

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


def make_world(tables: Tables, send: Callable[[World, str, Packet], Walk]) -> World:
    """Index `tables`; `send` walks the outer packets of tunnels, which go through no tunnel.

    Else a soft walk would look for a way for them through ever more tunnels.
    """
    fib = index_fib(tables)
    world = World(
        tables=tables,
        index=build_index(tables),
        fib=fib,
        intended=index_meant(intended_tables(tables)),
        holders=_holders(fib),
        underlay=lambda netns, outer: send(underlay, netns, outer),
        connection=None,
        answered_by_probe=True,
    )
    underlay = replace(world, index=replace(world.index, vteps=()))
    return world


def _holders(fib: Fib) -> dict[IpAddress, tuple[LinkId, ...]]:
    """The links that hold each address."""
    found: defaultdict[IpAddress, list[LinkId]] = defaultdict(list)
    for netns, held in fib.addresses.items():
        for address in held:
            link = LinkId(netns=netns, name=address.link)
            if link in fib.links or address.link == LOOPBACK:
                found[address.interface.ip].append(link)
    return {ip: tuple(sorted(links)) for ip, links in found.items()}


def connection_of(walk: Walk) -> Connection:
    """What conntrack remembers of the packet of a walk."""
    translations: dict[str, Translation] = {}
    for it in walk.translations:
        first = translations.get(it.netns, it)
        translations[it.netns] = replace(it, before=first.before)
    return Connection(
        passed=frozenset(step.netns for step in walk.steps), translations=translations
    )
