"""Qdiscs that give a link its rate and delay (pure).

netem delays at the root, tbf below it limits the rate, so that a queue builds up where it does on
a real link and its limit is in bytes::

    root ── 1: netem (delay) ── 2: tbf (rate, bucket, queue)

With only one of them, it is the root. The kernel keeps times in ticks of 64 ns (tc-netem(8),
include/net/pkt_sched.h, PSCHED_SHIFT), so what we ask for is rounded to those: what is read back
then equals what was asked for.
"""

from __future__ import annotations

from vnetlab.state.objects import LinkId, Qdisc

ROOT = 0xFFFFFFFF  # TC_H_ROOT
TICK_NS = 64
NETEM_HANDLE = 0x1_0000
TBF_HANDLE = 0x2_0000

_BUCKET_NS = 1_000_000  # what a NIC may send back to back; two timer ticks of a HZ=1000 kernel fit
_BUCKET_BYTES = 16 * 1024  # never less than some full-size packets
_QUEUE_NS = 50_000_000  # a switch port's buffer: what is sent in 50 ms
_QUEUE_BYTES = 128 * 1024
_LARGEST_LIMIT_BYTES = 0xFFFF_FFFF
_NETEM_LIMIT_PACKETS = 100_000  # packets on the way: the link's own queue is tbf's


def shape(link: LinkId, *, rate_bit_s: int | None, delay_ns: int) -> tuple[Qdisc, ...]:
    """Return the qdiscs that shape what leaves `link`, root first; none where nothing is asked."""
    qdiscs: list[Qdisc] = []
    if delay_ns:
        qdiscs.append(_qdisc(link, "netem", NETEM_HANDLE, ROOT, _netem(delay_ns)))
    if rate_bit_s is not None:
        parent = NETEM_HANDLE | 1 if qdiscs else ROOT
        qdiscs.append(_qdisc(link, "tbf", TBF_HANDLE, parent, _tbf(rate_bit_s)))
    return tuple(qdiscs)


def _qdisc(link: LinkId, kind: str, handle: int, parent: int, options: dict[str, int]) -> Qdisc:
    return Qdisc(
        netns=link.netns,
        link=link.name,
        kind=kind,
        handle=handle,
        parent=parent,
        options=tuple(sorted(options.items())),
    )


def _netem(delay_ns: int) -> dict[str, int]:
    return {"delay_ns": _ticks(delay_ns), "limit_packets": _NETEM_LIMIT_PACKETS}


def _tbf(rate_bit_s: int) -> dict[str, int]:
    rate_bytes_s = max(rate_bit_s // 8, 1)
    bucket_ns = max(_BUCKET_NS, _BUCKET_BYTES * 1_000_000_000 // rate_bytes_s)
    bucket_bytes = rate_bytes_s * bucket_ns // 1_000_000_000
    queue_bytes = max(_QUEUE_BYTES, rate_bytes_s * _QUEUE_NS // 1_000_000_000)
    return {
        "rate_bit_s": rate_bytes_s * 8,
        "burst_ns": _ticks(bucket_ns),
        "limit_bytes": min(bucket_bytes + queue_bytes, _LARGEST_LIMIT_BYTES),
    }


def _ticks(duration_ns: int) -> int:
    """Round up to whole kernel ticks."""
    return -(-duration_ns // TICK_NS) * TICK_NS
