"""EFFECT: what a lab's nodes have learned by themselves, thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyroute2.netlink.rtnl import RTM_DELNEIGH, RTM_GETNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from vnetlab.kernel.messages import change_link
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.kernel.routing_messages import NUD_PERMANENT
from vnetlab.state.objects import Kind

_NUD_NOARP = 0x40


def forget_learned(nodes: Nodes) -> None:
    """Delete every neighbour entry that nobody fixed, and flush what bridges have learned."""
    observed = observe(nodes)
    for netns in nodes.lab.nodes():
        channel = nodes.channel(netns)
        batch = [
            Request(message=message, purpose=f"forget a neighbour of {netns}", removes=True)
            for message in _forgettable(channel)
        ]
        for link in observed.state.links:
            if link.netns == netns and link.kind is Kind.BRIDGE:
                message = change_link(observed.indexes[link.id])
                message["attrs"].append(_FLUSH)
                batch.append(Request(message=message, purpose=f"flush {link.id}"))
        channel.change(batch)


_FLUSH = (
    "IFLA_LINKINFO",
    {
        "attrs": [
            ("IFLA_INFO_KIND", "bridge"),
            ("IFLA_INFO_DATA", {"attrs": [("IFLA_BR_FDB_FLUSH", None)]}),
        ]
    },
)


def _forgettable(channel: Channel) -> Iterator[Any]:
    dump = ndmsg()
    dump["header"]["type"] = RTM_GETNEIGH
    for entry in channel.dump(dump):
        address = entry.get_attr("NDA_DST")
        if address is None or entry["state"] & (NUD_PERMANENT | _NUD_NOARP):
            continue
        message = ndmsg()
        message["header"]["type"] = RTM_DELNEIGH
        message["family"], message["ifindex"] = entry["family"], entry["ifindex"]
        message["attrs"] = [("NDA_DST", address)]
        yield message
