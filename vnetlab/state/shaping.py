"""Qdiscs that do to what leaves a link what a direction of its cable does (pure).

netem delays, loses, corrupts, duplicates and reorders at the root, tbf below it limits the rate, so
that a queue builds up where it does on a real link and its limit is in bytes::

    root ── 1: netem (delay, loss...) ── 2: tbf (rate, bucket, queue)

With only one of them, it is the root: a packet need not pass a netem that does nothing, nor has the
kernel to have netem for a lab with nothing but rates. The first or the last property of netem
therefore makes the rate's tbf anew, in this direction of this cable, and what waits in its queue is
lost. A netem always at the root would keep it.

tbf keeps times in ticks of 64 ns (include/net/pkt_sched.h, PSCHED_SHIFT), so what we ask for is
rounded to those: what is read back then equals what was asked for.
"""

from __future__ import annotations

from msgspec.structs import replace

from vnetlab.state.objects import LinkId, Qdisc
from vnetlab.topology.cables import Shaping
from vnetlab.topology.limits import Limit

ROOT = 0xFFFFFFFF  # TC_H_ROOT
TICK_NS = 64
SECOND_NS = 1_000_000_000
CERTAIN = 0xFFFF_FFFF
"""The probability 1 of netem: its shares are u32."""

NETEM_HANDLE = 0x1_0000
TBF_HANDLE = 0x2_0000

_PPM = 1_000_000
_BUCKET_NS = 1_000_000  # what a NIC may send back to back; two timer ticks of a HZ=1000 kernel fit
_BUCKET_BYTES = 16 * 1024  # never less than some full-size packets
_QUEUE_NS = 50_000_000  # a switch port's buffer: what is sent in 50 ms
_QUEUE_BYTES = 128 * 1024
_LARGEST_LIMIT_BYTES = 0xFFFF_FFFF
_NETEM_LIMIT_PACKETS = 100_000  # packets on the way: the link's own queue is tbf's


def shape(link: LinkId, shaping: Shaping) -> tuple[Qdisc, ...]:
    """Return the qdiscs that shape what leaves `link`, root first; none where nothing is asked."""
    qdiscs: list[Qdisc] = []
    if replace(shaping, rate_bit_s=None, burst_bytes=None, queue_bytes=None) != Shaping():
        qdiscs.append(_qdisc(link, "netem", NETEM_HANDLE, ROOT, _netem(shaping)))
    if shaping.rate_bit_s is not None:
        parent = NETEM_HANDLE | 1 if qdiscs else ROOT
        qdiscs.append(_qdisc(link, "tbf", TBF_HANDLE, parent, _tbf(shaping, shaping.rate_bit_s)))
    return tuple(qdiscs)


def limit(link: LinkId, allowed: Limit) -> Qdisc:
    """Return the qdisc that lets leave `link` no more than is allowed."""
    shaping = Shaping(rate_bit_s=allowed.average_bit_s, burst_bytes=allowed.burst_bytes)
    options = _tbf(shaping, allowed.average_bit_s)
    if allowed.peak_bit_s is not None:
        peak_bytes_s, burst_ns = rate_and_burst(allowed.peak_bit_s)
        options |= {"peak_bit_s": peak_bytes_s * 8, "peak_burst_ns": burst_ns}
    return _qdisc(link, "tbf", TBF_HANDLE, ROOT, options)


def _qdisc(link: LinkId, kind: str, handle: int, parent: int, options: dict[str, int]) -> Qdisc:
    return Qdisc(
        netns=link.netns,
        link=link.name,
        kind=kind,
        handle=handle,
        parent=parent,
        options=tuple(sorted(options.items())),
    )


def _netem(shaping: Shaping) -> dict[str, int]:
    """Options of netem, without those that are zero; one that reorders has a gap of 1."""
    found = {
        "jitter_ns": shaping.jitter_ns,
        "loss_u32": _probability(shaping.loss_ppm),
        "corruption_u32": _probability(shaping.corruption_ppm),
        "duplication_u32": _probability(shaping.duplication_ppm),
        "reordering_u32": _probability(shaping.reordering_ppm),
        "reordering_gap_packets": int(bool(shaping.reordering_ppm)),
    }
    always = {"delay_ns": shaping.delay_ns, "limit_packets": _NETEM_LIMIT_PACKETS}
    return always | {name: value for name, value in found.items() if value}


def _tbf(shaping: Shaping, rate_bit_s: int) -> dict[str, int]:
    rate_bytes_s, burst_ns = rate_and_burst(rate_bit_s, shaping.burst_bytes)
    queue_bytes = shaping.queue_bytes
    if queue_bytes is None:
        queue_bytes = max(_QUEUE_BYTES, rate_bytes_s * _QUEUE_NS // SECOND_NS)
    bucket_bytes = bucket(rate_bytes_s, burst_ns)
    return {
        "rate_bit_s": rate_bytes_s * 8,
        "burst_ns": burst_ns,
        "limit_bytes": min(bucket_bytes + queue_bytes, _LARGEST_LIMIT_BYTES),
    }


def rate_and_burst(rate_bit_s: int, burst_bytes: int | None = None) -> tuple[int, int]:
    """A rate in whole bytes a second, and how long a burst lasts at it; by default a good one."""
    rate_bytes_s = max(rate_bit_s // 8, 1)
    if burst_bytes is None:
        return rate_bytes_s, _ticks(max(_BUCKET_NS, _BUCKET_BYTES * SECOND_NS // rate_bytes_s))
    return rate_bytes_s, _ticks(-(-burst_bytes * SECOND_NS // rate_bytes_s))


def bucket(rate_bytes_s: int, burst_ns: int) -> int:
    """How many bytes the rate sends in the duration of a burst."""
    return rate_bytes_s * burst_ns // SECOND_NS


def _probability(ppm: int) -> int:
    """A share as the kernel has it: netem compares it with a random u32 (net/sched/sch_netem.c)."""
    return (ppm * CERTAIN + _PPM // 2) // _PPM


def _ticks(duration_ns: int) -> int:
    """Round up to whole kernel ticks."""
    return -(-duration_ns // TICK_NS) * TICK_NS
