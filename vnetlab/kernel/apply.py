"""EFFECT: a plan carried out: phase by phase, one batch of messages per namespace and phase.

How it works: within a phase the order of changes does not matter, so all messages to one
namespace go out together. Links get an ifindex of our choosing, unique in the lab: no look-up is
needed for what comes on top of a new link, and a veth's end names its peer by it. The two ends of
a veth pair are made by one message, sent where the first of them is.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import (
    limits,
    messages,
    overlay_messages,
    routing_messages,
    services,
    switching_messages,
    sysctls,
)
from vnetlab.kernel.groups import leave_group
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.meanwhile import in_halves
from vnetlab.kernel.netlink import Request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed
from vnetlab.state.diff import Change
from vnetlab.state.filters import Filter
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
from vnetlab.state.outside import HOST, host_index
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.plan import CONFIGURING, Phase, Plan, port_before
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.show import describe
from vnetlab.state.switching import PortState

_SETTING = CONFIGURING | {
    Phase.BOND_SLAVES,
    Phase.PORT_STATES,
    Phase.BRIDGE_PORTS,
    Phase.BRIDGES_UP,
    Phase.SWITCHES_UP,
    Phase.IDLE_PORT_STATES,
}

_LOOPBACK = 1
"""The index of the loopback link: LOOPBACK_IFINDEX."""

_MANY_NAMESPACES = 50
"""From so many on, a fork that deals with half of them takes less time than it saves."""

_LAST_TAKEN = 99
"""Left free below our ifindexes: the links that the kernel puts into a new namespace by itself."""


def apply(plan: Plan, nodes: Nodes, observed: Observed) -> None:
    """Make the changes of `plan`, which was made for `observed`.

    Raises KernelRefusedError with what the kernel refused, and MissingFeatureError without the
    permission to make namespaces. What was done before that stays done.
    """
    applying = _Applying(nodes, observed)
    for phase, changes in plan.phases:
        applying.carry_out(phase, changes)


_ACTIONS: dict[Phase, Callable[[LabDir, Any], None]] = {
    Phase.REMOVE_SERVICES: services.stop,
    Phase.REMOVE_LIMITS: lambda lab, item: limits.release(lab, item.netns),
    Phase.LIMITS: limits.limit,
    Phase.SERVICES: services.start,
}
"""Phases that send no messages."""


class _Applying:
    def __init__(self, nodes: Nodes, observed: Observed) -> None:
        self._nodes = nodes
        self._indexes = {
            LinkId(netns=node.name, name="lo"): _LOOPBACK for node in observed.state.namespaces
        }
        self._indexes |= observed.indexes
        self._old_bridges = {link.id for link in observed.state.links if link.kind is Kind.BRIDGE}
        self._rule_handles = observed.rule_handles
        taken = (index for link, index in self._indexes.items() if link.netns != HOST)
        self._free = count(max((*taken, _LAST_TAKEN)) + 1)

    def carry_out(self, phase: Phase, changes: tuple[Change, ...]) -> None:
        subjects = [change.subject for change in changes]
        if phase is Phase.REMOVE_NAMESPACES:
            for item in subjects:
                assert isinstance(item, Namespace)
                self._nodes.remove(item.name)
        elif phase is Phase.NAMESPACES:
            in_halves(self._namespaces, changes, forked=len(changes) > _MANY_NAMESPACES)
        elif phase in (Phase.RESTORE_SETTINGS, Phase.SYSCTLS, Phase.LINK_SYSCTLS):
            self._write_sysctls(subjects)
        elif phase in _ACTIONS:
            for item in subjects:
                _ACTIONS[phase](self._nodes.lab, item)
        elif phase is Phase.BRIDGES:
            self._send(phase, self._bridges(subjects))
        elif phase is Phase.BOND_SLAVES:
            self._send(phase, self._bond_slaves(subjects))
        elif phase is Phase.VETHS:
            self._send(phase, self._veths(subjects))
        elif phase is Phase.NFTABLES:
            self._nftables(changes)
        elif phase is Phase.REMOVE_FDB_ENTRIES:
            self._send(phase, ((c.subject, self._message(phase, c)) for c in changes))
            self._leave_groups(subjects)
        else:
            self._send(phase, ((c.subject, self._message(phase, c)) for c in changes))

    def _send(self, phase: Phase, work: Iterable[tuple[Object, Any]]) -> None:
        batches: dict[str, list[Request]] = defaultdict(list)
        for item, message in work:
            request = Request(
                message=message,
                purpose=f"{_verb(phase)} {describe(item)}",
                removes=phase < Phase.NAMESPACES,
                harmless=errno.ENETDOWN if _forwards_with_carrier(phase, item) else None,
            )
            batches[item.netns].append(request)
        for netns, batch in batches.items():
            self._nodes.channel(netns).change(batch)

    def _nftables(self, changes: Iterable[Change]) -> None:
        from vnetlab.kernel.nft_apply import change_nftables

        by_netns: dict[str, list[Change]] = defaultdict(list)
        for change in changes:
            by_netns[change.subject.netns].append(change)
        for netns, some in by_netns.items():
            change_nftables(self._nodes.netfilter(netns), some, self._rule_handles)

    def _namespaces(self, changes: Iterable[Change]) -> None:
        for change in changes:
            item = change.new
            assert isinstance(item, Namespace)
            if change.old is None:
                self._nodes.create(item.name)
            message = messages.configure_loopback(item.role, up=item.lo_up, mtu=item.lo_mtu)
            purpose = f"set the loopback of {describe(item)}"
            self._nodes.channel(item.name).change([Request(message=message, purpose=purpose)])

    def _write_sysctls(self, subjects: Iterable[Object]) -> None:
        by_netns: dict[str, list[Sysctl]] = defaultdict(list)
        for item in subjects:
            assert isinstance(item, Sysctl)
            by_netns[item.netns].append(item)
        many = len(by_netns) > _MANY_NAMESPACES
        in_halves(self._write_sysctls_of, tuple(by_netns.items()), forked=many)

    def _write_sysctls_of(self, nodes: Iterable[tuple[str, list[Sysctl]]]) -> None:
        for netns, wanted in nodes:
            with self._nodes.enter(netns), sysctls.Settings() as settings:
                for item in wanted:
                    try:
                        settings.write(item.key, item.value)
                    except KernelRefusedError:
                        if netns != HOST or settings.read(item.key) is not None:
                            raise  # of the host, a link may go at any time, with its settings

    def _bridges(self, subjects: Iterable[Object]) -> Iterator[tuple[Link, Any]]:
        for item in subjects:
            assert isinstance(item, Link)
            index = self._new_index(item)
            yield item, messages.create_bridge(item, index)
            yield item, messages.claim_bridge_mtu(item, index)

    def _bond_slaves(self, subjects: Iterable[Object]) -> Iterator[tuple[Link, Any]]:
        for item in subjects:
            assert isinstance(item, Link)
            for message in switching_messages.move_slave(item, self._indexes):
                yield item, message

    def _veths(self, subjects: Iterable[Object]) -> Iterator[tuple[Link, Any]]:
        ends = {item.id: item for item in subjects if isinstance(item, Link)}
        for end in ends.values():
            if end.peer in ends and end.id < end.peer:
                peer = ends[end.peer]
                yield (
                    end,
                    messages.create_veth(
                        end,
                        self._new_index(end),
                        peer,
                        self._new_index(peer),
                        self._nodes.fd(peer.netns),
                    ),
                )

    def _leave_groups(self, subjects: Iterable[Object]) -> None:
        """What a link receives may be there by `ip maddr`, whose list netlink does not reach."""
        for item in subjects:
            if isinstance(item, FdbEntry) and item.received:
                with self._nodes.enter(item.netns):
                    leave_group(item)

    def _message(self, phase: Phase, change: Change) -> Any:
        remove = phase < Phase.NAMESPACES
        match item := change.subject:
            case Link() if remove:
                return messages.remove_link(self._indexes[item.id])
            case Link() if phase is Phase.VXLANS:
                return overlay_messages.create_vxlan(item, self._new_index(item))
            case Link() if phase is Phase.VRFS:
                return overlay_messages.create_vrf(item, self._new_index(item))
            case Link() if phase is Phase.BONDS:
                return switching_messages.create_bond(item, self._new_index(item))
            case Link() if phase in (Phase.PORT_STATES, Phase.IDLE_PORT_STATES):
                return switching_messages.set_port_state(item, self._indexes)
            case Link() if phase is Phase.BRIDGE_PORTS:
                old = change.old if isinstance(change.old, Link) else None
                return switching_messages.set_port(item, port_before(old, item), self._indexes)
            case Link() if phase is Phase.SUB_INTERFACES:
                parent = LinkId(netns=item.netns, name=item.parent or "")
                index = self._new_index(item)
                return messages.create_sub_interface(item, index, self._indexes[parent])
            case Link() if phase in (Phase.BRIDGES_UP, Phase.SWITCHES_UP):
                return messages.set_up(self._indexes[item.id])
            case Link():
                old = change.old if isinstance(change.old, Link) else None
                return messages.configure_link(item, old, self._indexes)
            case BridgeVlan():
                return messages.bridge_vlan(item, self._indexes, remove=remove)
            case FdbEntry():
                return self._fdb_entry(item, remove=remove)
            case Address():
                return messages.address(item, self._indexes, remove=remove)
            case Route():
                return routing_messages.route(item, self._indexes, remove=remove)
            case PolicyRule():
                return routing_messages.policy_rule(item, remove=remove)
            case Neighbour():
                return routing_messages.neighbour(item, self._indexes, remove=remove)
            case Qdisc():
                from vnetlab.kernel import qdisc_messages

                index = self._indexes[LinkId(netns=item.netns, name=item.link)]
                return qdisc_messages.qdisc(item, index, remove=remove)
            case Filter():
                from vnetlab.kernel import filter_messages

                make = filter_messages.remove_filter if remove else filter_messages.make_filter
                return make(item, self._indexes)
        raise AssertionError(f"{phase.name} has no message for {item}")

    def _fdb_entry(self, item: FdbEntry, *, remove: bool) -> Any:
        of_link = item.remote is not None or item.received
        on_bridge = LinkId(netns=item.netns, name=item.link) in self._old_bridges
        is_port = not of_link and not on_bridge
        return overlay_messages.fdb_entry(item, self._indexes, is_port=is_port, remove=remove)

    def _new_index(self, link: Link) -> int:
        self._indexes[link.id] = host_index(link.label) if link.netns == HOST else next(self._free)
        return self._indexes[link.id]


def _forwards_with_carrier(phase: Phase, item: Object) -> bool:
    """Whether it is a port that the kernel lets forward by itself when it gets a carrier."""
    states = (Phase.PORT_STATES, Phase.IDLE_PORT_STATES)
    return phase in states and isinstance(item, Link) and item.port.state is PortState.FORWARDING


def _verb(phase: Phase) -> str:
    if phase < Phase.NAMESPACES:
        return "remove"
    return "set" if phase in _SETTING else "make"
