"""EFFECT: carriers of links, of which all of the kernel learns at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from vnetlab.kernel.messages import Indexes, look_at
from vnetlab.kernel.netlink import Request
from vnetlab.kernel.nodes import Nodes
from vnetlab.state.objects import LinkId

_AT_ONCE = 20
"""Links to look at with one send: the answers must have room in the socket."""


def tell_of_carriers(nodes: Nodes, links: Iterable[LinkId], indexes: Indexes) -> None:
    """Have the kernel deal with the carriers of some links now.

    How it works: of some links the kernel learns at once, of others, bridges among them, no sooner
    than a second after the last ones (net/core/link_watch.c, linkwatch_urgent_event). A link that
    somebody asks for is dealt with first (rtnl_getlink, linkwatch_sync_dev; since Linux 6.8).
    """
    looks: dict[str, list[Request]] = defaultdict(list)
    for link in links:
        request = Request(message=look_at(indexes[link]), purpose=f"look at {link}", removes=True)
        looks[link.netns].append(request)
    for netns, requests in looks.items():
        for at in range(0, len(requests), _AT_ONCE):
            nodes.channel(netns).change(requests[at : at + _AT_ONCE])
