"""What each hop did to the packets of a probe, and whether that is what is configured (pure).

How it works
------------
A segment is the way from one hop of the path to the next. What a link's qdiscs do shows at the hop
where the packet goes OUT of it, since a tap sees it behind them (tc-netem(8), tc-tbf(8)).

Loss and duplication are counted over the packets that were seen once at the hop before. A packet
is damaged where it has other bytes than at the hop before, but for what routers and NAT change; one
whose marker is damaged, or whose checksum tells, is not taken for the packet, and counts as lost:
as damaged, where the link is to damage packets and to lose none. A packet is late, and the order
changed, where one that came after it went before it (RFC 4737). netem's reordering is another
thing: the share of packets that it sends at once, past its delay; those are counted as `early`.

A measured value agrees with what is configured if an interval of 99.9 % around it holds that; of
times a tolerance of 5 % or 100 us is added. What is not configured must not happen at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import Qdisc
from vnetlab.state.shaping import CERTAIN, SECOND_NS
from vnetlab.trace.intervals import JUDGED, Middle, Share, middle
from vnetlab.trace.path import Hop
from vnetlab.trace.payload import essence, untagged
from vnetlab.trace.sighting import Direction, PacketKind, Sighting
from vnetlab.trace.trace import PacketTrace, Trace

_TOLERANCE = 0.05
_TOLERANCE_NS = 100_000
_BACK = (PacketKind.REPLY, PacketKind.RESET)


class Quantity(Enum):
    """What a segment can do to packets."""

    DELAY = "delay"
    LOSS = "loss"
    DUPLICATION = "duplication"
    CORRUPTION = "corruption"
    REORDERING = "reordering"


class Settings(Struct, frozen=True, kw_only=True):
    """What the qdiscs of a link are to do to what leaves it: netem's values, shares from 0 to 1."""

    delay_ns: int = 0
    jitter_ns: int = 0
    rate_bit_s: int = 0
    loss: float = 0
    duplication: float = 0
    corruption: float = 0
    reordering: float = 0


class Segment(Struct, frozen=True, kw_only=True):
    """The way to a hop from the one before it.

    `delay` is None where no packet was seen at both. `reordering` counts the late packets; `early`
    those that netem sent at once, None where it is not to reorder. `agrees` says for each quantity
    that is configured or was met whether both are the same.
    """

    forward: bool
    hop: Hop
    delay: Middle | None
    loss: Share
    duplication: Share
    corruption: Share
    reordering: Share
    early: Share | None
    configured: Settings
    agrees: tuple[tuple[Quantity, bool], ...]


def measure_segments(trace: Trace, configured: Iterable[Qdisc]) -> tuple[Segment, ...]:
    """Measure the segments of the expected paths, there and then back, as far as packets came."""
    qdiscs = tuple(configured)
    hops = [(True, hop) for hop in trace.forward.hops] + [(False, hop) for hop in trace.back.hops]
    seen = [[_seen(packet, forward, hop) for packet in trace.packets] for forward, hop in hops]
    return tuple(
        _segment(*hops[at], seen[at - 1], seen[at], _settings(qdiscs, hops[at][1]))
        for at in range(1, len(hops))
        if any(seen[at - 1])
    )


def _seen(packet: PacketTrace, forward: bool, hop: Hop) -> list[Sighting]:  # a pair
    steps, kinds = (packet.forward, (PacketKind.REQUEST,)) if forward else (packet.back, _BACK)
    return [
        step.sighting
        for step in steps
        if step.hop.passage == hop.passage and step.sighting.kind in kinds
    ]


def _settings(qdiscs: Iterable[Qdisc], hop: Hop) -> Settings:
    options: dict[str, int] = {}
    if hop.direction is Direction.OUT:
        for qdisc in qdiscs:
            if (qdisc.netns, qdisc.link) == (hop.netns, hop.ifname):
                options |= dict(qdisc.options)
    share = {name: options.get(f"{name}_u32", 0) / CERTAIN for name in _SHARES}
    times = {name: options.get(name, 0) for name in ("delay_ns", "jitter_ns", "rate_bit_s")}
    return Settings(**times, **share)  # type: ignore[arg-type] # the names are its own


_SHARES = ("loss", "duplication", "corruption", "reordering")


def _segment(
    forward: bool,  # a pair
    hop: Hop,
    before: Sequence[list[Sighting]],
    here: Sequence[list[Sighting]],
    configured: Settings,
) -> Segment:
    single = [went for came, went in zip(before, here, strict=True) if len(came) == 1]
    pairs = [(came[0], went[0]) for came, went in zip(before, here, strict=True) if came and went]
    gaps = [went.time_ns - came.time_ns for came, went in pairs]
    early = sum(gap < (configured.delay_ns - configured.jitter_ns) / 2 for gap in gaps)
    reorders = configured.reordering > 0
    waited = [gap for gap in gaps if gap >= configured.delay_ns / 2] if reorders else gaps
    same = [it for it in pairs if it[0].kind is it[1].kind]
    lost = sum(not it for it in single)
    unseen = lost if configured.corruption and not configured.loss else 0
    damaged = sum(_damaged(*it) for it in same)
    found = Segment(
        forward=forward,
        hop=hop,
        delay=middle(waited),
        loss=Share(count=lost - unseen, total=len(single)),
        duplication=Share(count=sum(len(it) > 1 for it in single), total=len(single)),
        corruption=Share(count=damaged + unseen, total=len(same) + unseen),
        reordering=Share(count=_late(pairs), total=len(pairs)),
        early=Share(count=early, total=len(gaps)) if reorders else None,
        configured=configured,
        agrees=(),
    )
    return _judged(found)


def _judged(found: Segment) -> Segment:
    return replace(found, agrees=tuple(_agreements(found)))


def _late(pairs: Iterable[tuple[Sighting, Sighting]]) -> int:
    """How many went after one that had come after them."""
    late = latest_ns = 0
    for came, _ in sorted(pairs, key=lambda pair: pair[1].time_ns):
        late += came.time_ns < latest_ns
        latest_ns = max(latest_ns, came.time_ns)
    return late


def _damaged(came: Sighting, went: Sighting) -> bool:
    """Other bytes: anywhere, but what a router and NAT there may change if the TTL is another."""
    if came.ttl == went.ttl:
        return untagged(came.frame) != untagged(went.frame)
    before, behind = essence(came.frame), essence(went.frame)
    return before is not None and behind is not None and before != behind


def _agreements(found: Segment) -> Iterator[tuple[Quantity, bool]]:
    """Netem decides on duplication first, and a copy makes up for a loss: net/sched/sch_netem.c."""
    asked = found.configured
    if found.delay is not None and (asked.delay_ns or asked.rate_bit_s):
        yield Quantity.DELAY, _delay_agrees(found.delay, asked)
    lost = asked.loss * (1 - asked.duplication)
    if asked.loss or found.loss.count:
        low, high = found.loss.interval(JUDGED)
        met = asked.loss or asked.corruption
        yield Quantity.LOSS, bool(met) and low <= lost + asked.corruption and lost <= high
    if asked.duplication or found.duplication.count:
        wanted = asked.duplication * (1 - asked.loss)
        yield Quantity.DUPLICATION, _holds(found.duplication, wanted)
    if asked.corruption or found.corruption.count:
        low, _ = found.corruption.interval(JUDGED)
        unseen = found.corruption.count + found.loss.count
        _, high = Share(count=unseen, total=found.loss.total).interval(JUDGED)
        yield Quantity.CORRUPTION, asked.corruption > 0 and low <= asked.corruption <= high
    if found.early is not None:
        yield Quantity.REORDERING, _holds(found.early, asked.reordering)
    elif found.reordering.count:
        yield Quantity.REORDERING, asked.jitter_ns > 0


def _holds(share: Share, probability: float) -> bool:
    low, high = share.interval(JUDGED)
    return probability > 0 and low <= probability <= high


def _delay_agrees(delay: Middle, asked: Settings) -> bool:
    """With jitter the delay is spread evenly around the middle; a rate adds a packet's length."""
    low_ns, high_ns = delay.interval_ns(JUDGED) or (delay.times_ns[0], delay.times_ns[-1])
    around_ns = max(asked.delay_ns * _TOLERANCE, _TOLERANCE_NS)
    sending_ns = 1514 * 8 * SECOND_NS / asked.rate_bit_s if asked.rate_bit_s else 0
    return (
        low_ns <= asked.delay_ns + around_ns + sending_ns and high_ns >= asked.delay_ns - around_ns
    )
