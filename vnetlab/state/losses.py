"""What the kernel takes along when an object goes (pure).

How it works: a namespace holds all that is in it; a link its peer, its sub-interfaces, addresses,
routes, qdiscs, VLANs and forwarding entries; a bridge the VLANs and entries of its ports; a qdisc
those below it and its filters; a table of nftables its chains and sets. Four things end while the
link that they are on stays: its place in a bridge, with the VLANs and entries it has there
(net/bridge/br_vlan.c, nbp_vlan_flush); its use of IPv4 when the last such address is removed, with
its IPv4 routes (net/ipv4/fib_frontend.c, fib_disable_ip); and its routes and IPv6 addresses when it
comes into a VRF or leaves one, since the kernel takes it down and up for that (drivers/net/vrf.c,
cycle_netdev).

A namespace dies in the background, and lives on while a process is in it. A veth that reaches
from it into a namespace that stays is therefore not left to it, but removed by a step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping
from enum import Enum, auto

from vnetlab.state.filters import CLSACT_PARENT, Filter
from vnetlab.state.nftables import NftChain, NftNamed, NftSet, NftTable
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Qdisc,
    Route,
    Sysctl,
)
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.routing import Neighbour


class Use(Enum):
    """What a link can lose without going itself."""

    BRIDGE = auto()
    IPV4 = auto()
    TABLE = auto()


Key = tuple[type | Use, Hashable]
"""An object's type and id, unique in a state; or a use and the id of the link."""

_MAJOR = 0xFFFF_0000  # TC_H_MAJ_MASK
_OUTERMOST = 0xFFFF_0000  # of TC_H_ROOT and TC_H_INGRESS: below no other qdisc


def key_of(item: Object) -> Key:
    """Return the key of an object."""
    return (type(item), item.id)


class Losses:
    """What of the objects `present` goes when those of `ended` are removed, or uses of links end.

    `gone` holds the keys of all that goes; `removals` the objects that need a step for it.
    """

    def __init__(self, ended: Collection[Key], present: Mapping[Key, Object]) -> None:
        self._present = present
        self._qdiscs = {
            (item.netns, item.link, item.handle): key
            for key, item in present.items()
            if isinstance(item, Qdisc)
        }
        self.gone = self._with_all_held(ended) if ended else frozenset()
        self.removals = tuple(
            item for key, item in present.items() if key in self.gone and self._needs_step(item)
        )

    def _with_all_held(self, ended: Collection[Key]) -> frozenset[Key]:
        held: dict[Key, list[Key]] = defaultdict(list)
        for key, item in self._present.items():
            for holder in (*self._holders(item), *_other_end(item)):
                held[holder].append(key)
        gone, new = set(ended), list(ended)
        while new:
            found = [key for key in held[new.pop()] if key not in gone]
            gone.update(found)
            new += found
        return frozenset(gone)

    def _needs_step(self, item: Object) -> bool:
        if any(holder in self.gone for holder in self._holders(item)):
            return False
        if isinstance(item, Link) and item.peer is not None:
            return item.id < item.peer or (Namespace, item.peer.netns) in self.gone
        return True

    def _holders(self, item: Object) -> Iterator[Key]:
        """The keys of all that takes `item` along at once; a veth's other end is not among them."""
        if isinstance(item, Namespace):
            return
        yield (Namespace, item.netns)
        match item:
            case Link(netns=netns, parent=str(parent)):
                yield (Link, LinkId(netns=netns, name=parent))
            case BridgeVlan():
                yield from self._holders_at_bridge(LinkId(netns=item.netns, name=item.link))
            case FdbEntry():
                yield from self._holders_of_entry(item)
            case Qdisc():
                yield from self._holders_of_qdisc(item)
            case NftChain() | NftSet() | NftNamed():
                yield (NftTable, (item.netns, item.family, item.table))
            case Filter():
                yield (Qdisc, (item.netns, item.link, CLSACT_PARENT))
            case Neighbour():
                yield (Link, LinkId(netns=item.netns, name=item.link))
            case Sysctl(link=str(link)):
                yield (Link, LinkId(netns=item.netns, name=link))
            case Address() | Route(link=str()):
                yield from self._holders_at_layer_3(item)
        if isinstance(item, Route) and item.destination.version == 4:
            yield (Use.IPV4, LinkId(netns=item.netns, name=item.link or ""))

    def _holders_at_bridge(self, port_id: LinkId) -> Iterator[Key]:
        """Of what a port has by being one."""
        yield (Link, port_id)
        yield (Use.BRIDGE, port_id)
        yield from self._master(port_id)

    def _holders_of_entry(self, entry: FdbEntry) -> Iterator[Key]:
        link_id = LinkId(netns=entry.netns, name=entry.link)
        if entry.remote is None and not entry.received:
            yield from self._holders_at_bridge(link_id)
        else:
            yield (Link, link_id)

    def _holders_at_layer_3(self, item: Address | Route) -> Iterator[Key]:
        link_id = LinkId(netns=item.netns, name=item.link or "")
        yield (Link, link_id)
        if isinstance(item, Route) or item.interface.version == 6:
            yield (Use.TABLE, link_id)
            for key in self._master(link_id):
                master = self._present.get(key)
                if isinstance(master, Link) and master.kind is Kind.VRF:
                    yield key

    def _master(self, link_id: LinkId) -> Iterator[Key]:
        """The key of the bridge or VRF that the link is in, if any."""
        link = self._present.get((Link, link_id))
        if isinstance(link, Link) and link.master is not None:
            yield (Link, LinkId(netns=link.netns, name=link.master))

    def _holders_of_qdisc(self, qdisc: Qdisc) -> Iterator[Key]:
        yield (Link, LinkId(netns=qdisc.netns, name=qdisc.link))
        major = qdisc.parent & _MAJOR
        above = self._qdiscs.get((qdisc.netns, qdisc.link, major))
        if above is not None and major != _OUTERMOST:
            yield above


def _other_end(item: Object) -> Iterator[Key]:
    if isinstance(item, Link) and item.peer is not None:
        yield (Link, item.peer)
