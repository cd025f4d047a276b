"""What must change for the kernel to be as desired (pure).

How it works: an object that is too much, or that cannot be turned into the desired one in place
(a veth with another peer), is removed. With it the kernel takes away what it holds
(`vnetlab.state.losses`). Those losses need no step of their own, but what of them is desired must
be made again; so the desired state is compared with what will be *left* of the observed one.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.filters import Filter, without_links
from vnetlab.state.guards import given_rules, nodes_with_vrfs, rules_of_vrfs
from vnetlab.state.losses import Key, Losses, Use, key_of
from vnetlab.state.nftables import NftChain, NftTable
from vnetlab.state.objects import (
    COLLECTIONS,
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Qdisc,
    State,
    Sysctl,
    everything,
)
from vnetlab.state.routing import L3MDEV, Neighbour, PolicyRule
from vnetlab.state.switching import Activity, BridgePort, PortState, with_unknown_as

_Objects = Mapping[Key, Object]

_LEFT_BY_TREE = {
    Activity.BLOCKED: PortState.BLOCKING,
    Activity.SETTLING: PortState.LISTENING,
}


class Change(Struct, frozen=True, kw_only=True):
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
    namespaces = _differing(desired, observed)
    wanted = {key_of(item): item for item in everything(desired) if item.netns in namespaces}
    present = {
        key: _as_known(item, wanted.get(key))
        for key, item in (
            (key_of(item), item) for item in everything(observed) if item.netns in namespaces
        )
    }
    surplus = {key for key, item in present.items() if _must_go(item, wanted.get(key))}
    uses = {
        *_places_left(present, wanted),
        *_tables_changed(present, wanted),
        *_last_addresses(present, surplus),
    }
    losses = Losses(surplus | uses, present)
    treeless = losing_their_tree((item, wanted.get(key)) for key, item in present.items())
    left = {
        key: _released(_without_tree(item, treeless), losses.gone)
        for key, item in present.items()
        if key not in losses.gone
    }
    with_vrfs = nodes_with_vrfs(item for item in left.values() if isinstance(item, Link))
    return (
        *(Change(old=item, new=None) for item in losses.removals),
        *(
            Change(old=left.get(key), new=item)
            for key, item in wanted.items()
            if left.get(key) != item and not _comes_with_its_holder(item, left, with_vrfs)
        ),
    )


def losing_their_tree(
    objects: Iterable[tuple[Object | None, Object | None]],
) -> frozenset[LinkId]:
    """The bridges that lose their spanning tree, of objects as they are and as they become."""
    return frozenset(
        old.id
        for old, new in objects
        if isinstance(old, Link) and old.bridge.stp
        if isinstance(new, Link) and not new.bridge.stp
    )


def remove_namespace(name: str, observed: State) -> tuple[Change, ...]:
    """Return the changes that take a namespace away, with the ends of its veths in others."""
    present = {key_of(item): item for item in everything(observed)}
    losses = Losses({(Namespace, name)}, present)
    return tuple(Change(old=item, new=None) for item in losses.removals)


def namespaces_of(changes: Iterable[Change], observed: State) -> frozenset[str]:
    """The namespaces that `changes` to what was observed make, remove or change something in.

    A veth's end goes with its other end, and all of a namespace with it.
    """
    objects = [item for change in changes for item in (change.old, change.new) if item]
    nodes = {item.name for item in objects if isinstance(item, Namespace)}
    links = [item for item in objects if isinstance(item, Link)]
    links += [link for link in observed.links if link.netns in nodes]
    peers = (link.peer.netns for link in links if link.peer)
    return frozenset((*(item.netns for item in objects), *peers))


def _differing(desired: State, observed: State) -> frozenset[str]:
    """The namespaces of all that differs, and of the other ends of links that do.

    What is removed in one takes nothing along in another but these ends.
    """
    differing = [
        item
        for collection in COLLECTIONS.values()
        for item in getattr(desired, collection) ^ getattr(observed, collection)
    ]
    peers = (item.peer.netns for item in differing if isinstance(item, Link) and item.peer)
    return frozenset((*(item.netns for item in differing), *peers))


def _as_known(old: Object, new: Object | None) -> Object:
    """`old`, and what cannot be known of it as in `new`."""
    if not (isinstance(old, Link) and isinstance(new, Link) and old.bridge.stp):
        return old
    return replace(old, bridge=with_unknown_as(new.bridge, old.bridge))


def _must_go(old: Object, new: Object | None) -> bool:
    """Whether `old` is not desired, or cannot be turned into `new` in place."""
    if new is None:
        # A setting always has some value, and the rules of VRFs stay when the last of them goes.
        stays = isinstance(old, PolicyRule) and old in rules_of_vrfs(old.netns)
        return not (stays or isinstance(old, Sysctl))
    if isinstance(old, Namespace) and isinstance(new, Namespace):
        return old.role not in (new.role, None)  # another role has left other settings behind
    return _nature(old) != _nature(new)


def _comes_with_its_holder(item: Object, left: _Objects, with_vrfs: Collection[str]) -> bool:
    """Whether a namespace or link that is yet to be made has `item` by itself.

    `with_vrfs` are the namespaces that already have a VRF.
    """
    match item:
        case PolicyRule() if item.action == L3MDEV:
            return item in rules_of_vrfs(item.netns) and item.netns not in with_vrfs
        case PolicyRule():
            return item in given_rules(item.netns) and (Namespace, item.netns) not in left
        case Sysctl(given=True, link=None):
            return (Namespace, item.netns) not in left
        case Sysctl(given=True, link=str(link)):
            return (Link, LinkId(netns=item.netns, name=link)) not in left
    return False


def _nature(item: Object) -> Hashable:
    """What the kernel cannot change of an existing link, qdisc, filter, table or chain."""
    match item:
        case Link():
            of_bond = item.bond.fixed if item.bond else None
            return (item.kind, item.peer, item.parent, item.vlan, item.vxlan, item.table, of_bond)
        case Qdisc():
            return (item.kind, item.handle)
        case NftTable():
            return item.dormant  # the kernel takes no other change together with this one
        case NftChain():
            return item.hook
        case Filter():
            return (item.kind, item.handle, item.protocol, item.matches)
        case Address():
            return (item.prefix_route, item.accepted, item.more)
        case BridgeVlan():
            return item.options  # nobody may set its state while the bridge has a spanning tree
        case Neighbour():
            return item.mac
        case _:
            return None


def _places_left(present: _Objects, wanted: _Objects) -> Iterator[Key]:
    """The places in bridges that ports leave, for another bridge or none."""
    for key, old in present.items():
        if isinstance(old, Link) and old.master is not None:
            new = wanted.get(key)
            if isinstance(new, Link) and new.master != old.master:
                yield (Use.BRIDGE, old.id)


def _tables_changed(present: _Objects, wanted: _Objects) -> Iterator[Key]:
    """The use of its routing table by a link that comes into a VRF or leaves one."""
    for key, old in present.items():
        new = wanted.get(key)
        if not (isinstance(old, Link) and isinstance(new, Link)) or old.master == new.master:
            continue
        if _is_in_vrf(old, present) or _is_in_vrf(new, wanted):
            yield (Use.TABLE, old.id)


def _is_in_vrf(link: Link, objects: _Objects) -> bool:
    master = objects.get((Link, LinkId(netns=link.netns, name=link.master or "")))
    return isinstance(master, Link) and master.kind is Kind.VRF


def _last_addresses(present: _Objects, surplus: set[Key]) -> Iterator[Key]:
    """The use of IPv4 by links all of whose IPv4 addresses are removed."""
    going: set[LinkId] = set()
    staying: set[LinkId] = set()
    for key, item in present.items():
        if isinstance(item, Address) and item.interface.version == 4:
            (going if key in surplus else staying).add(LinkId(netns=item.netns, name=item.link))
    yield from ((Use.IPV4, link) for link in going - staying)


def _without_tree(item: Object, treeless: Collection[LinkId]) -> Object:
    """Return `item` as it is once its bridge's spanning tree has gone: as that one left it."""
    if not isinstance(item, Link) or item.master is None:
        return item
    state = _LEFT_BY_TREE.get(item.activity)
    if state is None or LinkId(netns=item.netns, name=item.master) not in treeless:
        return item
    return replace(item, port=replace(item.port, state=state))


def _released(item: Object, gone: frozenset[Key]) -> Object:
    """Return `item` without the bridge, or the links that frames go to, that go."""
    if isinstance(item, Filter):
        return without_links(item, lambda name: (Link, LinkId(netns=item.netns, name=name)) in gone)
    if not isinstance(item, Link) or item.master is None:
        return item
    master = LinkId(netns=item.netns, name=item.master)
    if (Link, master) not in gone:
        return item
    up = item.up and not item.in_bond  # a bond takes down what it lets go
    return replace(item, master=None, up=up, in_bond=False, port=BridgePort())
