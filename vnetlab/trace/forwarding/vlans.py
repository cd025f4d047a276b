"""The VLAN of a frame in a bridge, and its tag outside (pure): net/bridge/br_vlan.c."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.objects import BridgeVlan, Kind, Link, LinkId
from vnetlab.state.switching import PortState
from vnetlab.trace.forwarding.frames import Frame, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding


def admit(
    world: World, frame: Frame, port: Link, bridge: Link
) -> Iterator[tuple[int | None, Frame]]:
    """The VLAN that a frame belongs to which comes in at a port; None where VLANs don't count.

    A soft walk also tries those that it would belong to if the port were set otherwise.
    """
    if not bridge.vlan_filtering:
        yield None, frame
        return
    tag = frame.packet.vlan
    rows = world.index.vlans.get(port.id, {})
    if not _is_member(port, bridge):  # what VLANs it would carry cannot be known
        for vid in _vids(world, bridge) if tag is None else [tag]:
            yield vid, frame
    elif tag is not None:
        yield from _admit_tagged(world, frame, port, tag)
    else:
        pvid = world.index.pvid(port.id)
        if pvid is not None:
            row = f"bridge vlan show: {name_of(port)} has PVID {pvid.vid}"
            yield pvid.vid, _in_state(frame.decided(row, at=port.id), rows[pvid.vid])
        if world.soft:
            for vid in _vids(world, bridge):
                if pvid is None or vid != pvid.vid:
                    yield vid, frame.stopped(_wrong_pvid(world, port, pvid, vid))


def release(
    world: World, frame: Frame, port: Link, bridge: Link, vlan: int | None
) -> Iterator[Frame]:
    """The frame as it leaves a port in a VLAN: with a tag, or without."""
    if vlan is None:
        yield frame
        return
    row = world.index.vlans.get(port.id, {}).get(vlan)
    if row is not None:
        yield _in_state(frame, row).bearing(None if row.untagged else vlan)
        return
    if _is_member(port, bridge):
        if not world.soft:
            return
        frame = frame.stopped(_not_allowed(world, port, vlan))
    yield frame.bearing(vlan if _takes_tag(world, port, vlan) else None)


def _admit_tagged(world: World, frame: Frame, port: Link, tag: int) -> Iterator[tuple[int, Frame]]:
    row = world.index.vlans.get(port.id, {}).get(tag)
    if row is not None:
        yield tag, _in_state(frame, row)
    elif world.soft:
        yield tag, frame.stopped(_not_allowed(world, port, tag))
        sender = world.index.peer(port)
        sub = world.index.links.get(
            world.index.above.get(sender.id, {}).get(tag, port.id) if sender else port.id
        )
        if sub is not None and sub.kind is Kind.VLAN and world.suspects(sub):
            told = f"ip -d link show: {name_of(sub)} sends with tag {tag}"
            wrong = finding(Reason.UNEXPECTED_TAG, sub.id, told, sub, others=(port.id,))
            for vid in world.index.vlans.get(port.id, {}):
                yield vid, frame.stopped(wrong)


def _not_allowed(world: World, port: Link, vid: int) -> Finding:
    """The port carries other VLANs; an access port of another one has a wrong PVID."""
    pvid = world.index.pvid(port.id)
    row = f"bridge vlan show: {name_of(port)} has no VLAN {vid}"
    if pvid is not None and world.suspects(pvid):
        row += f", its PVID is {pvid.vid}"
        return finding(Reason.WRONG_PVID, port.id, row, pvid)
    missing = BridgeVlan(netns=port.netns, link=port.name, vid=vid, pvid=False, untagged=False)
    return finding(Reason.VLAN_NOT_ALLOWED, port.id, row, missing)


def _wrong_pvid(world: World, port: Link, pvid: BridgeVlan | None, vid: int) -> Finding:
    """Frames without a tag belong to no VLAN here, or to another one than `vid`."""
    has = f"has PVID {pvid.vid}, not" if pvid is not None else "has no PVID"
    row = f"bridge vlan show: {name_of(port)} {has} {vid}"
    wanted = BridgeVlan(netns=port.netns, link=port.name, vid=vid, pvid=True, untagged=True)
    item = pvid if pvid is not None else wanted
    sender = _far_end(world, port)
    over = world.index.bridge(sender) if sender is not None else None
    if sender is None or over is None:
        return finding(_without_pvid(world, port, pvid, vid), port.id, row, item)
    if not over.vlan_filtering:
        if world.suspects(over):
            told = f"ip -d link show: {name_of(over)} has vlan_filtering 0; {row}"
            return finding(Reason.VLAN_FILTERING_OFF, over.id, told, over, others=(port.id,))
        return finding(_without_pvid(world, port, pvid, vid), port.id, row, item)
    sent = world.index.vlans.get(sender.id, {}).get(vid)
    if sent is not None and sent.untagged:
        row += f"; {name_of(sender)} sends VLAN {vid} without a tag"
    if sent is not None and world.suspects(sent) and not world.suspects(item):
        return finding(Reason.NATIVE_VLAN_MISMATCH, sender.id, row, sent, others=(port.id,))
    return finding(Reason.NATIVE_VLAN_MISMATCH, port.id, row, item, others=(sender.id,))


def _in_state(frame: Frame, row: BridgeVlan) -> Frame:
    """A VLAN of a port has a spanning tree state of its own."""
    port = LinkId(netns=row.netns, name=row.link)
    state = PortState(dict(row.options).get("state", PortState.FORWARDING.value))
    if state is PortState.FORWARDING:
        return frame
    told = f"bridge -d vlan show: {port} is {state.name.lower()} in VLAN {row.vid}"
    return frame.stopped(finding(Reason.VLAN_BLOCKED, port, told, row))


def _is_member(port: Link, bridge: Link) -> bool:
    return port.id == bridge.id or port.master == bridge.name


def _vids(world: World, bridge: Link) -> list[int]:
    """All VLANs of a bridge."""
    links = (bridge, *world.index.ports.get(bridge.id, ()))
    return sorted({vid for link in links for vid in world.index.vlans.get(link.id, {})})


def _takes_tag(world: World, port: Link, vlan: int) -> bool:
    """Whether what is plugged into a port takes frames of a VLAN with its tag."""
    far = _far_end(world, port)
    if far is None:
        return False
    if world.index.bridge(far) is not None:
        row = world.index.vlans.get(far.id, {}).get(vlan)
        return row is None or not row.pvid
    return vlan in world.index.above.get(far.id, {})


def _far_end(world: World, port: Link) -> Link | None:
    """What a port's cable leads to; of a bond's cables, or at the end of one, the bond."""
    if port.kind is Kind.BOND:
        ends = (_far_end(world, slave) for slave in world.index.ports.get(port.id, ()))
        return next((end for end in ends if end is not None), None)
    peer = world.index.peer(port)
    master = world.index.master(peer) if peer is not None else None
    return master if master is not None and master.kind is Kind.BOND else peer


def _without_pvid(world: World, port: Link, pvid: BridgeVlan | None, vid: int) -> Reason:
    if pvid is not None:
        return Reason.WRONG_PVID
    carried = vid in world.index.vlans.get(port.id, {})
    return Reason.NO_PVID if carried else Reason.VLAN_NOT_ALLOWED
