"""Cables with nothing left to guess: what each direction does to what goes through it (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from vnetlab.topology.model_cables import Cable as CablePart
    from vnetlab.topology.model_cables import Direction


class Shaping(Struct, frozen=True, kw_only=True):
    """What one direction of a cable does to packets: tc-tbf(8), tc-netem(8).

    `rate_bit_s` is None where it is not limited; `burst_bytes` and `queue_bytes` (what may wait
    for the rate) are None where nothing is said, and without a rate. `jitter_ns` is how much the
    delay varies to each side. Shares of packets are in millionths (ppm).
    """

    rate_bit_s: int | None = None
    burst_bytes: int | None = None
    queue_bytes: int | None = None
    delay_ns: int = 0
    jitter_ns: int = 0
    loss_ppm: int = 0
    corruption_ppm: int = 0
    duplication_ppm: int = 0
    reordering_ppm: int = 0


class Cable(Struct, frozen=True, kw_only=True):
    """A cable: `outbound` leaves the node whose cable it is, `inbound` comes to it.

    `mtu` is that of both ends, in bytes; None where nothing is said.
    """

    outbound: Shaping
    inbound: Shaping
    mtu: int | None


def resolve_cable(cable: CablePart) -> Cable:
    """The cable that a part of the file describes."""
    return Cable(
        outbound=_resolve_direction(merge_direction(cable, cable.out)),
        inbound=_resolve_direction(merge_direction(cable, cable.in_)),
        mtu=cable.mtu,
    )


def merge_direction(cable: CablePart, direction: Direction | None) -> CablePart:
    """`cable` with what `direction` says otherwise."""
    said = direction.model_dump(exclude_none=True) if direction else {}
    return cable.model_copy(update=said)


def _resolve_direction(cable: CablePart) -> Shaping:
    shaped = cable.rate is not None
    return Shaping(
        rate_bit_s=cable.rate,
        burst_bytes=cable.burst if shaped else None,
        queue_bytes=cable.queue if shaped else None,
        delay_ns=cable.delay or 0,
        jitter_ns=cable.jitter or 0,
        loss_ppm=cable.loss or 0,
        corruption_ppm=cable.corruption or 0,
        duplication_ppm=cable.duplication or 0,
        reordering_ppm=cable.reordering or 0,
    )
