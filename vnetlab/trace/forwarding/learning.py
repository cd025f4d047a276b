"""What bridges learn of a packet that passes: where its sender is (pure).

As net/bridge/br_input.c (br_handle_frame_finish) and br_fdb.c (br_fdb_update): a bridge moves what
it learned before, so that an answer goes the way that the question came, whatever the bridge
believed until then. What somebody fixed stays.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.objects import Link, LinkId
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.tables import LearnedEntry
from vnetlab.trace.forwarding.index import Entry, Index
from vnetlab.trace.forwarding.walk import Walk, WalkStep
from vnetlab.trace.sighting import Direction


def learn(index: Index, walk: Walk) -> Index:
    """The index after a walk, as far as the packet got before something stopped it."""
    found: dict[tuple[LinkId, str, int | None], tuple[Entry, ...]] = {}
    for step in _before_stop(walk):
        port = _port(index, step)
        bridge = index.bridge(port) if port else None
        if port is None or bridge is None or not port.port.learning or port.port.locked:
            continue
        vlan = _vlan(index, bridge, port, step)
        key = (bridge.id, step.packet.source_mac, vlan)
        if not any(_is_fixed(it) for it in index.entries.get(key, ())):
            found[key] = (
                LearnedEntry(
                    netns=port.netns, link=port.name, mac=step.packet.source_mac, vlan=vlan
                ),
            )
    return replace(index, entries={**index.entries, **found}) if found else index


def _before_stop(walk: Walk) -> Iterator[WalkStep]:
    for step in walk.steps:
        if step.finding is not None and not step.finding.harms:
            return
        if step.direction is Direction.IN and step.link is not None:
            yield step


def _port(index: Index, step: WalkStep) -> Link | None:
    """The bridge's port that a frame came in by: the bond, for one of its slaves."""
    link = index.links.get(LinkId(netns=step.netns, name=step.link or ""))
    if link is None or index.bridge(link) is not None:
        return link
    return index.master(link)


def _vlan(index: Index, bridge: Link, port: Link, step: WalkStep) -> int | None:
    if not bridge.vlan_filtering:
        return None
    pvid = index.pvid(port.id)
    return step.packet.vlan if step.packet.vlan is not None else pvid.vid if pvid else None


def _is_fixed(entry: Entry) -> bool:
    return isinstance(entry, FdbEntry) or entry.local
