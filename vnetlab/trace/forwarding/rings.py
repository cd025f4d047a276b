"""Rings of cables, in which a broadcast can come back (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vnetlab.state.objects import Kind, Link, LinkId


def has_ring(links: Mapping[LinkId, Link]) -> bool:
    """Whether the cables between bridges make a ring, whatever is blocked or down."""
    parts: dict[LinkId, LinkId] = {}

    def part(bridge: LinkId) -> LinkId:
        while (above := parts.get(bridge, bridge)) != bridge:
            bridge = above
        return bridge

    for near, far in _cables(links):
        if part(near) == part(far):
            return True
        parts[part(near)] = part(far)
    return False


def _cables(links: Mapping[LinkId, Link]) -> Iterator[tuple[LinkId, LinkId]]:
    """The bridges at the ends of each cable; the cables of two bonds are one."""
    seen: set[frozenset[LinkId]] = set()
    for link in links.values():
        peer = links.get(link.peer) if link.peer is not None else None
        if peer is None:
            continue
        ends = _port(links, link), _port(links, peer)
        bridges = [_master(links, end, Kind.BRIDGE) for end in ends]
        key = frozenset(end.id for end in ends)
        if key not in seen and bridges[0] is not None and bridges[1] is not None:
            seen.add(key)
            yield bridges[0].id, bridges[1].id


def _port(links: Mapping[LinkId, Link], link: Link) -> Link:
    return _master(links, link, Kind.BOND) or link


def _master(links: Mapping[LinkId, Link], link: Link, kind: Kind) -> Link | None:
    if link.master is None:
        return None
    master = links.get(LinkId(netns=link.netns, name=link.master))
    return master if master is not None and master.kind is kind else None
