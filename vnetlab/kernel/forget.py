"""EFFECT: what a lab's nodes have learned by themselves, thrown away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from pyroute2.netlink.rtnl import RTM_DELNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from vnetlab.kernel.messages import change_link
from vnetlab.kernel.neighbour_tables import (
    RTM_GETNEIGH,
    neighbour_addresses,
    neighbour_request,
)
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe
from vnetlab.kernel.routing_messages import NUD_PERMANENT
from vnetlab.state.objects import Kind, Link

_NUD_INCOMPLETE, _NUD_FAILED, _NUD_NOARP = 0x01, 0x20, 0x40


def forget_learned(nodes: Nodes) -> None:
    """Delete every neighbour entry that nobody fixed, and flush what bridges have learned."""
    forget_neighbours(nodes)
    observed = observe(nodes)
    _flush(nodes, observed, [it for it in observed.state.links if it.kind is Kind.BRIDGE])


def forget_old_ways(nodes: Nodes) -> None:
    """Flush what the bridges of spanning trees have learned.

    As a switch does when the tree has changed (IEEE 802.1D-2004, 17.11); a Linux bridge only
    shortens the time that it believes an entry, and looks at that at its next sweep: up to the
    old time later, 300 s (`br_fdb_cleanup`, net/bridge/br_fdb.c).
    """
    observed = observe(nodes)
    _flush(nodes, observed, [it for it in observed.state.links if it.bridge.stp])


def forget_neighbours(nodes: Nodes) -> None:
    """Delete every neighbour entry that nobody fixed."""
    for netns in nodes.lab.nodes():
        _forget(nodes, netns, but=NUD_PERMANENT | _NUD_NOARP)


def forget_unanswered(nodes: Nodes, namespaces: Collection[str]) -> None:
    """Have these nodes ask again, at once, for the neighbours that did not answer."""
    for netns in namespaces:
        _forget(nodes, netns, but=~(_NUD_INCOMPLETE | _NUD_FAILED))


def _forget(nodes: Nodes, netns: str, *, but: int) -> None:
    channel = nodes.channel(netns)
    purpose = f"forget a neighbour of {netns}"
    messages = list(_entries(channel, but=but))
    channel.change([Request(message=it, purpose=purpose, removes=True) for it in messages])


def _flush(nodes: Nodes, observed: Observed, bridges: Iterable[Link]) -> None:
    for bridge in bridges:
        message = change_link(observed.indexes[bridge.id])
        message["attrs"].append(_FLUSH)
        nodes.channel(bridge.netns).change([Request(message=message, purpose=f"flush {bridge.id}")])


_FLUSH = (
    "IFLA_LINKINFO",
    {
        "attrs": [
            ("IFLA_INFO_KIND", "bridge"),
            ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_FDB_FLUSH", None)]}),
        ]
    },
)


def _entries(channel: Channel, *, but: int) -> Iterator[Any]:
    """What deletes the neighbour entries that are not in one of the states `but`."""
    bodies = channel.dump_bodies(RTM_GETNEIGH, neighbour_request())
    for family, index, address in neighbour_addresses(bodies, but=but):
        message = ndmsg()
        message["header"]["type"] = RTM_DELNEIGH
        message["family"], message["ifindex"] = family, index
        message["attrs"] = [("NDA_DST", address)]
        yield message
