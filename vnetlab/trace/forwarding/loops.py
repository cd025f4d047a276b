"""Loops of layer 2: a broadcast that comes back to a bridge where it has been (pure).

Nothing ends it there but a spanning tree. Each frame comes again and again, and the bridges learn
of its sender wherever it does.
"""

from __future__ import annotations

from vnetlab.state.objects import Link, LinkId
from vnetlab.trace.forwarding.devices import go_on
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.sighting import Direction


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
