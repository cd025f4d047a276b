"""VXLAN: which VTEPs get a frame, and whether they take it (pure): RFC 7348, drivers/net/vxlan."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.objects import Link
from vnetlab.state.overlays import ANY_MAC, FdbEntry, Vxlan
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.packet import Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.request import IpAddress

UDP = 17
_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_VXLAN_BYTES, _UDP_BYTES = 8, 8
_IP_BYTES = {4: 20, 6: 40}


def send(world: World, frame: Frame, vtep: Link) -> Iterator[Frame]:
    """The frame to each VTEP that an entry for its MAC names, or that flooded frames go to."""
    vxlan = vtep.vxlan
    if vxlan is None:
        return
    remotes = _remotes(world, vtep, vxlan, frame.packet)
    for other in world.index.vteps:
        far = other.vxlan
        if other.id == vtep.id or far is None or far.local is None:
            continue
        entry = next((it for it in remotes if it.remote == far.local), None)
        if entry is None and (not world.soft or far.vni != vxlan.vni):
            continue
        way = frame
        if entry is None:
            way = way.stopped(_no_remote(vtep, remotes, far.local, frame.packet))
        else:
            way = way.decided(f"bridge fdb show: {_words(entry)}")
        outer = _outer(vxlan, entry, far.local, frame.packet)
        yield from _deliver(world, way, vtep, other, outer, (entry and entry.vni) or vxlan.vni)


def _remotes(world: World, vtep: Link, vxlan: Vxlan, packet: Packet) -> tuple[FdbEntry, ...]:
    """The entries for a frame's MAC; else those for flooded frames, and the default remote."""
    static = world.index.remotes.get(vtep.id, ())
    exact = tuple(it for it in static if it.mac == packet.destination_mac)
    if exact and not packet.is_group:
        return exact
    learned = tuple(
        FdbEntry(netns=it.netns, link=it.link, mac=it.mac, remote=it.remote)
        for it in world.tables.learned
        if (it.netns, it.link, it.mac) == (vtep.netns, vtep.name, packet.destination_mac)
        and it.remote is not None
    )
    if learned and not packet.is_group:
        return learned
    rest = tuple(it for it in static if it.mac == ANY_MAC)
    if not rest and vxlan.remote is not None:
        return (FdbEntry(netns=vtep.netns, link=vtep.name, mac=ANY_MAC, remote=vxlan.remote),)
    return rest


def _no_remote(
    vtep: Link, remotes: tuple[FdbEntry, ...], wanted: IpAddress, packet: Packet
) -> Finding:
    """No entry leads to the VTEP with this address; one for the MAC itself leads elsewhere."""
    missing = FdbEntry(netns=vtep.netns, link=vtep.name, mac=ANY_MAC, remote=wanted)
    wrong = next((it for it in remotes if it.mac == packet.destination_mac), None)
    if wrong is not None:
        row = f"bridge fdb show: {_words(wrong)}, not {wanted}"
        return finding(Reason.WRONG_REMOTE_VTEP, vtep.id, row, wrong)
    row = f"bridge fdb show: {name_of(vtep)} has no entry with dst {wanted}"
    return finding(Reason.NO_REMOTE_VTEP, vtep.id, row, missing)


def _outer(vxlan: Vxlan, entry: FdbEntry | None, remote: IpAddress, inner: Packet) -> Packet:
    """The UDP packet that carries a frame; its MACs are for the underlay to set."""
    tag = _TAG_BYTES if inner.vlan is not None else 0
    frame_bytes = _ETHERNET_BYTES + tag + inner.length
    return Packet(
        source_mac="",
        destination_mac="",
        source=vxlan.local or remote,
        destination=remote,
        payload=Payload.IP,
        protocol=UDP,
        destination_port=(entry and entry.port) or vxlan.port,
        ttl=vxlan.ttl or 64,
        length=frame_bytes + _VXLAN_BYTES + _UDP_BYTES + _IP_BYTES[remote.version],
    )


def _deliver(
    world: World, frame: Frame, vtep: Link, other: Link, outer: Packet, vni: int
) -> Iterator[Frame]:
    """Over the underlay, into the other VTEP: vxlan_rcv."""
    if world.underlay is not None:
        walk = world.underlay(vtep.netns, outer)
        if not walk.arrived and not walk.stops:
            row = f"ip address show: nobody holds {outer.destination}"
            frame = frame.stopped(finding(Reason.WRONG_REMOTE_VTEP, vtep.id, row, other))
        outside = (replace(step, within=frame.packet.payload) for step in walk.steps)
        frame = replace(
            frame,
            steps=(*frame.steps, *outside),
            findings=(*frame.findings, *walk.findings),
            unmodelled=tuple(dict.fromkeys((*frame.unmodelled, *walk.unmodelled))),
        )
    far = other.vxlan
    assert far is not None
    shown = f"ip -d link show: {name_of(other)} has"
    if far.port != outer.destination_port:
        row = f"{shown} dstport {far.port}, {name_of(vtep)} sends to {outer.destination_port}"
        reason = Reason.VXLAN_PORT_MISMATCH
        frame = frame.stopped(_mismatch(world, reason, row, vtep, other))
    if far.vni != vni:
        row = f"{shown} id {far.vni}, {name_of(vtep)} sends {vni}"
        frame = frame.stopped(_mismatch(world, Reason.VNI_MISMATCH, row, vtep, other))
    yield frame.at(Point.RECEIVE, other.id)


def _mismatch(world: World, reason: Reason, row: str, vtep: Link, other: Link) -> Finding:
    """Two ends that differ: the one that is not as it is meant to be is to blame, if one is."""
    culprit, rest = (vtep, other) if world.suspects(vtep) else (other, vtep)
    return finding(reason, culprit.id, row, culprit, others=(rest.id,))


def _words(entry: FdbEntry) -> str:
    return f"{entry.mac} dev {entry.netns}.{entry.link} dst {entry.remote}"
