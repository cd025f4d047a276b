"""The order in which changes are made (pure).

Removals come first, from what depends to what is depended on, then everything else the other way
round. A link is made before it is configured: all links of a phase can then be made in one go,
and bridges come up last, when their ports are there. Sub-interfaces follow when the links below
them are as they should be: their MTU must not be larger.

All that changes in a namespace's nftables, removals too, is one step that the kernel does whole or
not at all; its rules name links that need not be there, so it comes before any traffic can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum, auto

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.diff import Change, losing_their_tree
from vnetlab.state.filters import Filter
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
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.running import Limits, Service
from vnetlab.state.switching import BridgePort, PortState


class Phase(IntEnum):
    """The phases of a plan, in their order."""

    RESTORE_SETTINGS = auto()
    REMOVE_SERVICES = auto()
    REMOVE_LIMITS = auto()
    REMOVE_NEIGHBOURS = auto()
    REMOVE_ROUTES = auto()
    REMOVE_POLICY_RULES = auto()
    REMOVE_FILTERS = auto()
    REMOVE_QDISCS = auto()
    REMOVE_ADDRESSES = auto()
    REMOVE_FDB_ENTRIES = auto()
    REMOVE_BRIDGE_VLANS = auto()
    REMOVE_LINKS = auto()
    REMOVE_NAMESPACES = auto()
    NAMESPACES = auto()
    SYSCTLS = auto()
    NFTABLES = auto()
    BRIDGES = auto()
    VRFS = auto()
    VETHS = auto()
    VXLANS = auto()
    BONDS = auto()
    BOND_SLAVES = auto()
    PORT_STATES = auto()
    CONFIGURE_LINKS = auto()
    SUB_INTERFACES = auto()
    CONFIGURE_SUB_INTERFACES = auto()
    LINK_SYSCTLS = auto()
    BRIDGE_PORTS = auto()
    BRIDGE_VLANS = auto()
    FDB_ENTRIES = auto()
    QDISCS = auto()
    FILTERS = auto()
    ADDRESSES = auto()
    BRIDGES_UP = auto()
    POLICY_RULES = auto()
    ROUTES = auto()
    NEIGHBOURS = auto()
    SWITCHES_UP = auto()
    IDLE_PORT_STATES = auto()
    LIMITS = auto()
    SERVICES = auto()


CONFIGURING = frozenset({Phase.CONFIGURE_LINKS, Phase.CONFIGURE_SUB_INTERFACES})
"""The phases in which links are set: new ones too, which were made in an earlier phase.

Not so BOND_SLAVES and BRIDGE_PORTS: to be a bond's slave comes before, to be a port set as wished
after that. A port's state comes before too: nobody may set it once the bridge has STP. One that is
not to forward is told so last (IDLE_PORT_STATES): any setting of the link lets it forward. Last
comes also that of a port whose bridge has had STP until then.

A new bridge is down until its guests have their addresses. Each tells all others of the groups that
it joins with them (RFC 3810, 6.1): a million packets among a thousand. One that routes lead out of
comes up before these (BRIDGES_UP), one that is nothing but a switch last (SWITCHES_UP)."""


_REMOVAL: dict[type[Object], Phase] = {
    Neighbour: Phase.REMOVE_NEIGHBOURS,
    Service: Phase.REMOVE_SERVICES,
    Limits: Phase.REMOVE_LIMITS,
    Route: Phase.REMOVE_ROUTES,
    PolicyRule: Phase.REMOVE_POLICY_RULES,
    Qdisc: Phase.REMOVE_QDISCS,
    Filter: Phase.REMOVE_FILTERS,
    Address: Phase.REMOVE_ADDRESSES,
    FdbEntry: Phase.REMOVE_FDB_ENTRIES,
    BridgeVlan: Phase.REMOVE_BRIDGE_VLANS,
    Link: Phase.REMOVE_LINKS,
    Namespace: Phase.REMOVE_NAMESPACES,
    NftTable: Phase.NFTABLES,
    NftChain: Phase.NFTABLES,
    NftSet: Phase.NFTABLES,
    NftNamed: Phase.NFTABLES,
}
_MAKING: dict[type[Object], Phase] = {
    Namespace: Phase.NAMESPACES,
    Sysctl: Phase.SYSCTLS,
    BridgeVlan: Phase.BRIDGE_VLANS,
    FdbEntry: Phase.FDB_ENTRIES,
    Qdisc: Phase.QDISCS,
    Filter: Phase.FILTERS,
    Address: Phase.ADDRESSES,
    PolicyRule: Phase.POLICY_RULES,
    Route: Phase.ROUTES,
    NftTable: Phase.NFTABLES,
    NftChain: Phase.NFTABLES,
    Neighbour: Phase.NEIGHBOURS,
    Limits: Phase.LIMITS,
    Service: Phase.SERVICES,
}
_LINKS: dict[Kind | None, tuple[Phase, Phase]] = {
    Kind.BRIDGE: (Phase.BRIDGES, Phase.CONFIGURE_LINKS),
    Kind.VRF: (Phase.VRFS, Phase.CONFIGURE_LINKS),
    Kind.VXLAN: (Phase.VXLANS, Phase.CONFIGURE_LINKS),
    Kind.VETH: (Phase.VETHS, Phase.CONFIGURE_LINKS),
    Kind.BOND: (Phase.BONDS, Phase.CONFIGURE_LINKS),
    Kind.VLAN: (Phase.SUB_INTERFACES, Phase.CONFIGURE_SUB_INTERFACES),
}


class Plan(Struct, frozen=True, kw_only=True):
    """The changes, phase by phase; within a phase their order does not matter."""

    phases: tuple[tuple[Phase, tuple[Change, ...]], ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change once, in the order in which they begin."""
        return tuple(dict.fromkeys(change for _, changes in self.phases for change in changes))

    @property
    def parts(self) -> tuple[Plan, ...]:
        """What is done before new switches come up, and what from then on; all, where none does."""
        for at, (phase, _) in enumerate(self.phases):
            if phase is Phase.SWITCHES_UP:
                return (Plan(phases=self.phases[:at]), Plan(phases=self.phases[at:]))
        return (self,)


def order_changes(changes: Iterable[Change]) -> Plan:
    """Return the plan that makes `changes`."""
    phases: dict[Phase, list[Change]] = {phase: [] for phase in Phase}
    ordered = sorted(changes, key=_place)
    treeless = losing_their_tree((change.old, change.new) for change in ordered)
    routing = frozenset(
        LinkId(netns=change.new.netns, name=change.new.link or "")
        for change in ordered
        if isinstance(change.new, Address | Route)
    )
    for change in ordered:
        for phase in _phases(change, treeless, routing):
            phases[phase].append(change)
    return Plan(phases=tuple((phase, tuple(some)) for phase, some in phases.items() if some))


def _phases(
    change: Change, treeless: Collection[LinkId], routing: Collection[LinkId]
) -> tuple[Phase, ...]:
    subject = change.subject
    if change.new is None:
        return (_REMOVAL[type(subject)],)
    if isinstance(subject, Link):
        return tuple(_phases_of_link(change.old, subject, treeless, routing))
    if isinstance(subject, Sysctl) and subject.restored:
        return (Phase.RESTORE_SETTINGS,)  # while the table that remembers the value is there
    if isinstance(subject, Sysctl) and subject.link is not None:
        return (Phase.LINK_SYSCTLS,)
    return (_MAKING[type(subject)],)


def _phases_of_link(
    old: Object | None, new: Link, treeless: Collection[LinkId], routing: Collection[LinkId]
) -> Iterator[Phase]:
    """`treeless` are bridges that lose their spanning tree, `routing` links with routes."""
    before = old if isinstance(old, Link) else None
    making, configuring = _LINKS[new.kind]
    if before is None:
        yield making
    moved = before is None or before.master != new.master
    if moved and (new.in_bond or (before is not None and before.in_bond)):
        yield Phase.BOND_SLAVES
    old_port = port_before(before, new)
    forwards = new.port.state is PortState.FORWARDING
    had_tree = LinkId(netns=new.netns, name=new.master or "") in treeless
    if new.port.state is not old_port.state and forwards and not had_tree:
        yield Phase.PORT_STATES
    yield configuring
    if before is None and new.kind is Kind.BRIDGE and new.up:
        yield Phase.BRIDGES_UP if new.id in routing else Phase.SWITCHES_UP
    if replace(new.port, state=old_port.state) != old_port:
        yield Phase.BRIDGE_PORTS
    if not forwards or (had_tree and new.port.state is not old_port.state):
        yield Phase.IDLE_PORT_STATES


def port_before(old: Link | None, new: Link) -> BridgePort:
    """What a link is set to as the port of a bridge, once it is in the one that `new` says."""
    stays = old is not None and old.master == new.master
    return old.port if old is not None and stays else BridgePort()


def _place(change: Change) -> tuple[bool, bool, str, str]:
    """By namespace and id, for the reader and for batches; bridges and child qdiscs last."""
    subject = change.subject
    last = isinstance(subject, Link) and subject.kind is Kind.BRIDGE
    return (last, change.new is not None, subject.netns, _sort_id(subject))


def _sort_id(subject: Object) -> str:
    if isinstance(subject, Qdisc):
        return f"{subject.link} {subject.handle:08x}"  # a parent has the lower handle
    return str(subject.id)
