"""What a probe says about the network (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

UNKNOWN_CAUSE = "unknown"
"""The cause of a fault that is known by its place only."""


class Layer(Enum):
    """The layers of a virtualized network, from the application down."""

    APPLICATION = "application"
    GUEST_OS = "guest OS"
    VNIC = "vNIC"
    VIRTUAL_SWITCH = "virtual switch"
    HYPERVISOR = "hypervisor"
    PNIC = "pNIC (uplink)"
    PHYSICAL_NETWORK = "physical network"


class Source(Enum):
    """What a piece of evidence rests on."""

    OBSERVED = "observed"
    """The taps saw it, or the guest's kernel said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that supports a verdict, or limits it."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the network works for this probe, and if not, where it fails.

    `healthy`: every packet got its reply. Otherwise `layer` (None where it cannot be told) and
    `object` (a link's, switch's or node's name in the topology) say where the fault is, and
    `cause` is its code. `certain` is false where a tap lost packets next to that place, so that a
    packet could have gone further unseen.
    """

    healthy: bool
    summary: str
    layer: Layer | None = None
    object: str = ""
    cause: str | None = None
    certain: bool = True
    evidence: tuple[Evidence, ...] = ()
