"""How long a probe listens before silence says that a packet is lost (pure)."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from vnetlab.trace.sighting import Direction, PacketKind

Place: TypeAlias = tuple[str, str, Direction, PacketKind]
"""A passage, and what passes: a request, a reply, or a packet of neighbour resolution."""


class Stop(Struct, frozen=True, kw_only=True):
    """Where a packet is said to be stopped, and how long to listen then.

    `last` is the place before it, None where there is none, `behind` are those behind it. Once the
    packets were seen at `last`, and none behind, `timeout_ns` without anything new is enough.
    """

    last: Place | None
    behind: frozenset[Place]
    timeout_ns: int


class Patience(Struct, frozen=True, kw_only=True):
    """How long to listen while nothing new is seen: `timeout_ns`, or as `stop` says.

    `way_ns` is what the qdiscs may hold a packet at most, there and back.
    """

    timeout_ns: int
    way_ns: int
    stop: Stop | None = None
