"""Qdiscs: what they do to a packet that nothing else is sent beside (pure): tc(8)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.filter_words import describe_filter
from vnetlab.state.objects import Link, Qdisc
from vnetlab.state.shaping import CERTAIN, ROOT, SECOND_NS
from vnetlab.state.units import show_rate, show_time
from vnetlab.trace.forwarding.frames import Frame, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.tc import act, takes_packet
from vnetlab.trace.forwarding.walk import Finding

_ETHERNET_BYTES = 14
_BAND_OF_BEST_EFFORT = 2  # the second class: priomap of TOS 0, net/sched/sch_prio.c
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
    """The frame behind the qdiscs of a link, with what they do to it, from the root to a leaf."""
    qdiscs = world.index.qdiscs.get(link.id, ())
    qdisc = next((it for it in qdiscs if it.parent == ROOT), None)
    while qdisc is not None:
        handle = qdisc.handle
        match qdisc.kind:
            case "tbf":
                frame = frame.stopped(*_tbf(link, qdisc, frame.packet))
            case "netem":
                frame = frame.stopped(*_netem(link, qdisc))
            case "pfifo" | "bfifo":
                frame = frame.stopped(*_fifo(link, qdisc, frame.packet))
            case "htb" | "prio":
                frame, handle = _in_class(world, frame, link, qdisc)
            case _ if qdisc.kind not in _HARMLESS:
                frame = frame.unsure(f"{name_of(link)}: qdisc {qdisc.kind}")
        qdisc = next((it for it in qdiscs if _is_below(it, handle)), None)
    return frame


def _is_below(qdisc: Qdisc, handle: int) -> bool:
    """In the class with this handle; in the only one of the qdisc with it."""
    if handle & 0xFFFF:
        return qdisc.parent == handle
    return qdisc.parent != ROOT and qdisc.parent >> 16 == handle >> 16 and handle != 0


def _in_class(world: World, frame: Frame, link: Link, qdisc: Qdisc) -> tuple[Frame, int]:
    """The frame in the class that filters choose, and that class; 0 is the queue of no class."""
    frame, handle = _classified(world, frame, link, qdisc)
    classes = {it.handle: it for it in world.index.classes.get(link.id, ())}
    if qdisc.kind == "prio":
        return frame, handle or qdisc.handle | _BAND_OF_BEST_EFFORT
    if handle is None or handle not in classes:
        default = dict(qdisc.options).get("default_class", 0)
        handle = qdisc.handle | default if default else 0
    chosen = classes.get(handle)
    if chosen is None:
        return frame, 0
    rate_bit_s = dict(chosen.options).get("ceil_bit_s", 0)
    row = f"tc class show: {name_of(link)} has htb {_show(handle)} ceil {show_rate(rate_bit_s)}"
    return frame.stopped(finding(Reason.RATE_LIMIT, link.id, row, qdisc, harms=True)), handle


def _classified(world: World, frame: Frame, link: Link, qdisc: Qdisc) -> tuple[Frame, int | None]:
    for item in world.index.filters.get((link.id, qdisc.handle), ()):
        takes = takes_packet(item, frame.packet)
        chosen = dict(item.matches).get("class")
        if takes is None:
            frame = frame.unsure(f"{name_of(link)}: what a filter of {_show(qdisc.handle)} takes")
        if not takes:
            continue
        outcome = act(frame, item, qdisc)
        if outcome.away is not None:
            return frame.unsure(f"{name_of(link)}: {describe_filter(item)} redirects"), None
        frame = outcome.frame
        if outcome.then != "continue":
            return frame, _class(chosen) if chosen is not None else None
    return frame, None


def _class(shown: str) -> int:
    major, _, minor = shown.partition(":")
    return int(major, 16) << 16 | int(minor, 16)


def _show(handle: int) -> str:
    return f"{handle >> 16:x}:{handle & 0xFFFF:x}"


def _fifo(link: Link, qdisc: Qdisc, packet: Packet) -> Iterator[Finding]:
    """A queue that has no room for the frame even when it is empty: net/sched/sch_fifo.c."""
    options = dict(qdisc.options)
    shown = f"tc qdisc show: {name_of(link)} has {qdisc.kind} limit"
    if options.get("limit_packets", 1) == 0:
        yield finding(Reason.QUEUE_LIMIT, link.id, f"{shown} 0", qdisc)
    frame_bytes = packet.length + _ETHERNET_BYTES
    if options.get("limit_bytes", frame_bytes) < frame_bytes:
        row = f"{shown} {options['limit_bytes']} bytes, the frame has {frame_bytes}"
        yield finding(Reason.QUEUE_LIMIT, link.id, row, qdisc)


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
