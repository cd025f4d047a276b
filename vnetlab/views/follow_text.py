"""Packets of real traffic, and the counts of their flows, as text (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from vnetlab.diagnosis.followed import Fate, Flow, FlowName, Summary, Told
from vnetlab.trace.headers import ICMP, ICMPV6, TCP, UDP
from vnetlab.trace.sighting import PacketKind
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.probe_text import clock_for, render_steps, sections_of
from vnetlab.views.terminal import DIM, GREEN, RED, YELLOW, Terminal, hang
from vnetlab.views.verdict_text import remarks, render_causes

_PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
_ECHO = {8: "echo request", 0: "echo reply", 128: "echo request", 129: "echo reply"}
_WORDS = {
    Fate.ARRIVED: ("OK", GREEN),
    Fate.FOR_MANY: ("GROUP", YELLOW),
    Fate.UNANSWERED: ("LOST", RED),
    Fate.REFUSED: ("REFUSED", RED),
    Fate.LOST: ("LOST", RED),
    Fate.UNKNOWN: ("UNKNOWN", YELLOW),
}


def render_told(told: Told, terminal: Terminal) -> str:
    """One packet: what it is, a row per hop, and what became of it."""
    flow = told.flow
    ends = (
        f"{flow.source} ({flow.source_address}) {terminal.arrow} "
        f"{flow.destination} ({flow.destination_address})"
    )
    what = describe_packet(flow)
    if told.headers.protocol in (TCP, UDP):
        ports = f"{told.headers.source_port} {terminal.arrow} {told.headers.destination_port}"
        what = f"{_PROTOCOLS[told.headers.protocol]} {ports}"
    title = f"{ends}: {what}, {told.headers.length} bytes"
    lines = textwrap.wrap(title, terminal.width)
    sections = [(head, steps) for head, steps in sections_of(told.trace) if _is_own(head, told)]
    if told.resolution:
        sections = [("there", list(told.resolution))]
    lines += ["", *render_steps(sections, terminal), "", *_outcome(told, terminal)]
    return "\n".join(lines) + "\n"


def _is_own(heading: str, told: Told) -> bool:
    return heading != "there" or not told.flow.is_answer


def _outcome(told: Told, terminal: Terminal) -> list[str]:
    word, color = _WORDS[told.fate]
    head, *more = hang(word.ljust(6) + " ", _sentence(told, terminal), terminal.width)
    lines = [terminal.paint(word, color) + head.removeprefix(word), *more]
    if told.verdict is not None:
        lines += remarks(told.verdict, terminal)
        lines += render_causes(told.verdict.causes, terminal)
    return lines


def _sentence(told: Told, terminal: Terminal) -> str:
    if told.verdict is not None:
        return told.verdict.summary
    if told.fate is Fate.ARRIVED and told.delay_ns is not None:
        clock = clock_for(told.delay_ns, terminal)
        return f"arrived at {told.flow.destination} after {clock.show(told.delay_ns)} {clock.unit}"
    if told.fate is Fate.FOR_MANY:
        return "sent to many: who should get it, nobody can say"
    return "not seen to arrive, but a tap lost packets meanwhile"


def describe_packet(flow: FlowName) -> str:
    """What its packets are: `tcp`, `icmp echo reply`, `ARP who-has`."""
    if flow.kind is not PacketKind.REQUEST:
        by_arp = flow.destination_address.version == 4
        return f"{'ARP' if by_arp else 'neighbour discovery'} {flow.kind.value}"
    name = _PROTOCOLS.get(flow.protocol, f"IP protocol {flow.protocol}")
    if flow.icmp_type is not None:
        return f"{name} {_ECHO.get(flow.icmp_type, f'type {flow.icmp_type}')}"
    if flow.port == 0:
        return name
    return f"{name} {'from' if flow.is_answer else 'to'} {flow.port}"


def render_summary(summary: Summary, terminal: Terminal) -> str:
    """A line per flow: packets, what became of them, the median delay, the causes found."""
    flows = list(summary.flows.values())
    if not flows:
        return ""
    longest = max((flow.delay_ns or 0 for flow in flows), default=0)
    clock = clock_for(longest, terminal)
    delays = [clock.show(f.delay_ns) if f.delay_ns is not None else "-" for f in flows]
    columns = [
        _column("flow", (_ends(flow.name, terminal) for flow in flows)),
        _column("what", (describe_packet(flow.name) for flow in flows)),
        _column("packets", (str(flow.packets) for flow in flows), right=True),
        _column("lost", (str(flow.bad) for flow in flows), right=True),
        _column(clock.unit, delays, right=True, importance=2),
        _column("cause", (_causes(flow) for flow in flows), importance=1),
    ]
    title, *rows = lay_out(columns, terminal.width)
    shown = [
        terminal.paint(row, RED) if flow.bad else row for flow, row in zip(flows, rows, strict=True)
    ]
    return "\n".join([terminal.paint(title, DIM), *shown, *_doubts(summary, terminal)])


def _ends(flow: FlowName, terminal: Terminal) -> str:
    return f"{flow.source} {terminal.arrow} {flow.destination}"


def _causes(flow: Flow) -> str:
    doubts = [
        f"{flow.fates[fate]} {fate.value}"
        for fate in (Fate.UNANSWERED, Fate.REFUSED, Fate.UNKNOWN)
        if fate in flow.fates
    ]
    return ", ".join([*flow.codes, *doubts])


def _doubts(summary: Summary, terminal: Terminal) -> Iterable[str]:
    if summary.not_counted:
        text = f"{summary.not_counted} packets were too many at once, or of too many flows"
        yield from hang("not counted: ", text, terminal.width)
    if summary.lost_by_tap:
        told = ", ".join(f"{count} in {node}" for node, count in summary.lost_by_tap)
        yield from hang("not seen: ", f"the taps lost packets: {told}", terminal.width)


def _column(
    title: str, cells: Iterable[str], *, right: bool = False, importance: int = 0
) -> Column:
    return Column(title=title, cells=tuple(cells), right=right, importance=importance)
