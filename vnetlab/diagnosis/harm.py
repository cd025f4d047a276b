"""What delays, damages or loses some of the packets: which of it the probe really met (pure).

The model tells what *may* happen at a hop (a queueing discipline that loses 10 %). Whether it did
is measured: how many packets were seen before the hop and not behind it, and how long they took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from msgspec import Struct

from vnetlab.state.objects import Qdisc
from vnetlab.trace.forwarding.packet import Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep
from vnetlab.trace.path import Passage
from vnetlab.trace.sighting import Direction, PacketKind
from vnetlab.trace.trace import Step, Trace

_NOTICED = 0.5
"""A delay that is configured counts as met when at least this share of it was measured."""
_SLOW_NS = 1_000_000
"""What an idle hop takes at most, with a wide margin: a few microseconds are usual."""
_BITS = 8
_LOSES_NOTHING = (Reason.DELAY, Reason.REORDERING, Reason.DUPLICATION)


class _Hop(Struct, frozen=True, kw_only=True):
    """A place in a walk, and what the packets of the probe did there.

    `gaps_ns` is how long each packet took from the passage before it to the one behind, `reached`
    and `lost` how many came and did not go on, `copies` how many were seen twice behind it.
    """

    gaps_ns: tuple[int, ...]
    reached: int
    lost: int
    copies: int


def measured_harms(trace: Trace, walks: Sequence[Walk]) -> Iterator[tuple[Finding, str]]:
    """Yield each harm of the walks that the packets of the probe met, with what shows it."""
    for finding, hop in _measured(trace, walks):
        if text := _met(finding, hop, trace):
            yield finding, text


def losing_harms(trace: Trace, walks: Sequence[Walk]) -> Iterator[tuple[Finding, str]]:
    """Yield each harm at whose hop packets were lost, or behind which if it damages them."""
    for finding, hop in _measured(trace, walks):
        if finding.reason in _LOSES_NOTHING:
            continue
        if finding.reason is Reason.CORRUPTION:
            text = _met(finding, hop, trace)
        else:
            text = _lost(f"{finding.netns}.{finding.link}", hop)
        if text:
            yield finding, text
    for walk in walks:
        for number, step in enumerate(walk.steps):
            if step.finding and step.finding.harms:
                text = _questions_lost(trace, walk, number)
                if text:
                    yield step.finding, text


def _questions_lost(trace: Trace, walk: Walk, at: int) -> str:
    """How many questions of neighbour resolution, or answers, ended at a step, if any did.

    A node asks once a second, and what it cannot send meanwhile is lost without being seen here.
    """
    step = walk.steps[at]
    if step.packet.payload is Payload.IP:
        return ""
    before, behind = _passages(walk, at, step.packet.payload)
    seen = [
        (s.netns, s.ifname, s.direction)
        for s in trace.observation.sightings
        if s.kind.value == step.packet.payload.value
    ]
    came, went = seen.count(before) if before else 0, seen.count(behind) if behind else 0
    if went >= came:
        return ""
    kind = step.packet.payload.value
    return f"{step.netns}.{step.link}: {came - went} of {came} {kind} ended here"


def _measured(trace: Trace, walks: Sequence[Walk]) -> Iterator[tuple[Finding, _Hop]]:
    for number, walk in enumerate(walks):
        for step in walk.steps:
            if step.finding and step.finding.harms:
                place = _of_packet(walk, step)
                if place is not None:
                    yield step.finding, _measure(trace, walk, place, back=number > 0)


def _of_packet(walk: Walk, step: WalkStep) -> int | None:
    """Where the packet passes the row of a step, which may be one of neighbour resolution."""
    row = step.finding.row if step.finding else step.row
    for number, other in enumerate(walk.steps):
        same = other is step or (other.netns, other.link, other.row) == (step.netns, step.link, row)
        own = walk.packet.payload
        if same and own is other.packet.payload is (other.within or own):
            return number
    return None


def _met(finding: Finding, hop: _Hop, trace: Trace) -> str:
    """What shows that a harm was met, nothing where it was not."""
    where = f"{finding.netns}.{finding.link}"
    options = dict(finding.item.options) if isinstance(finding.item, Qdisc) else {}
    match finding.reason:
        case Reason.DELAY | Reason.REORDERING:
            wanted = options.get("delay_ns", 0)
            middle = median(hop.gaps_ns) if hop.gaps_ns else 0
            if middle >= max(wanted * _NOTICED, _SLOW_NS):
                return f"{where}: {_ms(middle)} median from hop to hop, configured {_ms(wanted)}"
        case Reason.RATE_LIMIT:
            longest = max(hop.gaps_ns, default=0)
            if longest >= max(_sending_ns(options, trace) * _NOTICED, _SLOW_NS):
                return f"{where}: up to {_ms(longest)} from hop to hop"
        case Reason.DUPLICATION:
            if hop.copies:
                return f"{where}: {hop.copies} of {hop.reached} packets were seen twice behind it"
        case Reason.CORRUPTION:
            lost = sum(1 for packet in trace.packets if packet.round_trip_ns is None)
            if lost:
                return f"{where}: {lost} of {len(trace.packets)} packets were damaged or lost"
        case _:
            return _lost(where, hop)
    return ""


def _lost(where: str, hop: _Hop) -> str:
    return f"{where}: {hop.lost} of {hop.reached} packets ended here" if hop.lost else ""


def _sending_ns(options: dict[str, int], trace: Trace) -> float:
    """How long a packet takes at the configured rate."""
    rate = options.get("rate_bit_s", 0)
    return trace.request.packet_bytes * _BITS * 1e9 / rate if rate else 0


def _ms(time_ns: float) -> str:
    return f"{time_ns / 1e6:.3g} ms"


def _measure(trace: Trace, walk: Walk, at: int, *, back: bool) -> _Hop:
    before, behind = _passages(walk, at)
    gaps: list[int] = []
    reached = lost = copies = 0
    for packet in trace.packets:
        steps = packet.back if back else packet.forward
        came = _times(steps, before, back=back)
        went = _times(steps, behind, back=back)
        if before is None:  # at the very start: what was sent was there
            came = [packet.sequence] if packet.steps or packet.loss else []
        elif came and went and went[0] >= came[0]:
            gaps.append(went[0] - came[0])
        reached += bool(came)
        lost += bool(came and not went)
        copies += len(went) > 1
    return _Hop(
        gaps_ns=tuple(gaps),
        reached=reached,
        lost=lost,
        copies=copies,
    )


def _passages(
    walk: Walk, at: int, payload: Payload = Payload.IP
) -> tuple[Passage | None, Passage | None]:
    """The passages of the packet around a step, or of a question or answer about a neighbour."""
    step = walk.steps[at]
    own_goes_out = step.passage is not None and step.direction is Direction.OUT
    split = at if own_goes_out else at + 1
    before = [s for s in walk.steps[:split] if s.passage and s.packet.payload is payload]
    behind = [s for s in walk.steps[split:] if s.passage and s.packet.payload is payload]
    return (before[-1].passage if before else None), (behind[0].passage if behind else None)


def _times(steps: Sequence[Step], passage: Passage | None, *, back: bool) -> list[int]:
    kinds = (PacketKind.REPLY, PacketKind.RESET) if back else (PacketKind.REQUEST,)
    return [
        step.sighting.time_ns
        for step in steps
        if step.hop.passage == passage and step.sighting.kind in kinds
    ]
