"""A packet's way so far, and the world that it goes through (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import LinkId, Object, Sysctl
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.fib import Fib
from vnetlab.trace.forwarding.index import Index
from vnetlab.trace.forwarding.intended import is_suspect
from vnetlab.trace.forwarding.packet import CtState, Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Translation, Walk, WalkStep, cost
from vnetlab.trace.request import IpAddress

_NOT_ARRIVED = 1000


class Connection(Struct, frozen=True, kw_only=True):
    """What conntrack remembers of the packet that a reply answers.

    `passed` are the namespaces whose IP stack it went through; `translations` by namespace.
    """

    passed: frozenset[str]
    translations: Mapping[str, Translation]

    def state_in(self, netns: str, packet: Packet) -> CtState:
        """What conntrack says of the reply: one that saw no request makes nothing of an answer."""
        if netns in self.passed:
            return CtState.ESTABLISHED
        return CtState.NEW if packet.protocol == _UDP else CtState.INVALID


_UDP = 17


class World(Struct, frozen=True, kw_only=True):
    """The tables, indexed. `intended` is the routing as it is meant to be, see `intended.py`.

    `connection` is None for a packet that answers none.
    """

    tables: Tables
    index: Index
    fib: Fib
    intended: Fib
    holders: Mapping[IpAddress, tuple[LinkId, ...]]
    underlay: Callable[[str, Packet], Walk]
    connection: Connection | None
    answered_by_probe: bool

    def is_suspect(self, item: Object | None) -> bool:
        """Whether an object is not as it is meant to be."""
        return is_suspect(self.tables, item)

    def sysctl(self, netns: str, key: str) -> Sysctl:
        """A setting as it is; 0 where nothing is known of it."""
        return Sysctl(netns=netns, key=key, value=self.tables.sysctl(netns, key))

    def conf(self, link: LinkId, name: str, *, version: int = 4) -> Sysctl:
        """A setting of a link, or of all where that is larger: IN_DEV_MAXCONF of the kernel.

        Of two equal ones, the suspect.
        """
        both = [
            self.sysctl(link.netns, f"net/ipv{version}/conf/{scope}/{name}")
            for scope in (link.name, "all")
        ]
        return max(both, key=lambda it: (_number(it.value), self.is_suspect(it)))

    def is_on(self, link: LinkId, name: str) -> bool:
        """Whether a setting of a link or of all is not 0."""
        return _number(self.conf(link, name).value) != 0


class Journey(Struct, frozen=True, kw_only=True):
    """The steps so far. `visited` are the namespaces that forwarded it, with its destination.

    `told` are the findings, by what makes two of them one.
    """

    steps: tuple[WalkStep, ...] = ()
    unmodelled: tuple[str, ...] = ()
    translations: tuple[Translation, ...] = ()
    visited: frozenset[tuple[str, IpAddress]] = frozenset()
    told: frozenset[tuple[object, ...]] = frozenset()

    def decide(
        self,
        netns: str,
        link: LinkId | None,
        packet: Packet,
        row: str,
        finding: Finding | None = None,
    ) -> Self:
        """With a decision within a namespace."""
        step = WalkStep(
            netns=netns,
            link=link.name if link else None,
            packet=packet,
            row=row,
            finding=finding,
        )
        return self.with_step(step)

    def find(self, packet: Packet, finding: Finding | None) -> Self:
        """With a finding, if there is one, as a decision of its own."""
        if finding is None:
            return self
        step = WalkStep(
            netns=finding.netns,
            link=finding.link,
            packet=packet,
            row=finding.row,
            finding=finding,
        )
        return self.with_step(step)

    def append(self, walk: Walk) -> Self:
        """With all of another walk."""
        journey = replace(self, unmodelled=self.unmodelled + walk.unmodelled)
        for step in walk.steps:
            journey = journey.with_step(step)
        return journey

    def unknown(self, words: tuple[str, ...]) -> Self:
        """With more that the model does not know."""
        return replace(self, unmodelled=self.unmodelled + words)

    def end(self, packet: Packet, *, link: LinkId | None, arrived: bool) -> Walk:
        """The walk."""
        return Walk(
            steps=self.steps,
            arrived=arrived,
            packet=packet,
            link=link,
            unmodelled=tuple(dict.fromkeys(self.unmodelled)),
            translations=self.translations,
        )

    def with_step(self, step: WalkStep) -> Self:
        """With a step. A row that was told already is not told again."""
        finding = step.finding
        if finding is None:
            return replace(self, steps=(*self.steps, step))
        key = (
            finding.reason,
            finding.place,
            finding.item and (type(finding.item), finding.item.id),
        )
        if key in self.told:
            step = replace(step, finding=None)
        return replace(self, steps=(*self.steps, step), told=self.told | {key})


def price(walk: Walk, tables: Tables) -> int:
    """What a walk costs: its findings, and much more where it does not get there."""
    return cost(walk.findings, tables) + (0 if walk.arrived else _NOT_ARRIVED)


def _number(value: str) -> int:
    return int(value) if value.lstrip("-").isdigit() else 0


def finding_at(
    reason: Reason,
    netns: str,
    link: LinkId | None,
    row: str,
    item: Object | None = None,
    others: tuple[LinkId, ...] = (),
) -> Finding:
    """A finding that stops the packet."""
    return Finding(
        reason=reason,
        netns=netns,
        link=link.name if link else None,
        row=row,
        item=item,
        others=others,
    )


def sysctl_row(item: Sysctl) -> str:
    """As `sysctl` shows it."""
    return f"{item.key.replace('/', '.')} = {item.value}"
