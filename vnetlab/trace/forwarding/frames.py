"""A frame on its way through layer 2, and what the model knows meanwhile (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import Link, LinkId, Object
from vnetlab.state.tables import Carrier, Tables
from vnetlab.trace.forwarding.index import Index
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep
from vnetlab.trace.sighting import Direction

Underlay = Callable[[str, Packet], Walk]
"""Sends the outer packet of a tunnel from a namespace: to the namespace of the other VTEP."""


class Point(Enum):
    """Where a frame is: given to a link to be sent, come to a link, or given to the IP stack."""

    SEND = "send"
    RECEIVE = "receive"
    STACK = "stack"


class Frame(Struct, frozen=True, kw_only=True):
    """A frame at a point of its way, with the steps that brought it there."""

    point: Point
    link: LinkId
    packet: Packet
    steps: tuple[WalkStep, ...] = ()
    findings: tuple[Finding, ...] = ()
    unmodelled: tuple[str, ...] = ()

    def at(self, point: Point, link: LinkId) -> Frame:
        """The same frame elsewhere."""
        return replace(self, point=point, link=link)

    def lost(self) -> Frame:
        """The same frame out of the lab: at a link that no namespace has."""
        return self.at(Point.RECEIVE, LinkId(netns=self.link.netns, name=""))

    def bearing(self, vlan: int | None) -> Frame:
        """The same frame with another tag, or without one."""
        return replace(self, packet=self.packet.with_tag(vlan))

    def passed(self, direction: Direction) -> Frame:
        """A tap at its link has seen it."""
        step = WalkStep(
            netns=self.link.netns, link=self.link.name, packet=self.packet, direction=direction
        )
        return replace(self, steps=(*self.steps, step))

    def decided(self, row: str, *, at: LinkId | None = None) -> Frame:
        """A row of a table has decided its way."""
        at = at or self.link
        step = WalkStep(netns=at.netns, link=at.name, packet=self.packet, row=row)
        return replace(self, steps=(*self.steps, step))

    def stopped(self, *findings: Finding) -> Frame:
        """It would be stopped here, or harmed, and goes on as if it were not."""
        steps = [
            WalkStep(netns=it.netns, link=it.link, packet=self.packet, row=it.row, finding=it)
            for it in findings
        ]
        return replace(self, steps=(*self.steps, *steps), findings=(*self.findings, *findings))

    def unsure(self, what: str) -> Frame:
        """The model met what it does not know."""
        if what in self.unmodelled:
            return self
        return replace(self, unmodelled=(*self.unmodelled, what))

    @property
    def progress(self) -> tuple[bool, int]:
        """Whether something has stopped it already, and how many steps it has made before."""
        for number, step in enumerate(self.steps):
            if step.finding is not None and not step.finding.harms:
                return True, number
        return False, len(self.steps)

    @property
    def stops(self) -> bool:
        """Whether something has stopped it already."""
        return any(not finding.harms for finding in self.findings)


class World(Struct, frozen=True, kw_only=True):
    """What frames move in: the tables, and where this one is wanted (None: everywhere).

    `soft` says that ways are asked for which the kernel would not take.
    """

    tables: Tables
    index: Index
    targets: Collection[LinkId] | None = None
    underlay: Underlay | None = None
    soft: bool = False

    def carrier(self, link: Link) -> Carrier:
        """Whether a link passes frames; where that was not read, as both ends' flags say."""
        known = self.tables.carriers.get(link.id)
        if known is not None:
            return known
        if not link.up:
            return Carrier.DOWN
        peer = self.index.peer(link)
        return Carrier.UP if peer is None or peer.up else Carrier.NO_CARRIER

    def passes(self, link: Link) -> bool:
        """Whether a link is up, and has a carrier."""
        return self.carrier(link) is Carrier.UP

    def suspects(self, item: Object | None) -> bool:
        """Whether an object is known not to be as it is meant to be."""
        return item is not None and (type(item), item.id) in self.tables.suspects


def finding(
    reason: Reason,
    at: LinkId,
    row: str,
    item: Object | None = None,
    *,
    harms: bool = False,
    others: tuple[LinkId, ...] = (),
) -> Finding:
    """A finding at a link."""
    return Finding(
        reason=reason,
        netns=at.netns,
        link=at.name,
        row=row,
        item=item,
        harms=harms,
        others=others,
    )
