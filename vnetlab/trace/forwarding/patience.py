"""How long a probe has to listen before silence says that a packet is lost (pure).

How it works
------------
The qdiscs on the way say how long a packet may take: what they delay it by, and how long their
queue lasts at their rate if it is full. A probe listens for a second more than that without
anything new to see, since a machine may be busy.

Where the model says that the packet is stopped, and the packet has been seen at the last passage
before that place, and at none behind it, the taps and the model agree, and a short silence is
enough. Seen anywhere else, it waits like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vnetlab.state.objects import LinkId, Qdisc
from vnetlab.state.shaping import SECOND_NS
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep, steps_around
from vnetlab.trace.patience import Patience, Place, Stop
from vnetlab.trace.sighting import Direction, PacketKind

_BUSY_NS = 1_000_000_000
_FORETOLD_NS = 200_000_000
_LONGEST_NS = 10_000_000_000
"""More is not waited for: a slow qdisc with a long queue could hold a packet for minutes."""
_PACKETS = 1000  # a veth's tx_queue_len, include/net/sch_generic.h: what a fifo without limit holds
_FRAME_BITS = 1514 * 8


def patience_for(tables: Tables, forward: Walk, back: Walk | None) -> Patience:
    """How long to listen for a packet and its answer on the ways that the model walked."""
    walks = (forward, back) if back else (forward,)
    way_ns = min(_longest_way_ns(tables, walks), _LONGEST_NS)
    return Patience(
        timeout_ns=_BUSY_NS + way_ns, way_ns=way_ns, stop=_stop(walks, _FORETOLD_NS + way_ns)
    )


def _longest_way_ns(tables: Tables, walks: Iterable[Walk]) -> int:
    """How long the qdiscs may hold a packet on these walks, neighbour resolution included."""
    return sum(
        _held_ns(tables, LinkId(netns=step.netns, name=step.link))
        for walk in walks
        for step in walk.steps
        if step.link is not None and step.direction is Direction.OUT
    )


def _held_ns(tables: Tables, link: LinkId) -> int:
    place = (link.netns, link.name)
    qdiscs = [it for it in tables.state.qdiscs if (it.netns, it.link) == place]
    classes = [it for it in tables.classes if (it.netns, it.link) == place]
    rates = [dict(it.options).get("ceil_bit_s", 0) for it in classes]
    held_ns = sum(map(_qdisc_ns, qdiscs))
    slowest = min((rate for rate in rates if rate), default=0)
    return held_ns + (_PACKETS * _FRAME_BITS * SECOND_NS // slowest if slowest else 0)


def _qdisc_ns(qdisc: Qdisc) -> int:
    options = dict(qdisc.options)
    held_ns = options.get("delay_ns", 0) + options.get("jitter_ns", 0)
    if rate_bit_s := options.get("rate_bit_s", 0):
        held_ns += options.get("limit_bytes", 0) * 8 * SECOND_NS // rate_bit_s
    return held_ns


def _stop(walks: Sequence[Walk], timeout_ns: int) -> Stop | None:
    """Where the packet is stopped first, if it is."""
    first = next((finding for walk in walks for finding in walk.stops), None)
    return None if first is None else _stop_at(walks, first, timeout_ns)


def _stop_at(walks: Sequence[Walk], finding: Finding, timeout_ns: int) -> Stop:
    before, behind = steps_around(walks, finding)
    returning = {id(step) for step in walks[1].steps} if len(walks) > 1 else set()

    def place(step: WalkStep) -> Place:
        kind = PacketKind.REPLY if id(step) in returning else PacketKind.REQUEST
        if walks[0].packet.is_ip and not step.packet.is_ip:
            kind = PacketKind(step.packet.payload.value)
        return (step.netns, step.link or "", step.direction or Direction.OUT, kind)

    return Stop(
        last=place(before[-1]) if before else None,
        behind=frozenset(map(place, behind)),
        timeout_ns=timeout_ns,
    )
