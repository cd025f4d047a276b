"""What a fault is: a change of a lab's State, and the truth about it (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.diagnosis.codes import Area
from vnetlab.diagnosis.verdict import Layer
from vnetlab.state.edit import put
from vnetlab.state.objects import Link, LinkId, Object, Role, State
from vnetlab.trace.request import ECHO_PORT, Protocol

SMALL, LARGE = None, 1400
"""Sizes of a probe's packet, in bytes: the default one, and one near to the MTU of Ethernet."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a fault is injected: an object of the lab, by the name that its user knows.

    `link` is None where it is a node as a whole; `item` the State object that it is about, None
    where there is no single one. `vlan` is given where the fault concerns that VLAN alone, `port`
    where it is about what listens on that port of the node.
    """

    object: str
    netns: str
    link: str | None = None
    item: Object | None = None
    vlan: int | None = None
    port: int | None = None


class Flow(Struct, frozen=True, kw_only=True):
    """What must be probed for a fault to show: the rest is a probe's default."""

    protocol: Protocol = Protocol.ICMP
    size: int | None = SMALL
    count: int = 1
    version: int | None = None
    port: int = ECHO_PORT


class Fault(Struct, frozen=True, kw_only=True):
    """A kind of fault.

    `kind` is its name, `code` that of the cause that a verdict must give, for the place's object.
    `places` finds where in a lab it can be; `change` makes it. `flow` says what shows it. One that
    `harms` does not lose every packet, or none; one that `listens` has a socket wait on the place's
    port.
    """

    kind: str
    code: str
    title: str
    places: Callable[[State], Iterable[Place]]
    change: Callable[[State, Place], State]
    flow: Flow = Flow()
    harms: bool = False
    listens: bool = False

    @property
    def layer(self) -> Layer:
        """The layer of its code."""
        word = self.code.split(".")[0]
        return next(area.layer for area in Area if area.word == word)


def flow_at(fault: Fault, place: Place) -> Flow:
    """What must be probed for a fault to show at that place."""
    return fault.flow if place.port is None else replace(fault.flow, port=place.port)


def link_places(*roles: Role) -> Callable[[State], Iterator[Place]]:
    """Return what finds the links of these roles."""

    def find(state: State) -> Iterator[Place]:
        for link in _sorted(state.links):
            if link.role in roles:
                yield place_of(link)

    return find


def node_places(*roles: Role) -> Callable[[State], Iterator[Place]]:
    """Return what finds the nodes of these roles."""

    def find(state: State) -> Iterator[Place]:
        for node in sorted(state.namespaces, key=lambda item: item.name):
            if node.role in roles:
                yield Place(object=node.name, netns=node.name)

    return find


def place_of(link: Link, **more: Any) -> Place:
    """The place that a link is."""
    return Place(
        object=link.label or str(link.id), netns=link.netns, link=link.name, item=link, **more
    )


def ports(state: State, *roles: Role) -> Iterator[Link]:
    """The ports of bridges in nodes of these roles; a bond's slaves are none."""
    names = {node.name for node in state.namespaces if node.role in roles}
    return (
        link
        for link in _sorted(state.links)
        if link.netns in names and link.master and not link.in_bond
    )


def find_link(state: State, place: Place) -> Link:
    """The link of a place, as it is in `state`."""
    wanted = LinkId(netns=place.netns, name=place.link or "")
    return next(link for link in state.links if link.id == wanted)


def setting(**values: Any) -> Callable[[State, Place], State]:
    """Return a change that sets fields of the place's link."""
    return lambda state, place: put(state, replace(find_link(state, place), **values))


def port_setting(**values: Any) -> Callable[[State, Place], State]:
    """Return a change that sets fields of the place's link as a bridge's port."""

    def change(state: State, place: Place) -> State:
        link = find_link(state, place)
        return put(state, replace(link, port=replace(link.port, **values)))

    return change


def _sorted(links: Collection[Link]) -> list[Link]:
    return sorted(links, key=lambda link: (link.netns, link.name))
