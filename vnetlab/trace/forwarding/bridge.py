"""Bridges: which ports a frame leaves by (pure).

After net/bridge of Linux: br_input.c (`forward`), br_vlan.c (`_admit`), br_forward.c (`_leave`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from vnetlab.state.objects import Kind, Link, LinkId
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.switching import PortState
from vnetlab.state.tables import LearnedEntry
from vnetlab.trace.forwarding import bonds
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.hooks import ruled
from vnetlab.trace.forwarding.index import Entry
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.packet import BROADCAST, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.vlans import admit, release
from vnetlab.trace.forwarding.walk import Finding

TAG_BYTES = 4
"""How much longer than an MTU a frame may be: is_skb_forwardable allows for a tag."""


def forward(world: World, frame: Frame, source: Link, bridge: Link) -> Iterator[Frame]:
    """Where a frame comes to that enters a bridge by one of its ports, or by the bridge itself."""
    if not bridge.up:
        row = f"ip link show: {name_of(bridge)} is down"
        down = finding(Reason.BRIDGE_DOWN, bridge.id, row, bridge)
        if source.id != bridge.id:
            frame = frame.stopped(down)
    elif source.id != bridge.id and (blocked := _state(world, source, bridge)) is not None:
        frame = frame.stopped(blocked)
    if source.id != bridge.id:
        frame = ruled(world, frame, "bridge", "prerouting", iif=source, oif=None)
    for vlan, inside in admit(world, frame, source, bridge):
        if source.port.locked and (refused := _locked(world, inside, source, bridge, vlan)):
            inside = inside.stopped(refused)
        yield from _forward_in(world, inside, source, bridge, vlan)


def not_in_bridge(link: Link, bridge: Link) -> Finding:
    """A link that is no port of this bridge."""
    where = f"has master {link.master}" if link.master else "has no master"
    row = f"ip link show: {name_of(link)} {where}, not {name_of(bridge)}"
    return finding(Reason.NOT_IN_BRIDGE, link.id, row, link, others=(bridge.id,))


def _forward_in(
    world: World, frame: Frame, source: Link, bridge: Link, vlan: int | None
) -> Iterator[Frame]:
    """The ways out of a bridge within a VLAN: the port that an entry names, or all."""
    packet = frame.packet
    entries = () if packet.is_group else _entries(world, bridge, packet.destination_mac, vlan)
    if packet.destination_mac == packet.source_mac and source.id != bridge.id:
        entries = _learned_now(source, packet.source_mac, vlan) or entries
    entry = entries[0] if entries else None
    local = entry is not None and _is_local(entry, bridge)
    if entry is not None:
        frame = frame.decided(f"bridge fdb show: {_words(entry)}", at=bridge.id)
    elif not packet.is_group:
        in_vlan = f" in VLAN {vlan}" if vlan is not None else ""
        row = f"bridge fdb show: {name_of(bridge)} has no entry for {packet.destination_mac}"
        frame = frame.decided(f"{row}{in_vlan}: flooded", at=bridge.id)
    wanted = {target.netns for target in world.targets} if world.targets is not None else None
    for port in _candidates(world, source, bridge):
        peer = world.index.peer(port)
        if wanted is not None and peer is not None and _ends(world, peer.netns, wanted):
            continue
        named = entry is not None and not local and entry.link == port.name
        if not world.soft and not (entry is None or named):
            continue
        way = frame
        if port.master != bridge.name:
            way = way.stopped(not_in_bridge(port, bridge))
        elif entry is not None and not named:
            way = way.stopped(_wrong_entry(world, entry, bridge, packet.destination_mac))
        flooded = entry is None
        yield from _leave(world, way, source, port, bridge, vlan, flooded=flooded)
    if source.id != bridge.id and (packet.is_group or local or _wanted_above(world, bridge)):
        way = frame
        if entry is not None and not local:
            way = way.stopped(_wrong_entry(world, entry, bridge, packet.destination_mac))
        yield from _pass_up(world, way, source, bridge, vlan)


def _ends(world: World, netns: str, wanted: Collection[str]) -> bool:
    """Whether what gets to a namespace goes no further, and nobody there is asked for."""
    return netns not in wanted and netns not in world.index.bridges


def _candidates(world: World, source: Link, bridge: Link) -> Iterator[Link]:
    yield from world.index.ports.get(bridge.id, ())
    if world.soft:
        for link in world.index.loose.get(bridge.netns, ()):
            if link.id == source.id or link.id in (world.targets or ()):
                continue
            if bonds.find_empty(world, link, bridge) is None:
                yield link
        for link in world.index.misplaced(world.tables.suspects, bridge):
            if link.id != source.id:
                yield link


def _leave(
    world: World,
    frame: Frame,
    source: Link,
    port: Link,
    bridge: Link,
    vlan: int | None,
    *,
    flooded: bool,
) -> Iterator[Frame]:
    """The frame out of one port."""
    stops = list(_refusals(world, frame, source, port, bridge, flooded=flooded))
    if stops and not world.soft:
        return
    for way in release(world, frame.stopped(*stops), port, bridge, vlan):
        point, iif = ("output", None) if source.id == bridge.id else ("forward", source)
        way = ruled(world, way, "bridge", point, iif=iif, oif=port)
        way = ruled(world, way, "bridge", "postrouting", iif=None, oif=port)
        if frame.packet.length > port.mtu + TAG_BYTES:
            row = f"ip link show: {name_of(port)} has mtu {port.mtu}, the packet"
            row += f" {frame.packet.length} bytes"
            way = way.stopped(finding(Reason.MTU_TOO_SMALL, port.id, row, port))
        yield way.at(Point.SEND, port.id)


def _refusals(
    world: World, frame: Frame, source: Link, port: Link, bridge: Link, *, flooded: bool
) -> Iterator[Finding]:
    """Why a port does not take the frame, VLANs aside: should_deliver and br_flood."""
    local = source.id == bridge.id
    packet, settings = frame.packet, port.port
    shown = f"bridge -d link show: {name_of(port)} has"
    if port.id == source.id and not settings.hairpin:
        yield finding(Reason.HAIRPIN_OFF, port.id, f"{shown} hairpin off", port)
    if port.master != bridge.name:
        return
    if bridge.up and (blocked := _state(world, port, bridge)) is not None:
        yield blocked
    if not packet.is_group:
        if flooded and not settings.unicast_flood:
            yield finding(Reason.UNICAST_FLOOD_OFF, port.id, f"{shown} flood off", port)
    elif packet.destination_mac == BROADCAST:
        if not settings.broadcast_flood and not local:
            yield finding(Reason.BROADCAST_FLOOD_OFF, port.id, f"{shown} bcast_flood off", port)
    elif not settings.multicast_flood and not local:
        yield finding(Reason.MULTICAST_FLOOD_OFF, port.id, f"{shown} mcast_flood off", port)
    if (flooded or packet.is_group) and settings.proxy_arp:
        yield finding(Reason.NEIGHBOUR_SUPPRESSED, port.id, f"{shown} proxy_arp on", port)
    if settings.isolated and source.port.isolated and not local:
        row = f"{shown} isolated on, and so has {name_of(source)}"
        culprit, other = (source, port) if world.suspects(source) else (port, source)
        yield finding(Reason.PORT_ISOLATED, culprit.id, row, culprit, others=(other.id,))
    if settings.neighbour_suppression and packet.payload is Payload.WHO_HAS:
        yield from _suppressed(world, frame, port, bridge)


def _suppressed(world: World, frame: Frame, port: Link, bridge: Link) -> Iterator[Finding]:
    """The bridge answers itself for neighbours that it knows: wrongly, where it knows another MAC.

    br_arp_nd_proxy.c, br_do_proxy_suppress_arp.
    """
    targets = [world.index.links[it] for it in world.targets or () if it in world.index.links]
    above = [bridge.name, *(it.name for it in world.index.above.get(bridge.id, {}).values())]
    for entry in world.tables.neighbours:
        if (entry.netns, entry.address) != (bridge.netns, frame.packet.target):
            continue
        if entry.link in above and entry.mac and entry.mac not in {it.mac for it in targets}:
            row = f"bridge -d link show: {name_of(port)} has neigh_suppress on; ip neigh show:"
            row += f" {entry.address} lladdr {entry.mac} dev {entry.link}"
            yield finding(Reason.NEIGHBOUR_SUPPRESSED, port.id, row, port)


def _pass_up(
    world: World, frame: Frame, source: Link, bridge: Link, vlan: int | None
) -> Iterator[Frame]:
    """To the bridge's own interface: br_pass_frame_up."""
    for way in release(world, frame, bridge, bridge, vlan):
        way = ruled(world, way, "bridge", "input", iif=source, oif=None)
        yield way.at(Point.RECEIVE, bridge.id)


def _state(world: World, port: Link, bridge: Link) -> Finding | None:
    """What the state of a port that has a carrier says; that of others says no more than that."""
    state = world.tables.port_states.get(port.id, port.port.state)
    if state is PortState.FORWARDING or not world.passes(port):
        return None
    row = f"bridge link show: {name_of(port)} is {state.name.lower()}"
    if state in (PortState.LISTENING, PortState.LEARNING):
        return finding(Reason.STP_LEARNING, port.id, row, port)
    by_tree = state is PortState.BLOCKING and bridge.bridge.stp
    reason = Reason.STP_BLOCKING if by_tree else Reason.PORT_DISABLED
    return finding(reason, port.id, row, port)


def _locked(
    world: World, frame: Frame, port: Link, bridge: Link, vlan: int | None
) -> Finding | None:
    """A locked port takes frames only from MACs that it has an entry for."""
    entries = _entries(world, bridge, frame.packet.source_mac, vlan)
    if any(it.link == port.name and not _is_local(it, bridge) for it in entries):
        return None
    row = f"bridge -d link show: {name_of(port)} is locked and has no entry for"
    return finding(Reason.PORT_LOCKED, port.id, f"{row} {frame.packet.source_mac}", port)


def _entries(world: World, bridge: Link, mac: str, vlan: int | None) -> tuple[Entry, ...]:
    """The entries for a MAC; the kernel has one for each link of the bridge by itself."""
    found = world.index.entries.get((bridge.id, mac, vlan), ())
    if found:
        return found
    for link in world.index.by_mac.get(mac, ()):
        if link.id == bridge.id or (
            link.netns == bridge.netns and link.master == bridge.name and link.kind is not None
        ):
            return (LearnedEntry(netns=link.netns, link=link.name, mac=mac, vlan=vlan, local=True),)
    return ()


def _learned_now(source: Link, mac: str, vlan: int | None) -> tuple[Entry, ...]:
    """What the bridge has just learned of a frame's sender, before it looks for its receiver."""
    if not source.port.learning or source.port.locked:
        return ()
    return (LearnedEntry(netns=source.netns, link=source.name, mac=mac, vlan=vlan, local=False),)


def _is_local(entry: Entry, bridge: Link) -> bool:
    return entry.link == bridge.name or (isinstance(entry, LearnedEntry) and entry.local)


def _wrong_entry(world: World, entry: Entry, bridge: Link, mac: str) -> Finding:
    at = LinkId(netns=entry.netns, name=entry.link)
    row = f"bridge fdb show: {_words(entry)}"
    item = entry if isinstance(entry, FdbEntry) else None
    if _is_local(entry, bridge):
        return finding(Reason.LOCAL_FDB_ENTRY, at, row, item)
    if item is not None:
        return finding(Reason.WRONG_STATIC_FDB_ENTRY, at, row, item)
    twins = [
        link
        for link in world.index.by_mac.get(mac, ())
        if link.kind is Kind.VETH and world.index.bridge(link) is None
    ]
    if len(twins) > 1:
        suspected = [it for it in twins if world.suspects(it)]
        elsewhere = [it for it in twins if it.id not in (world.targets or ())]
        culprit = (suspected or elsewhere or twins)[0]
        others = tuple(it.id for it in twins if it != culprit)
        row += f"; {' and '.join(map(name_of, twins))} have the same MAC"
        return finding(Reason.DUPLICATE_MAC, culprit.id, row, culprit, others=others)
    held = FdbEntry(netns=entry.netns, link=entry.link, mac=entry.mac, vlan=entry.vlan)
    return finding(Reason.WRONG_LEARNED_FDB_ENTRY, at, row, held)


def _words(entry: Entry) -> str:
    vlan = f" vlan {entry.vlan}" if entry.vlan is not None else ""
    kind = "static" if isinstance(entry, FdbEntry) else "permanent" if entry.local else "learned"
    return f"{entry.mac} dev {entry.netns}.{entry.link}{vlan} {kind}"


def _wanted_above(world: World, bridge: Link) -> bool:
    """Whether a soft walk ends at the bridge's own interface."""
    own = (bridge.id, *world.index.above.get(bridge.id, {}).values())
    return world.soft and any(link in (world.targets or ()) for link in own)
