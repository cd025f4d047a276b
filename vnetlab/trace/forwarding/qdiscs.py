"""Qdiscs: what they do to a packet that nothing else is sent beside (pure): tc(8)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.objects import Link, Qdisc
from vnetlab.state.shaping import CERTAIN, SECOND_NS
from vnetlab.state.units import show_rate, show_time
from vnetlab.trace.forwarding.frames import Frame, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding

_ETHERNET_BYTES = 14
_HARMLESS = ("clsact", "ingress", "noqueue", "pfifo_fast", "fq_codel", "mq")
_NETEM = {
    "delay_ns": Reason.DELAY,
    "jitter_ns": Reason.DELAY,
    "loss_u32": Reason.LOSS,
    "corruption_u32": Reason.CORRUPTION,
    "duplication_u32": Reason.DUPLICATION,
    "reordering_u32": Reason.REORDERING,
}


def harm(world: World, frame: Frame, link: Link) -> Frame:
    """The frame behind the qdiscs of a link, with what they do to it."""
    for qdisc in sorted(world.index.qdiscs.get(link.id, ()), key=lambda it: it.handle):
        if qdisc.kind == "tbf":
            frame = frame.stopped(*_tbf(link, qdisc, frame.packet))
        elif qdisc.kind == "netem":
            frame = frame.stopped(*_netem(link, qdisc))
        elif qdisc.kind not in _HARMLESS:
            frame = frame.unsure(f"{name_of(link)}: qdisc {qdisc.kind}")
    return frame


def _tbf(link: Link, qdisc: Qdisc, packet: Packet) -> Iterator[Finding]:
    """A frame that is larger than the bucket or the queue never leaves: net/sched/sch_tbf.c."""
    options = dict(qdisc.options)
    frame_bytes = packet.length + _ETHERNET_BYTES
    rate_bit_s = options.get("rate_bit_s", 0)
    shown = f"tc qdisc show: {name_of(link)} has tbf"
    for rate, burst in (("rate_bit_s", "burst_ns"), ("peak_bit_s", "peak_burst_ns")):
        if rate in options and burst in options:
            bucket_bytes = options[rate] // 8 * options[burst] // SECOND_NS
            if frame_bytes > bucket_bytes:
                row = f"{shown} burst {bucket_bytes} bytes, the frame has {frame_bytes}"
                yield finding(Reason.QUEUE_LIMIT, link.id, row, qdisc)
                return
    limit_bytes = options.get("limit_bytes", frame_bytes)
    if frame_bytes > limit_bytes:
        row = f"{shown} limit {limit_bytes} bytes, the frame has {frame_bytes}"
        yield finding(Reason.QUEUE_LIMIT, link.id, row, qdisc)
        return
    row = f"{shown} rate {show_rate(rate_bit_s)}"
    yield finding(Reason.RATE_LIMIT, link.id, row, qdisc, harms=True)


def _netem(link: Link, qdisc: Qdisc) -> Iterator[Finding]:
    shown = f"tc qdisc show: {name_of(link)} has netem"
    options = dict(qdisc.options)
    if options.get("limit_packets") == 0:
        yield finding(Reason.QUEUE_LIMIT, link.id, f"{shown} limit 0", qdisc)
    for name, reason in _NETEM.items():
        value = options.get(name, 0)
        if not value:
            continue
        word, _, unit = name.rpartition("_")
        amount = show_time(value) if unit == "ns" else f"{value / CERTAIN * 100:.6g}%"
        lost = reason is Reason.LOSS and value >= CERTAIN
        yield finding(reason, link.id, f"{shown} {word} {amount}", qdisc, harms=not lost)
