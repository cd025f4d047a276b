"""EFFECT: what waits in the qdiscs of a link at this moment."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from vnetlab.diagnosis.queues import Backlog
from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.netlink import Channel

_RTM_GETQDISC = 38
_TCMSG = struct.Struct("=BxxxiIII")  # family, link's index, handle, parent, info
_TCA_KIND, _TCA_STATS2, _STATS_QUEUE = 1, 7, 3
_QUEUE = struct.Struct("=3I")  # struct gnet_stats_queue: packets, bytes, drops, and more


def read_backlogs(channel: Channel, index: int) -> Iterator[Backlog]:
    """Yield that of each qdisc of the link with this index, in the namespace of the channel.

    Raises KernelRefusedError if the kernel refuses the dump.
    """
    for reply in channel.dump_bodies(_RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0)):
        _, its_index, handle, _, _ = _TCMSG.unpack_from(reply)
        found = dict(attributes(reply[_TCMSG.size :]))
        queue = dict(attributes(found.get(_TCA_STATS2, b""))).get(_STATS_QUEUE)
        if its_index == index and queue is not None:
            packets, held_bytes, drops = _QUEUE.unpack_from(queue)
            kind = found[_TCA_KIND].rstrip(b"\0").decode()
            yield Backlog(kind=kind, handle=handle, bytes=held_bytes, packets=packets, drops=drops)
