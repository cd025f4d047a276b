"""What must change for the kernel to be as desired (pure).

How it works: an object that is too much, or that cannot be turned into the desired one in place
(a veth with another peer), is removed. With it the kernel takes away what it holds: a namespace
its links, a link its addresses, a veth its peer. Those losses need no step of their own, but what
of them is desired must be made again; so the desired state is compared with what will be *left*
of the observed one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from vnetlab.state.objects import (
    Link,
    LinkId,
    Namespace,
    Object,
    Qdisc,
    Route,
    State,
    Sysctl,
    everything,
)
from vnetlab.state.shaping import ROOT

Key = tuple[type, Hashable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object made (`old` is None), removed (`new` is None) or set differently (both)."""

    old: Object | None
    new: Object | None

    @property
    def subject(self) -> Object:
        """The object as it will be, or as it was where it goes."""
        subject = self.new or self.old
        assert subject is not None
        return subject


def diff_states(*, desired: State, observed: State) -> tuple[Change, ...]:
    """Return the changes that turn `observed` into `desired`, in no particular order."""
    wanted = {_key(item): item for item in everything(desired)}
    present = {_key(item): item for item in everything(observed)}
    surplus = {
        key: item
        for key, item in present.items()
        if key not in wanted or _nature(item) != _nature(wanted[key])
    }
    gone = _with_all_it_holds(surplus, present)
    left = {key: _released(item, gone) for key, item in present.items() if key not in gone}
    return (
        *(Change(old=item, new=None) for item in _explicit(surplus, gone)),
        *(
            Change(old=left.get(key), new=item)
            for key, item in wanted.items()
            if left.get(key) != item
        ),
    )


def _key(item: Object) -> Key:
    return (type(item), item.id)


def _nature(item: Object) -> Hashable:
    """What the kernel cannot change of an existing object."""
    match item:
        case Link():
            return (item.kind, item.peer, item.parent, item.vlan)
        case Qdisc():
            return (item.kind, item.handle)
        case _:
            return None


def _holders(item: Object) -> Iterator[Key]:
    """The keys of those objects that take `item` along when they go."""
    match item:
        case Namespace():
            return
        case Sysctl():
            pass
        case Link():
            if item.peer is not None:
                yield (Link, item.peer)
            if item.parent is not None:
                yield (Link, LinkId(netns=item.netns, name=item.parent))
        case Route(link=None):
            pass
        case _:
            yield (Link, LinkId(netns=item.netns, name=item.link or ""))
            if isinstance(item, Qdisc) and item.parent != ROOT:
                yield (Qdisc, (item.netns, item.link, ROOT))
    yield (Namespace, item.netns)


def _with_all_it_holds(surplus: Iterable[Key], present: Mapping[Key, Object]) -> set[Key]:
    """Return the keys of `surplus` and of all that goes with it."""
    gone = set(surplus)
    while True:
        more = {
            key
            for key, item in present.items()
            if key not in gone and any(holder in gone for holder in _holders(item))
        }
        if not more:
            return gone
        gone |= more


def _released(item: Object, gone: set[Key]) -> Object:
    """Return `item` without the bridge that goes."""
    if isinstance(item, Link) and item.master is not None:
        master = (Link, LinkId(netns=item.netns, name=item.master))
        if master in gone:
            return replace(item, master=None)
    return item


def _explicit(surplus: Mapping[Key, Object], gone: set[Key]) -> Iterator[Object]:
    """Those of `surplus` that nothing else takes along: the ones to remove by a step."""
    for key, item in surplus.items():
        holders = {holder for holder in _holders(item) if holder in gone}
        if isinstance(item, Link) and item.peer is not None:
            pair = (Link, item.peer)
            first_of_pair = pair in surplus and item.id < item.peer
            peer_netns_goes = (Namespace, item.peer.netns) in gone
            if pair in holders and first_of_pair and not peer_netns_goes:
                holders.discard(pair)
        if not holders:
            yield surplus[key]
