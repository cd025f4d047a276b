"""A probe's trace and verdict as text (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct

from vnetlab.diagnosis.verdict import Verdict
from vnetlab.state.show import ROLE_WORDS
from vnetlab.trace.path import Hop
from vnetlab.trace.request import Protocol
from vnetlab.trace.segments import Segment
from vnetlab.trace.sighting import PacketKind, Sighting
from vnetlab.trace.timing import HopTiming, Spread, time_hops
from vnetlab.trace.trace import Step, Trace
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.segments import segment_lines
from vnetlab.views.terminal import DIM, GREEN, RED, Terminal, hang
from vnetlab.views.verdict_text import remarks, render_causes

_PROTOCOL_WORDS = {
    Protocol.ICMP: "ICMP echo",
    Protocol.UDP: "UDP",
    Protocol.TCP: "TCP SYN",
    Protocol.ARP: "ARP request",
}
_SOURCE_MAC = "source MAC"
_MANY_NS = 100_000_000


class Clock(Struct, frozen=True, kw_only=True):
    """How the times of one table are shown: all in one unit."""

    unit: str
    unit_ns: int
    digits: int

    def show(self, time_ns: int) -> str:
        """A time in the unit."""
        return f"{time_ns / self.unit_ns:.{self.digits}f}"


def render_probe(
    trace: Trace, verdict: Verdict, terminal: Terminal, segments: Iterable[Segment] = ()
) -> str:
    """What was asked, a row per sighting, then the verdict.

    For several packets, a row per hop, and what the `segments` did to them.
    """
    blocks = ["\n".join(_title(trace, terminal))]
    if len(trace.packets) == 1:
        blocks.append("\n".join(_journey(trace, terminal)))
    else:
        blocks.append("\n".join(_timings(trace, terminal)))
        blocks.append("\n".join(segment_lines(segments, terminal)))
    verdict_text = "\n".join(_verdict(trace, verdict, terminal))
    return "\n\n".join([*(block for block in blocks if block), verdict_text])


def _title(trace: Trace, terminal: Terminal) -> list[str]:
    request, ends = trace.request, trace.request.endpoints
    what = _PROTOCOL_WORDS[request.protocol]
    if request.protocol.has_ports:
        what += f" port {request.port}"
    source = f"{ends.source} ({ends.source_address})"
    destination = f"{ends.destination} ({ends.destination_address})"
    times = f"{request.count} x " if request.count > 1 else ""
    text = f"{source} {terminal.arrow} {destination}: {times}{what}, {request.packet_bytes} bytes"
    return textwrap.wrap(text, terminal.width)


def _journey(trace: Trace, terminal: Terminal) -> list[str]:
    """The sightings of the one packet, and of what it waited for where it got no further."""
    return render_steps(sections_of(trace), terminal)


def render_steps(sections: Sequence[tuple[str, list[Step]]], terminal: Terminal) -> list[str]:
    """A table of sightings, in sections under a heading each."""
    steps = [step for _, part in sections for step in part]
    if not steps:
        return []
    title, *rows = lay_out(_step_columns(steps, terminal), terminal.width)
    if _SOURCE_MAC not in title:
        rows = _with_macs(steps, rows, terminal)
    lines = [terminal.paint(title, DIM)]
    for heading, part in sections:
        if part:
            lines += [heading, *rows[: len(part)]]
            rows = rows[len(part) :]
    return lines


def sections_of(trace: Trace) -> list[tuple[str, list[Step]]]:
    """The steps of a trace's only packet: there, back, and off its path."""
    packet = trace.packets[0]
    target = packet.loss.target if packet.loss else None
    asked = [s for s in trace.resolution if target and s.sighting.target == target]
    return [
        ("there", [step for step in (*packet.forward, *asked) if step.index is not None]),
        ("back", [step for step in packet.back if step.index is not None]),
        ("elsewhere", [step for step in packet.steps if step.index is None]),
    ]


def _with_macs(steps: Sequence[Step], rows: Sequence[str], terminal: Terminal) -> list[str]:
    """The rows, with a line above each whose MAC addresses are not those of the row before."""
    lines = []
    last = None
    for step, row in zip(steps, rows, strict=True):
        macs = (step.sighting.source_mac, step.sighting.destination_mac)
        new = f"  {macs[0]} {terminal.arrow} {macs[1]}"
        lines.append(row if macs == last else f"{terminal.paint(new, DIM)}\n{row}")
        last = macs
    return lines


def _step_columns(steps: Sequence[Step], terminal: Terminal) -> list[Column]:
    seen = [step.sighting for step in steps]
    start_ns = min(sighting.time_ns for sighting in seen)
    clock = clock_for(max(sighting.time_ns for sighting in seen) - start_ns, terminal)
    return [
        _column("#", (str(number) for number, _ in enumerate(steps, 1)), right=True),
        _column(clock.unit, (clock.show(s.time_ns - start_ns) for s in seen), right=True),
        _column(f"+{clock.unit}", _gaps(steps, clock), right=True, importance=2),
        *_place_columns([step.hop for step in steps]),
        _column("VLAN", ("-" if s.vlan is None else str(s.vlan) for s in seen), right=True),
        _column("TTL", ("-" if s.ttl is None else str(s.ttl) for s in seen), right=True),
        _column(_SOURCE_MAC, (s.source_mac for s in seen), importance=1),
        _column("destination MAC", (s.destination_mac for s in seen), importance=1),
        _column("", map(_note, seen)),
    ]


def _gaps(steps: Sequence[Step], clock: Clock) -> Iterator[str]:
    """The time since the hop before, on the path."""
    yield ""
    for before, step in pairwise(steps):
        gap_ns = step.sighting.time_ns - before.sighting.time_ns
        yield "" if step.index is None else clock.show(gap_ns)


def _place_columns(hops: Sequence[Hop]) -> list[Column]:
    return [
        _column("node", (hop.netns for hop in hops)),
        _column("interface", (hop.ifname for hop in hops)),
        _column("what", map(_what, hops), importance=3),
        _column("dir", (hop.direction.value for hop in hops)),
    ]


def _what(hop: Hop) -> str:
    if hop.role:
        return ROLE_WORDS[hop.role]
    return "loopback" if hop.ifname == "lo" else "-"


def _note(sighting: Sighting) -> str:
    if sighting.error:
        return str(sighting.error)
    if sighting.kind in (PacketKind.WHO_HAS, PacketKind.IS_AT):
        return f"{sighting.kind.value} {sighting.target}"
    return "TCP reset" if sighting.kind is PacketKind.RESET else ""


def _timings(trace: Trace, terminal: Terminal) -> list[str]:
    """How long each hop took over all packets."""
    timings = time_hops(trace)
    if not timings:
        return []
    title, *rows = lay_out(_timing_columns(trace, timings, terminal), terminal.width)
    there = sum(timing.forward for timing in timings)
    return [terminal.paint(title, DIM), "there", *rows[:there], "back", *rows[there:]]


def _timing_columns(trace: Trace, timings: Sequence[HopTiming], terminal: Terminal) -> list[Column]:
    gaps = [timing.since_previous for timing in timings]
    starts = [timing.since_start for timing in timings]
    clock = clock_for(max((start.max_ns for start in starts if start), default=0), terminal)
    total = len(trace.packets)
    return [
        _column("#", (str(number) for number, _ in enumerate(timings, 1)), right=True),
        _column(clock.unit, (_median(s, clock) for s in starts), right=True, importance=2),
        _column("+min", (clock.show(g.min_ns) if g else "" for g in gaps), right=True),
        _column("+median", (_median(g, clock) for g in gaps), right=True),
        _column("+max", (clock.show(g.max_ns) if g else "" for g in gaps), right=True),
        _column("95 %", (_interval(g, clock) for g in gaps), right=True, importance=1),
        *_place_columns([timing.hop for timing in timings]),
        _column("seen", (f"{timing.seen}/{total}" for timing in timings), right=True),
    ]


def _interval(spread: Spread | None, clock: Clock) -> str:
    """What holds the true median."""
    if spread is None or spread.interval_ns is None:
        return ""
    return "-".join(map(clock.show, spread.interval_ns))


def _median(spread: Spread | None, clock: Clock) -> str:
    return clock.show(spread.median_ns) if spread else ""


def _verdict(trace: Trace, verdict: Verdict, terminal: Terminal) -> list[str]:
    word = _word(trace, verdict)
    head, *more = hang(word.ljust(6), verdict.summary, terminal.width)
    color = GREEN if verdict.healthy else RED
    lines = [terminal.paint(word, color) + head.removeprefix(word), *more]
    facts = [("round trip", _round_trip(trace, terminal))]
    if not verdict.healthy and not verdict.causes:
        facts += [
            ("layer", verdict.layer.value if verdict.layer else "unknown"),
            ("object", verdict.object),
            ("cause", verdict.cause or ""),
        ]
    facts += [("evidence", f"{item.text} ({item.source.value})") for item in verdict.evidence]
    for name, fact in facts:
        if fact:
            lines += hang(f"      {name}: ", fact, terminal.width)
    return [*lines, *remarks(verdict, terminal), *render_causes(verdict.causes, terminal)]


def _word(trace: Trace, verdict: Verdict) -> str:
    if verdict.healthy:
        return "OK"
    if trace.replied == len(trace.packets):
        return "FAULT"
    return "LOST" if _any_lost(trace) else "REFUSED"


def _any_lost(trace: Trace) -> bool:
    return any(packet.loss for packet in trace.packets)


def _round_trip(trace: Trace, terminal: Terminal) -> str:
    times_ns = [p.round_trip_ns for p in trace.packets if p.round_trip_ns is not None]
    if not times_ns:
        return ""
    clock = clock_for(max(times_ns), terminal)
    if len(trace.packets) == 1:
        return f"{clock.show(times_ns[0])} {clock.unit}"
    least, middle, most = map(clock.show, (min(times_ns), round(median(times_ns)), max(times_ns)))
    return f"min {least}, median {middle}, max {most} {clock.unit}"


def clock_for(longest_ns: int, terminal: Terminal) -> Clock:
    """Microseconds, unless they get too long to read."""
    if longest_ns >= _MANY_NS:
        return Clock(unit="ms", unit_ns=1_000_000, digits=3)
    return Clock(unit="µs" if terminal.unicode else "us", unit_ns=1000, digits=1)


def _column(
    title: str, cells: Iterable[str], *, right: bool = False, importance: int = 0
) -> Column:
    return Column(title=title, cells=tuple(cells), right=right, importance=importance)
