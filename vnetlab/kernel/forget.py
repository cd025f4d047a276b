"""EFFECT: what a lab's nodes have learned by themselves, thrown away."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pyroute2.netlink.rtnl import RTM_DELNEIGH, RTM_GETNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from vnetlab.kernel.messages import change_link
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.kernel.routing_messages import NUD_PERMANENT
from vnetlab.state.objects import Kind

_NUD_INCOMPLETE, _NUD_FAILED, _NUD_NOARP = 0x01, 0x20, 0x40


def forget_learned(nodes: Nodes) -> None:
    """Delete every neighbour entry that nobody fixed, and flush what bridges have learned."""
    observed = observe(nodes)
    for netns in nodes.lab.nodes():
        channel = nodes.channel(netns)
        batch = [
            Request(message=message, purpose=f"forget a neighbour of {netns}", removes=True)
            for message in _entries(channel, but=NUD_PERMANENT | _NUD_NOARP)
        ]
        for link in observed.state.links:
            if link.netns == netns and link.kind is Kind.BRIDGE:
                message = change_link(observed.indexes[link.id])
                message["attrs"].append(_FLUSH)
                batch.append(Request(message=message, purpose=f"flush {link.id}"))
        channel.change(batch)


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
    dump = ndmsg()
    dump["header"]["type"] = RTM_GETNEIGH
    for entry in channel.dump(dump):
        address = entry.get_attr("NDA_DST")
        if address is None or entry["state"] & but:
            continue
        message = ndmsg()
        message["header"]["type"] = RTM_DELNEIGH
        message["family"], message["ifindex"] = entry["family"], entry["ifindex"]
        message["attrs"] = [("NDA_DST", address)]
        yield message
