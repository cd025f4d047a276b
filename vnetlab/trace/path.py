"""The path that the wiring lays out for a packet, computed from the observed state (pure).

How it works
------------
A path is a chain of *spans*. In a span one namespace routes the packet (a guest, a router): it
looks up the next hop, and the span is the way through the layer-2 segment from that namespace's
link to the link that holds the next hop's address. The last span ends at the destination.

Within a span the way is the shortest one over veth pairs and bridges, and from VTEP to VTEP where
the span's VLAN is that of an overlay. Otherwise it asks neither VLANs nor the forwarding database,
nor whether a link is up: it says where the packet belongs, so that a packet that is not seen there
is known to be missing.

Every crossing of a veth pair gives two hops, OUT of one end and IN at the other. An 802.1Q
sub-interface gives a hop of its own beside that of the link below it, as the taps see it: OUT
before, IN after the lower link's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import TypeAlias

from msgspec import Struct

from vnetlab.state.objects import Kind, LinkId, Role, State
from vnetlab.state.switching import Activity
from vnetlab.trace.request import IpAddress
from vnetlab.trace.sighting import Direction
from vnetlab.trace.wiring import NextHop, Wiring, find_next_hop, index_wiring

Passage: TypeAlias = tuple[str, str, Direction]
"""What a hop and a sighting at it have in common: namespace, link name and direction."""

_ALWAYS_WATCHED = (Role.HYPERVISOR, Role.PHYSICAL_SWITCH, Role.ROUTER, Role.HOST)


class Hop(Struct, frozen=True, kw_only=True):
    """A place where a packet passes a link.

    `label` and `role` are the link's; `bridge` is the label of the bridge it is a port of, if any.
    """

    netns: str
    ifname: str
    direction: Direction
    label: str
    role: Role | None
    bridge: str = ""

    @property
    def passage(self) -> Passage:
        """What it is matched by."""
        return (self.netns, self.ifname, self.direction)

    @property
    def link_id(self) -> LinkId:
        """The link."""
        return LinkId(netns=self.netns, name=self.ifname)

    def __str__(self) -> str:
        return f"{self.label} {self.direction.value}"


class Span(Struct, frozen=True, kw_only=True):
    """A way through one layer-2 segment, to the neighbour that holds `next_hop`.

    `mac` is that of the link it starts at: the sender's in neighbour resolution.
    """

    next_hop: IpAddress
    mac: str
    hops: tuple[Hop, ...]


class ExpectedPath(Struct, frozen=True, kw_only=True):
    """The spans from a node to an address; `complete` if they get there."""

    spans: tuple[Span, ...]
    complete: bool

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The hops of all spans."""
        return tuple(hop for span in self.spans for hop in span.hops)


def expected_path(
    state: State, source: str, destination: IpAddress, meant: State | None = None
) -> ExpectedPath:
    """Return the path from node `source` to `destination`, as far as routes and wiring lead.

    An address that nobody holds is where it is `meant` to be.
    """
    wiring = index_wiring(state, meant)
    spans: list[Span] = []
    netns, came_by = source, None
    visited: set[str] = set()
    while netns not in visited:
        visited.add(netns)
        next_hop = find_next_hop(wiring, netns, destination, came_by=came_by)
        if next_hop is None:
            break
        span = _cross(wiring, next_hop)
        spans.append(span)
        here = LinkId(netns=span.hops[-1].netns, name=span.hops[-1].ifname)
        if here not in wiring.holders.get(next_hop.address, ()):
            break
        if next_hop.address == destination:
            return ExpectedPath(spans=tuple(spans), complete=True)
        netns, came_by = here.netns, here
        if any(link.netns == netns for link in wiring.holders.get(destination, ())):
            return ExpectedPath(spans=tuple(spans), complete=True)
    return ExpectedPath(spans=tuple(spans), complete=False)


def watched_namespaces(state: State, *paths: ExpectedPath) -> tuple[str, ...]:
    """The namespaces that a probe along `paths` could be seen in.

    Those of the paths, and every hypervisor, physical switch, router and bare-metal host, since a
    frame can be flooded or sent the wrong way.
    """
    on_path = [hop.netns for path in paths for hop in path.hops]
    nearby = sorted(ns.name for ns in state.namespaces if ns.role in _ALWAYS_WATCHED)
    return tuple(dict.fromkeys([*on_path, *nearby]))


def make_hop(wiring: Wiring, link_id: LinkId, direction: Direction) -> Hop:
    """Return the hop at a link; one that the state does not know is labelled by its id."""
    link = wiring.links.get(link_id)
    master = wiring.links.get(LinkId(netns=link_id.netns, name=(link and link.master) or ""))
    return Hop(
        netns=link_id.netns,
        ifname=link_id.name,
        direction=direction,
        label=(link and link.label) or str(link_id),
        role=link.role if link else None,
        bridge=master.label if master and master.kind is Kind.BRIDGE else "",
    )


def _cross(wiring: Wiring, next_hop: NextHop) -> Span:
    """The shortest way to a link that holds the next hop; else only to the first link's peer."""
    holders = wiring.holders.get(next_hop.address, frozenset())
    way = _way(wiring, next_hop, holders, idle=False) or _way(wiring, next_hop, holders, idle=True)
    if way is None:
        way = next(_ways(wiring, next_hop.link, _vlan(wiring, next_hop.link), idle=True))
    hops = tuple(make_hop(wiring, link, direction) for link, direction in way)
    mac = wiring.links[next_hop.link].mac
    return Span(next_hop=next_hop.address, mac=mac, hops=hops)


_Way: TypeAlias = tuple[tuple[LinkId, Direction], ...]


def _way(
    wiring: Wiring, next_hop: NextHop, holders: Collection[LinkId], *, idle: bool
) -> _Way | None:
    """The shortest way to one of the holders, if there is any."""
    ways = _ways(wiring, next_hop.link, _vlan(wiring, next_hop.link), idle=idle)
    return next((way for way in ways if way[-1][0] in holders), None)


def _vlan(wiring: Wiring, start: LinkId) -> int | None:
    """The VLAN of what leaves `start`: its own tag's, or that of the port it is plugged into."""
    link = wiring.links[start]
    return wiring.vlans.get(link.peer) if link.peer is not None else link.vlan


def _ways(wiring: Wiring, start: LinkId, vlan: int | None, *, idle: bool) -> Iterator[_Way]:
    """Ways out of `start` to every link that a frame could arrive at, shortest first.

    Without `idle` none over a backup, or what a spanning tree has blocked.
    """
    queue: deque[tuple[LinkId, _Way]] = deque([_leave(wiring, start)])
    visited: set[LinkId] = set()
    while queue:
        link, before = queue.popleft()
        ends = [end for end in _far_ends(wiring, link, vlan) if end not in visited]
        peers = [end for end in ends if idle or not _is_idle(wiring, end)]
        if not peers:
            yield before
        for peer in peers:
            visited.add(peer)
            way = (*before, (peer, Direction.IN))
            yield way
            for above in wiring.subinterfaces.get(peer, ()):
                yield (*way, (above, Direction.IN))
            port, way = _through_bond(wiring, peer, way)
            master = wiring.links[port].master
            if master is not None:
                for other in wiring.ports[LinkId(netns=port.netns, name=master)]:
                    if other not in visited and other != port:
                        exits = _exits(wiring, other, way)
                        queue += (it for it in exits if idle or not _is_idle(wiring, it[0]))


def _is_idle(wiring: Wiring, link: LinkId) -> bool:
    return wiring.links[link].activity is Activity.BLOCKED


def _through_bond(wiring: Wiring, link: LinkId, way: _Way) -> tuple[LinkId, _Way]:
    """The port of the bridge that a frame comes in by, and the way to it: a slave's is its bond."""
    if not wiring.links[link].in_bond:
        return link, way
    bond = LinkId(netns=link.netns, name=wiring.links[link].master or "")
    return (bond, (*way, (bond, Direction.IN))) if bond in wiring.links else (link, way)


def _exits(wiring: Wiring, port: LinkId, way: _Way) -> Iterator[tuple[LinkId, _Way]]:
    """The ways out of a bridge's port; out of a bond, those of its slaves."""
    way = (*way, (port, Direction.OUT))
    if wiring.links[port].kind is not Kind.BOND:
        yield port, way
    for slave in wiring.ports.get(port, ()) if wiring.links[port].kind is Kind.BOND else ():
        yield slave, (*way, (slave, Direction.OUT))


def _far_ends(wiring: Wiring, link: LinkId, vlan: int | None) -> Iterator[LinkId]:
    """Where a frame that leaves `link` arrives: at the other end of the cable, or other VTEPs."""
    peer = wiring.links[link].peer if link in wiring.links else None
    if peer is not None and peer in wiring.links:
        yield peer
    if vlan is not None and wiring.vlans.get(link) == vlan:
        yield from wiring.remotes.get(link, ())


def _leave(wiring: Wiring, link: LinkId) -> tuple[LinkId, _Way]:
    """OUT of a link, and of the one below a sub-interface; the link that reaches the cable."""
    parent = wiring.links[link].parent
    if parent is None:
        return link, ((link, Direction.OUT),)
    lower = LinkId(netns=link.netns, name=parent)
    return lower, ((link, Direction.OUT), (lower, Direction.OUT))
