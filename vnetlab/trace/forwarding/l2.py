"""A frame's way over layer 2, from one IP stack to another (pure).

How it works
------------
The ways of a frame are a graph. Its points are: a link is given the frame to send it; a link has
received it; the IP stack of a namespace gets it from a link. `devices.py` says where it may come
from each of them, by the kernel's tables: to the other end of a cable, through a bridge to some of
its ports (`bridge.py`), into a bond or a slave of it (`bonds.py`), through a tunnel (`tunnels.py`).
Each way out of a point bears what it decided, and the findings that should have closed it.

The kernel's own ways are tried first, those without a finding. Where none of them gets to a target,
the cheapest is taken of those that the kernel would not go: Dijkstra's algorithm, over what
`walk.cost` says of the findings, then by length.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from heapq import heappop, heappush
from itertools import count

from msgspec.structs import replace

from vnetlab.state.objects import LinkId
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.devices import go_on
from vnetlab.trace.forwarding.frames import Frame, Point, Underlay, World
from vnetlab.trace.forwarding.index import Index
from vnetlab.trace.forwarding.loops import find_loop
from vnetlab.trace.forwarding.packet import BROADCAST, Packet
from vnetlab.trace.forwarding.walk import Walk, cost

__all__ = ["cross", "flood_domain"]


def cross(
    tables: Tables,
    start: LinkId,
    packet: Packet,
    targets: Collection[LinkId],
    *,
    index: Index,
    underlay: Underlay | None = None,
) -> Walk:
    """The way of a packet whose MACs are set from the stack above `start` to that of a target.

    `start` and `targets` are links with an IP stack: no ports of bridges. The packet's length is
    one that `start` can send; its tag is None. `underlay` sends the outer packets of tunnels;
    without it they are taken to arrive. A loop that a broadcast gets into harms it; that finding
    comes first. Where no way leads to a target, not even one with
    findings, `arrived` is False and the steps are those of the farthest way.
    """
    world = World(tables=tables, index=index, targets=targets, underlay=underlay)
    frame = Frame(point=Point.SEND, link=start, packet=packet)
    if packet.is_group and index.ring:
        loop = find_loop(replace(world, targets=None), frame)
        frame = frame.stopped(loop) if loop is not None else frame
    for arrival in _spread(world, frame):
        return _walk(arrival, arrived=True)
    farthest = frame

    def keep(other: Frame) -> None:
        nonlocal farthest
        if other.progress > farthest.progress:
            farthest = other

    for arrival in _spread(replace(world, soft=True), frame, keep):
        return _walk(arrival, arrived=True)
    return _walk(farthest, arrived=False)


def flood_domain(
    tables: Tables,
    start: LinkId,
    packet: Packet,
    *,
    index: Index,
    underlay: Underlay | None = None,
) -> frozenset[LinkId]:
    """The links whose IP stack gets a broadcast that is like `packet` otherwise."""
    world = World(tables=tables, index=index, underlay=underlay)
    broadcast = replace(packet, destination_mac=BROADCAST)
    frame = Frame(point=Point.SEND, link=start, packet=broadcast)
    return frozenset(arrival.link for arrival in _spread(world, frame))


def _spread(
    world: World, start: Frame, passed: Callable[[Frame], None] = lambda _: None
) -> Iterator[Frame]:
    """The frames that come to a target's stack, the likeliest first; all are told when `passed`."""
    order = count()
    queue = [(0, 0, next(order), start)]
    visited: set[tuple[Point, LinkId, int | None]] = set()
    while queue:
        _, _, _, frame = heappop(queue)
        key = (frame.point, frame.link, frame.packet.vlan)
        if key in visited:
            continue
        visited.add(key)
        passed(frame)
        if frame.point is Point.STACK:
            if world.targets is None or frame.link in world.targets:
                yield frame
            continue
        for further in go_on(world, frame):
            if further.stops and not world.soft:
                continue
            price = cost(further.findings, world.tables)
            heappush(queue, (price, len(further.steps), next(order), further))


def _walk(frame: Frame, *, arrived: bool) -> Walk:
    return Walk(
        steps=frame.steps,
        arrived=arrived,
        packet=frame.packet,
        link=frame.link if arrived else None,
        unmodelled=frame.unmodelled,
    )
