"""Tables of a small network, made by hand, and ways to change them.

    a.eth0 -- hv1.p1 [hv1.vs] hv1.up -- tor.h1 [tor.sw] tor.h2 -- hv2.up [hv2.vs] hv2.p2 -- b.eth0

VLAN 10 without a tag at p1 and p2, with it between the bridges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace

from vnetlab.state.objects import (
    COLLECTIONS,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Object,
    State,
    collect,
    everything,
)
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.l2 import cross
from vnetlab.trace.forwarding.packet import BROADCAST, Packet
from vnetlab.trace.forwarding.walk import Walk

Change = Callable[[Tables], Tables]
MAC_A, MAC_B, MAC_C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def at(name: str) -> LinkId:
    """The link of `hv1.p1`."""
    netns, _, link = name.partition(".")
    return LinkId(netns=netns, name=link)


def link(name: str, kind: Kind = Kind.VETH, mac: str = "", **settings: Any) -> Link:
    """A link; its MAC is made of its name."""
    made = "02:00" + "".join(f":{byte:02x}" for byte in name.encode()[-4:])
    known: dict[str, Any] = {"role": None, "label": name, "mtu": 1500, "mac": mac or made}
    where = at(name)
    return Link(netns=where.netns, name=where.name, kind=kind, **known | settings)


def cable(left: Link, right: Link) -> tuple[Link, Link]:
    """Both ends of a veth."""
    return replace(left, peer=right.id), replace(right, peer=left.id)


def vlan(name: str, vid: int, *, access: bool = False) -> BridgeVlan:
    """A VLAN of a port."""
    where = at(name)
    return BridgeVlan(netns=where.netns, link=where.name, vid=vid, pvid=access, untagged=access)


def network() -> Tables:
    """The network above."""
    bridges = [link(it, Kind.BRIDGE, vlan_filtering=True) for it in ("hv1.vs", "tor.sw", "hv2.vs")]
    cables = [
        cable(link("a.eth0", mac=MAC_A), link("hv1.p1", master="vs")),
        cable(link("hv1.up", master="vs"), link("tor.h1", master="sw")),
        cable(link("tor.h2", master="sw"), link("hv2.up", master="vs")),
        cable(link("hv2.p2", master="vs"), link("b.eth0", mac=MAC_B)),
    ]
    vlans = [vlan(it, 10, access=it.endswith(("p1", "p2"))) for it in PORTS]
    return Tables(state=collect([*bridges, *(end for both in cables for end in both), *vlans]))


PORTS = ("hv1.p1", "hv1.up", "tor.h1", "tor.h2", "hv2.up", "hv2.p2")


def having(*objects: Object) -> Change:
    """With these objects, in the place of those with their ids."""

    def change(tables: Tables) -> Tables:
        ids = {(type(it), it.id) for it in objects}
        kept = [it for it in everything(tables.state) if (type(it), it.id) not in ids]
        return replace(tables, state=collect([*kept, *objects]))

    return change


def lacking(*objects: Object) -> Change:
    """Without these objects."""

    def change(tables: Tables) -> Tables:
        return replace(tables, state=without(tables.state, objects))

    return change


def without(state: State, objects: Iterable[Object]) -> State:
    """The state without some objects."""
    return replace(
        state,
        **{
            name: frozenset(it for it in getattr(state, name) if it not in objects)
            for name in COLLECTIONS.values()
        },
    )


def setting(name: str, **settings: Any) -> Change:
    """With a link set otherwise."""

    def change(tables: Tables) -> Tables:
        old = next(it for it in tables.state.links if it.id == at(name))
        return having(replace(old, **settings))(tables)

    return change


def port(name: str, **settings: Any) -> Change:
    """With a bridge port set otherwise."""

    def change(tables: Tables) -> Tables:
        old = next(it for it in tables.state.links if it.id == at(name))
        return having(replace(old, port=replace(old.port, **settings)))(tables)

    return change


def known(**values: Any) -> Change:
    """With other values of Tables."""
    return lambda tables: replace(tables, **values)


def all_of(*changes: Change) -> Change:
    """One change after the other."""

    def change(tables: Tables) -> Tables:
        for each in changes:
            tables = each(tables)
        return tables

    return change


def packet(**settings: Any) -> Packet:
    """From a to b."""
    known: dict[str, Any] = {
        "source_mac": MAC_A,
        "destination_mac": MAC_B,
        "source": ip_address("10.0.0.1"),
        "destination": ip_address("10.0.0.2"),
    }
    return Packet(**known | settings)


def broadcast(**settings: Any) -> Packet:
    """A broadcast from a."""
    return packet(destination_mac=BROADCAST, **settings)


def walk(tables: Tables, sent: Packet, *, start: str = "a.eth0", target: str = "b.eth0") -> Walk:
    """The way of a packet."""
    return cross(tables, at(start), sent, [at(target)], index=build_index(tables))
