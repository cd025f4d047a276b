"""Tables, by what the model asks for at every hop (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from vnetlab.state.filters import Filter
from vnetlab.state.objects import BridgeVlan, Kind, Link, LinkId, Qdisc
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.tables import LearnedEntry, QueueClass, Tables
from vnetlab.trace.forwarding.rings import has_ring

Entry = FdbEntry | LearnedEntry
_V = TypeVar("_V")


class Index(Struct, frozen=True, kw_only=True):
    """The links of a lab and what belongs to each.

    `ports` are those whose master a link is, in any order that is stable; `above` the 802.1Q
    sub-interfaces of a link by VLAN id; `vlans` those of a bridge port (or of a bridge itself) by
    VLAN id. `filters` are those of a parent (a hook, or a qdisc), in the order in which they are
    asked. `entries` are the forwarding entries of a bridge by MAC and VLAN, static ones first,
    `remotes` the static ones of a VTEP. `bridges` and `loose` are, by namespace, the bridges and
    those links that are in none though they could be: no master, no address. `ring` says whether
    the cables between bridges make one.
    """

    links: Mapping[LinkId, Link]
    ports: Mapping[LinkId, tuple[Link, ...]]
    above: Mapping[LinkId, Mapping[int, LinkId]]
    vlans: Mapping[LinkId, Mapping[int, BridgeVlan]]
    entries: Mapping[tuple[LinkId, str, int | None], tuple[Entry, ...]]
    remotes: Mapping[LinkId, tuple[FdbEntry, ...]]
    vteps: tuple[Link, ...]
    unplugged: tuple[Link, ...]
    qdiscs: Mapping[LinkId, tuple[Qdisc, ...]]
    filters: Mapping[tuple[LinkId, int], tuple[Filter, ...]]
    classes: Mapping[LinkId, tuple[QueueClass, ...]]
    bridges: Mapping[str, tuple[Link, ...]]
    loose: Mapping[str, tuple[Link, ...]]
    by_mac: Mapping[str, tuple[Link, ...]]
    ring: bool

    def master(self, link: Link) -> Link | None:
        """The bridge, bond or VRF that a link is in."""
        if link.master is None:
            return None
        return self.links.get(LinkId(netns=link.netns, name=link.master))

    def bridge(self, link: Link) -> Link | None:
        """The bridge that a link is a port of."""
        master = self.master(link)
        return master if master is not None and master.kind is Kind.BRIDGE else None

    def misplaced(
        self, suspects: Collection[tuple[type, Hashable]], bridge: Link
    ) -> Iterator[Link]:
        """The ports of other bridges of its namespace that are not as they are meant to be."""
        for other in self.bridges.get(bridge.netns, ()):
            for port in self.ports.get(other.id, ()) if other.id != bridge.id else ():
                if (type(port), port.id) in suspects:
                    yield port

    def pvid(self, link: LinkId) -> BridgeVlan | None:
        """The VLAN of the frames that come in without a tag."""
        return next((vlan for vlan in self.vlans.get(link, {}).values() if vlan.pvid), None)

    def peer(self, link: Link) -> Link | None:
        """The other end of a veth; None where it is out of the lab."""
        return self.links.get(link.peer) if link.peer is not None else None


def build_index(tables: Tables) -> Index:
    """Index `tables`."""
    state = tables.state
    links = {link.id: link for link in sorted(state.links, key=lambda link: link.id)}
    addressed = {LinkId(netns=it.netns, name=it.link) for it in state.addresses}
    parents = {LinkId(netns=link.netns, name=link.parent) for link in links.values() if link.parent}
    loose = [
        link
        for link in links.values()
        if link.master is None
        and link.kind in (Kind.VETH, Kind.BOND, Kind.VXLAN)
        and link.id not in addressed | parents
    ]
    bridges = [link for link in links.values() if link.kind is Kind.BRIDGE]
    return Index(
        links=links,
        ports=_group(
            (LinkId(netns=link.netns, name=link.master), link)
            for link in links.values()
            if link.master is not None
        ),
        above=_maps(
            (LinkId(netns=link.netns, name=link.parent), link.vlan, link.id)
            for link in links.values()
            if link.parent is not None and link.vlan is not None
        ),
        vlans=_maps(
            (LinkId(netns=vlan.netns, name=vlan.link), vlan.vid, vlan)
            for vlan in sorted(state.bridge_vlans, key=lambda vlan: vlan.id)
        ),
        entries=_entries(tables, links),
        remotes=_group(
            (LinkId(netns=it.netns, name=it.link), it)
            for it in sorted(state.fdb_entries, key=lambda it: str(it.id))
            if it.remote is not None
        ),
        vteps=tuple(link for link in links.values() if link.vxlan is not None),
        unplugged=tuple(
            link for link in links.values() if link.kind is Kind.VETH and link.peer is None
        ),
        qdiscs=_group((LinkId(netns=it.netns, name=it.link), it) for it in state.qdiscs),
        filters=_group(
            ((LinkId(netns=it.netns, name=it.link), it.parent), it)
            for it in tables.filters or sorted(state.filters, key=lambda it: it.id)
            if it.chain == 0
        ),
        classes=_group((LinkId(netns=it.netns, name=it.link), it) for it in tables.classes),
        bridges=_group((link.netns, link) for link in bridges),
        loose=_group((link.netns, link) for link in loose),
        by_mac=_group((link.mac, link) for link in links.values()),
        ring=has_ring(links),
    )


def _entries(
    tables: Tables, links: Mapping[LinkId, Link]
) -> dict[tuple[LinkId, str, int | None], tuple[Entry, ...]]:
    """Those of each bridge; an entry's link is a port of it, or the bridge."""
    items = sorted(tables.state.fdb_entries, key=lambda it: str(it.id))
    found: list[tuple[tuple[LinkId, str, int | None], Entry]] = []
    every: tuple[Entry, ...] = (*items, *tables.learned)
    for item in every:
        link = links.get(LinkId(netns=item.netns, name=item.link))
        if link is None or item.remote is not None or getattr(item, "received", False):
            continue
        name = link.name if link.kind is Kind.BRIDGE else link.master
        if name is not None:
            found.append(((LinkId(netns=item.netns, name=name), item.mac, item.vlan), item))
    return _group(found)


_K = TypeVar("_K")


def _group(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, tuple[_V, ...]]:
    groups: defaultdict[_K, list[_V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def _maps(triples: Iterable[tuple[LinkId, int, _V]]) -> dict[LinkId, dict[int, _V]]:
    found: defaultdict[LinkId, dict[int, _V]] = defaultdict(dict)
    for link, key, value in triples:
        found[link][key] = value
    return dict(found)
