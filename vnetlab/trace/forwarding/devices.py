"""Links: what becomes of a frame that one is given, or has received (pure).

The order is the kernel's (net/core/dev.c). On the way out: filters, qdisc, tap, driver. On the way
in: the driver's checks, XDP, tap, filters, 802.1Q sub-interfaces, the link's master, the IP stack.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.filters import EGRESS, INGRESS
from vnetlab.state.objects import Kind, Link, LinkId
from vnetlab.state.tables import Carrier
from vnetlab.trace.forwarding import bonds, bridge, tunnels
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.hooks import ruled
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.qdiscs import harm
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.tc import filtered
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.sighting import Direction


def go_on(world: World, frame: Frame) -> Iterator[Frame]:
    """Where a frame may come to from the point where it is."""
    link = world.index.links.get(frame.link)
    if link is None:
        return
    if frame.point is Point.SEND:
        frame = ruled(world, frame, "netdev", "egress", iif=None, oif=link)
        for passing in filtered(world, frame, EGRESS):
            if passing.link == frame.link:
                yield from _send(world, passing, link)
            else:
                yield passing
    elif frame.point is Point.RECEIVE:
        for passing in filtered(world, _arrive(world, frame, link), INGRESS):
            if passing.point is Point.RECEIVE:
                passing = ruled(world, passing, "netdev", "ingress", iif=link, oif=None)
                yield from _take_in(world, passing, link)
            else:
                yield passing


def _send(world: World, frame: Frame, link: Link) -> Iterator[Frame]:
    down = why_down(world, link)
    if down is not None and not _is_told(down, frame):
        frame = frame.stopped(down)
    frame = harm(world, frame, link).passed(Direction.OUT)
    match link.kind:
        case Kind.VETH:
            yield from _through_cable(world, frame, link)
        case Kind.VLAN if link.parent is not None:
            parent = LinkId(netns=link.netns, name=link.parent)
            yield frame.bearing(link.vlan).at(Point.SEND, parent)
        case Kind.BRIDGE:
            yield from bridge.forward(world, frame, link, link)
        case Kind.BOND:
            yield from bonds.send(world, frame, link)
        case Kind.VXLAN:
            yield from tunnels.send(world, frame, link)
        case _:
            yield frame.unsure(f"{link.id}: what a link of this kind sends").lost()


def why_down(world: World, link: Link) -> Finding | None:
    """Why a link does not send: it, the one below it or the one that it is plugged into is down."""
    carrier = world.carrier(link)
    if carrier is Carrier.DOWN:
        row = f"ip link show: {name_of(link)} is down"
        return finding(Reason.LINK_DOWN, link.id, row, link)
    if carrier is Carrier.UP:
        return None
    if link.kind is Kind.VLAN and link.parent is not None:
        parent = world.index.links.get(LinkId(netns=link.netns, name=link.parent))
        return why_down(world, parent) if parent is not None else None
    peer = world.index.peer(link)
    if link.kind is not Kind.VETH or peer is None:
        return None  # for its own reasons, told where the frame meets them
    if world.carrier(peer) is Carrier.DOWN:
        row = f"ip link show: {name_of(peer)} is down, {name_of(link)} has no carrier"
        return finding(Reason.LINK_DOWN, peer.id, row, peer, others=(link.id,))
    row = f"ip link show: {name_of(link)} has no carrier"
    return finding(Reason.NO_CARRIER, link.id, row, link, others=(peer.id,))


def _is_told(found: Finding, frame: Frame) -> bool:
    return any((it.reason, it.place) == (found.reason, found.place) for it in frame.findings)


def _through_cable(world: World, frame: Frame, link: Link) -> Iterator[Frame]:
    peer = world.index.peer(link)
    if peer is not None:
        yield frame.at(Point.RECEIVE, peer.id)
        return
    row = f"ip link show: the other end of {name_of(link)} is not in the lab"
    frame = frame.stopped(finding(Reason.NOT_PLUGGED_IN, link.id, row, link))
    yield frame.lost()
    for other in world.index.unplugged:
        if other.id != link.id:
            yield frame.at(Point.RECEIVE, other.id)


def _arrive(world: World, frame: Frame, link: Link) -> Frame:
    """What a link does to a frame before a tap sees it there."""
    down = why_down(world, link)
    if down is not None and down.place == (link.netns, link.name) and not _is_told(down, frame):
        frame = frame.stopped(down)
    if link.kind is Kind.VETH and frame.packet.length > link.mtu + bridge.TAG_BYTES:
        row = f"ip link show: {name_of(link)} has mtu {link.mtu}, the packet {_bytes(frame)}"
        frame = frame.stopped(finding(Reason.MTU_TOO_SMALL, link.id, row, link))
    if link.id in world.tables.xdp:
        row = f"ip link show: {name_of(link)} has an XDP program"
        frame = frame.unsure(f"{name_of(link)}: its XDP program").stopped(
            finding(Reason.XDP_PROGRAM, link.id, row, link, harms=True)
        )
    return frame.passed(Direction.IN)


def _take_in(world: World, frame: Frame, link: Link) -> Iterator[Frame]:
    """Who takes the frame that has come in at a link."""
    above = world.index.above.get(link.id, {})
    if frame.packet.vlan is not None and frame.packet.vlan in above:
        yield frame.bearing(None).at(Point.RECEIVE, above[frame.packet.vlan])
        return
    master = world.index.master(link)
    if master is not None and master.kind is Kind.BOND:
        yield from bonds.take_in(world, frame, link, master)
        return
    if master is not None and master.kind is Kind.BRIDGE:
        yield from bridge.forward(world, frame, link, master)
        if world.soft and world.suspects(link):
            yield from _elsewhere(world, frame, link)
        return
    yield from _to_stack(world, frame, link)
    if world.soft and not _wanted(world, link.id) and link in world.index.loose.get(link.netns, ()):
        yield from _elsewhere(world, frame, link)


def _elsewhere(world: World, frame: Frame, link: Link) -> Iterator[Frame]:
    """As if the link were a port of another bridge than it is."""
    for other in world.index.bridges.get(link.netns, ()):
        if link.master is None and (bond := bonds.find_empty(world, link, other)) is not None:
            yield frame.stopped(bonds.without_slaves(bond)).at(Point.RECEIVE, bond.id)
        elif other.name != link.master:
            missing = bridge.not_in_bridge(link, other)
            yield from bridge.forward(world, frame.stopped(missing), link, other)


def _to_stack(world: World, frame: Frame, link: Link) -> Iterator[Frame]:
    if _wanted(world, link.id):
        arrived = replace(frame, packet=frame.packet.with_tag(None))
        if frame.packet.vlan is not None:
            arrived = arrived.stopped(_unexpected_tag(world, frame, link))
        yield _for_mac(arrived, link).at(Point.STACK, link.id)
    elif not world.soft or not any(
        _wanted(world, sub) for sub in world.index.above.get(link.id, {}).values()
    ):
        yield frame.at(Point.STACK, link.id)
    else:
        for vid, sub in world.index.above[link.id].items():
            if _wanted(world, sub):
                wrong = _wrong_tag(world, frame, link, vid, sub)
                yield frame.bearing(None).stopped(wrong).at(Point.RECEIVE, sub)


def _for_mac(frame: Frame, link: Link) -> Frame:
    if frame.packet.is_group or frame.packet.destination_mac == link.mac:
        return frame
    row = f"ip link show: {name_of(link)} has {link.mac}, it is for {frame.packet.destination_mac}"
    return frame.stopped(finding(Reason.WRONG_MAC, link.id, row, link))


def _unexpected_tag(world: World, frame: Frame, link: Link) -> Finding:
    """A tag that no sub-interface takes: the port that sent it does not strip it."""
    vid = frame.packet.vlan
    row = f"ip -d link show: no sub-interface of {name_of(link)} has VLAN {vid}"
    port = world.index.peer(link)
    item = world.index.vlans.get(port.id, {}).get(vid or 0) if port is not None else None
    over = world.index.bridge(port) if port is not None else None
    if port is None:
        return finding(Reason.UNEXPECTED_TAG, link.id, row, link)
    if over is not None and not over.vlan_filtering:
        row = f"ip -d link show: {name_of(over)} has vlan_filtering 0"
        return finding(Reason.VLAN_FILTERING_OFF, over.id, row, over, others=(link.id,))
    if item is not None:
        row += f"; bridge vlan show: {name_of(port)} has VLAN {vid} tagged"
    return finding(Reason.UNEXPECTED_TAG, link.id, row, item or link, others=(port.id,))


def _wrong_tag(world: World, frame: Frame, link: Link, vid: int, sub: LinkId) -> Finding:
    """The sub-interface waits for frames of a VLAN that come with another tag, or without one."""
    tag = frame.packet.vlan
    got = "without a tag" if tag is None else f"with tag {tag}"
    row = f"ip -d link show: {sub} takes VLAN {vid}, the frame comes {got}"
    port = world.index.peer(link)
    item = world.index.vlans.get(port.id, {}).get(vid) if port is not None else None
    owner = world.index.links[sub]
    if tag is not None or item is None or world.suspects(owner):
        return finding(Reason.UNEXPECTED_TAG, sub, row, owner)
    others = (port.id,) if port is not None else ()
    return finding(Reason.NATIVE_VLAN_MISMATCH, sub, row, item, others=others)


def _wanted(world: World, link: LinkId) -> bool:
    return world.targets is None or link in world.targets


def _bytes(frame: Frame) -> str:
    return f"{frame.packet.length} bytes"
