"""How long each hop took, over all packets of a probe (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from vnetlab.trace.intervals import middle
from vnetlab.trace.path import Hop
from vnetlab.trace.trace import PacketTrace, Trace

_Place: TypeAlias = tuple[bool, int]
"""A hop: on the way there or back, and its index on that path."""


class Spread(Struct, frozen=True, kw_only=True):
    """The least, middle and greatest of some times, in nanoseconds.

    `interval_ns` holds the true median with 95 % confidence; None of fewer than six times.
    """

    min_ns: int
    median_ns: int
    max_ns: int
    interval_ns: tuple[int, int] | None = None


class HopTiming(Struct, frozen=True, kw_only=True):
    """One hop of the path over all packets: how many were seen there, and when.

    `since_start` is counted from a packet's first sighting, `since_previous` from the one before;
    `since_previous` is None at the first hop, both where no packet was seen.
    """

    forward: bool
    hop: Hop
    seen: int
    since_start: Spread | None
    since_previous: Spread | None


def time_hops(trace: Trace) -> tuple[HopTiming, ...]:
    """Time each hop of the expected paths, forward then back."""
    starts: defaultdict[_Place, list[int]] = defaultdict(list)
    gaps: defaultdict[_Place, list[int]] = defaultdict(list)
    for packet in trace.packets:
        for place, since_start_ns, since_previous_ns in _times(packet):
            starts[place].append(since_start_ns)
            if since_previous_ns is not None:
                gaps[place].append(since_previous_ns)
    return tuple(
        HopTiming(
            forward=forward,
            hop=hop,
            seen=len(starts[forward, index]),
            since_start=_spread(starts[forward, index]),
            since_previous=_spread(gaps[forward, index]),
        )
        for forward, path in ((True, trace.forward), (False, trace.back))
        for index, hop in enumerate(path.hops)
    )


def _times(packet: PacketTrace) -> Iterator[tuple[_Place, int, int | None]]:
    """Each step on the path: its place, nanoseconds since the first and since the one before."""
    legs = ((True, packet.forward), (False, packet.back))
    steps = [(forward, step) for forward, leg in legs for step in leg if step.index is not None]
    previous_ns: int | None = None
    for forward, step in steps:
        now_ns = step.sighting.time_ns
        since_previous_ns = None if previous_ns is None else now_ns - previous_ns
        yield (forward, step.index or 0), now_ns - steps[0][1].sighting.time_ns, since_previous_ns
        previous_ns = now_ns


def _spread(times_ns: Sequence[int]) -> Spread | None:
    found = middle(times_ns)
    if found is None:
        return None
    return Spread(
        min_ns=found.times_ns[0],
        median_ns=found.median_ns,
        max_ns=found.times_ns[-1],
        interval_ns=found.interval_ns(),
    )
