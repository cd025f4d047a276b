"""Loops of layer 2: a broadcast that comes back to a bridge where it has been (pure).

Nothing ends it there but a spanning tree. Each frame comes again and again, and the bridges learn
of its sender wherever it does.
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.objects import Kind, Link, LinkId
from vnetlab.trace.forwarding.devices import go_on
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.index import Index
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.sighting import Direction


def has_ring(index: Index) -> bool:
    """Whether the cables between bridges make a ring, whatever is blocked or down."""
    parts: dict[LinkId, LinkId] = {}

    def part(bridge: LinkId) -> LinkId:
        while (above := parts.get(bridge, bridge)) != bridge:
            bridge = above
        return bridge

    for near, far in _cables(index):
        if part(near) == part(far):
            return True
        parts[part(near)] = part(far)
    return False


def _cables(index: Index) -> Iterator[tuple[LinkId, LinkId]]:
    """The bridges at the ends of each cable; the cables of two bonds are one."""
    seen: set[frozenset[LinkId]] = set()
    for link in index.links.values():
        peer = index.peer(link)
        if peer is None:
            continue
        ends = _port(index, link), _port(index, peer)
        bridges = [index.bridge(end) for end in ends]
        key = frozenset(end.id for end in ends)
        if key not in seen and bridges[0] is not None and bridges[1] is not None:
            seen.add(key)
            yield bridges[0].id, bridges[1].id


def _port(index: Index, link: Link) -> Link:
    master = index.master(link)
    return master if master is not None and master.kind is Kind.BOND else link


def find_loop(world: World, frame: Frame) -> Finding | None:
    """The first port where a broadcast comes back to a bridge; `world` is one without targets."""
    pending, visited = [frame], {(frame.point, frame.link, frame.packet.vlan)}
    while pending:
        for further in go_on(world, pending.pop()):
            key = (further.point, further.link, further.packet.vlan)
            if further.stops or key in visited or further.point is Point.STACK:
                continue
            visited.add(key)
            if further.point is Point.RECEIVE and (bridge := _comes_back(world, further)):
                port = world.index.links[further.link]
                row = f"bridge link show: {name_of(port)} is forwarding"
                row += f", broadcasts of {name_of(bridge)} come back there"
                return finding(Reason.LOOP, port.id, row, bridge, harms=True)
            pending.append(further)
    return None


def _comes_back(world: World, frame: Frame) -> Link | None:
    """The bridge that a frame is about to enter, if it has come in there before."""
    bridge = world.index.bridge(world.index.links[frame.link])
    if bridge is None:
        return None
    for step in frame.steps:
        if step.direction is Direction.IN and step.link is not None:
            link = world.index.links.get(LinkId(netns=step.netns, name=step.link))
            if link is not None and world.index.bridge(link) == bridge:
                return bridge
    return None
