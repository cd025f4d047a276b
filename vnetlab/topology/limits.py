"""What a port group lets its vNICs send and receive, with nothing left to guess (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from vnetlab.topology import model_limits as model


class Limit(Struct, frozen=True, kw_only=True):
    """How fast a vNIC may be in one direction.

    `average_bit_s` on average, `peak_bit_s` (None: as fast as it can) while `burst_bytes` (None:
    nothing is said) last.
    """

    average_bit_s: int
    peak_bit_s: int | None
    burst_bytes: int | None


class VnicShaping(Struct, frozen=True, kw_only=True):
    """The limits of a vNIC: of what comes to its VM, and of what its VM sends; None: unlimited."""

    to_vm: Limit | None = None
    from_vm: Limit | None = None


class StormLimit(Struct, frozen=True, kw_only=True):
    """How much a vNIC may send to many; None: as much as it likes."""

    broadcast_bit_s: int | None = None
    multicast_bit_s: int | None = None


def resolve_shaping(shaping: model.VnicShaping | None) -> VnicShaping:
    """The limits that a part of the file describes."""
    if shaping is None:
        return VnicShaping()
    return VnicShaping(
        to_vm=_resolve_limit(merge_limit(shaping, shaping.to_vm)),
        from_vm=_resolve_limit(merge_limit(shaping, shaping.from_vm)),
    )


def resolve_storm_limit(limit: model.StormLimit | None) -> StormLimit:
    """Likewise for what goes to many."""
    if limit is None:
        return StormLimit()
    return StormLimit(broadcast_bit_s=limit.broadcast, multicast_bit_s=limit.multicast)


def merge_limit(shaping: model.Limit, direction: model.Limit | None) -> model.Limit:
    """`shaping` with what one `direction` says otherwise."""
    said = direction.model_dump(exclude_none=True) if direction else {}
    return shaping.model_copy(update=said)


def _resolve_limit(limit: model.Limit) -> Limit | None:
    if limit.average is None:
        return None
    return Limit(average_bit_s=limit.average, peak_bit_s=limit.peak, burst_bytes=limit.burst)
