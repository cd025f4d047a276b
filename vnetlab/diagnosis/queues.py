"""Queues that packets of a probe waited in, and who fills them (pure).

A packet that takes longer to leave a link than its qdiscs are to hold it has waited behind others;
one that does not leave it may have found the queue full. Whose the others are shows at the tap of
that link, which sees what the queue lets go: of a full queue that is what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.diagnosis.verdict import Evidence, FlowShare, Queue, Source, Verdict
from vnetlab.state.objects import LinkId, Qdisc, State
from vnetlab.state.shaping import SECOND_NS
from vnetlab.state.units import show_rate
from vnetlab.trace.request import IpAddress
from vnetlab.trace.segments import Segment

_LONG_NS = 1_000_000
_FRAME_BITS = 1514 * 8
_UNQUEUED = ("noqueue", "clsact", "ingress")
_MOST_FLOWS = 3
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


class Backlog(Struct, frozen=True, kw_only=True):
    """What a qdisc held at one moment, and how many packets it had dropped till then."""

    kind: str
    handle: int
    bytes: int
    packets: int
    drops: int


class Flow(Struct, frozen=True, kw_only=True):
    """Whose packets: addresses, the number of the transport protocol, the lower of its ports."""

    source: IpAddress | str
    destination: IpAddress | str
    protocol: int | None = None
    port: int | None = None


def suspected_links(segments: Iterable[Segment], state: State) -> tuple[LinkId, ...]:
    """The links whose queue packets may have waited in, or were dropped by.

    `segments` are measured against the qdiscs of `state`.
    """
    queued = {(it.netns, it.link) for it in state.qdiscs if it.kind not in _UNQUEUED}
    return tuple(
        dict.fromkeys(
            it.hop.link_id
            for it in segments
            if (it.hop.netns, it.hop.ifname) in queued and (it.loss.count or _is_late(it))
        )
    )


def _is_late(segment: Segment) -> bool:
    asked = segment.configured
    sending_ns = _FRAME_BITS * SECOND_NS // asked.rate_bit_s if asked.rate_bit_s else 0
    usual_ns = asked.delay_ns + asked.jitter_ns + sending_ns
    return segment.delay is not None and segment.delay.times_ns[-1] > usual_ns + _LONG_NS


def is_filled(backlogs: Iterable[Backlog], qdiscs: Iterable[Qdisc]) -> bool:
    """Whether packets wait for others; netem holds every packet for a while, and none for others.

    Unless it holds as many as it may.
    """
    limits = {it.handle: dict(it.options).get("limit_packets", 0) for it in qdiscs}
    return any(
        it.packets and (it.kind != "netem" or it.packets >= limits.get(it.handle, 0))
        for it in backlogs
    )


def find_queue(
    state: State, link: LinkId, seen: Sequence[Sequence[Backlog]], flows: dict[Flow, int]
) -> Queue | None:
    """The fullest queue of a link in several looks, and who fills it; None if all are empty."""
    qdiscs = [it for it in state.qdiscs if (it.netns, it.link) == (link.netns, link.name)]
    filled = [it for look in seen for it in look if is_filled([it], qdiscs)]
    if not filled:
        return None
    most = max(filled, key=lambda it: it.bytes)
    drops = [it.drops for look in seen for it in look if it.handle == most.handle]
    rate_bit_s = max((dict(it.options).get("rate_bit_s", 0) for it in qdiscs), default=0)
    label = next((it.label for it in state.links if it.id == link and it.label), str(link))
    return Queue(
        netns=link.netns,
        link=link.name,
        label=label,
        kind=f"{most.kind} {show_rate(rate_bit_s)}" if rate_bit_s else most.kind,
        backlog_bytes=most.bytes,
        backlog_packets=most.packets,
        wait_ns=most.bytes * 8 * SECOND_NS // rate_bit_s if rate_bit_s else None,
        drops=max(drops) - min(drops),
        flows=tuple(_shares(state, flows))[:_MOST_FLOWS],
    )


def with_queues(verdict: Verdict, queues: Iterable[Queue]) -> Verdict:
    """The verdict, with the queues that packets waited in and who fills them; no cause is added."""
    found = tuple(queues)
    if not found:
        return verdict
    said = (Evidence(source=Source.COUNTED, text=queue.words) for queue in found)
    filler = next(
        (
            f" {it.flows[0].flow} fills it ({it.flows[0].share:.0%} of its bytes)."
            for it in found
            if it.flows
        ),
        "",
    )
    summary = f"{verdict.summary} A queue is in its way, at {found[0].label}.{filler}"
    return replace(verdict, summary=summary, evidence=(*verdict.evidence, *said), queues=found)


def _shares(state: State, flows: dict[Flow, int]) -> Iterator[FlowShare]:
    names = {str(it.interface.ip): it.netns for it in state.addresses}
    total = sum(flows.values())
    for flow, size in sorted(flows.items(), key=lambda item: -item[1]):
        ends = [names.get(str(it), str(it)) for it in (flow.source, flow.destination)]
        protocol = _PROTOCOLS.get(flow.protocol or 0, flow.protocol)
        what = "" if protocol is None else f" {protocol}"
        port = f"/{flow.port}" if flow.port is not None else ""
        yield FlowShare(flow=f"{ends[0]} -> {ends[1]}{what}{port}", bytes=size, share=size / total)
