"""What a probe says about the network (pure)."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from msgspec import Struct

from vnetlab.state.diff import Change

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
    COUNTED = "counted"
    """A counter of the kernel moved while the probe ran."""
    CONFIGURED = "configured"
    """A row of the kernel's tables."""


class Confidence(Enum):
    """How well a cause is known."""

    CONFIRMED = "confirmed"
    """Once it was mended in a copy of the lab, the packet arrived."""
    PROVEN = "proven"
    """The row that explains the loss, and the place where the taps saw the packet last, agree."""
    LIKELY = "likely"
    """The row explains it, but not everything about it was seen, or is modelled."""
    CANDIDATE = "candidate"
    """It may be; something else may be, too."""


class Evidence(Struct, frozen=True, kw_only=True):
    """One thing that supports a verdict, or limits it."""

    source: Source
    text: str


class Fix(Struct, frozen=True, kw_only=True):
    """How to mend a cause: commands to run on `node`, and what to change in the topology's file.

    `line` is where the object is written (`/lab.yaml:14`), empty if nowhere. `drifted`: the file
    is right and the kernel is not, so that `vnetlab up` mends it. `change` is what the commands do
    to the lab's State, None where no single change mends it.
    """

    node: str
    commands: tuple[str, ...]
    line: str
    advice: str
    drifted: bool
    change: Change | None = None

    UNSHOWN: ClassVar = ("change",)


class Cause(Struct, frozen=True, kw_only=True):
    """Why packets are lost or late: an object of the lab, a stable code, and how to mend it.

    `row` is the row of the kernel's tables that decides it.
    """

    code: str
    layer: Layer
    object: str
    summary: str
    row: str
    confidence: Confidence
    fix: Fix


class FlowShare(Struct, frozen=True, kw_only=True):
    """A flow in words (`web1 -> db1 tcp/80`), its bytes, and their share of all, 0 to 1."""

    flow: str
    bytes: int
    share: float


class Queue(Struct, frozen=True, kw_only=True):
    """A queue that was not empty while a probe was sent once more.

    `backlog_bytes` and `backlog_packets` are the most that it held, `wait_ns` how long that takes
    to leave at the rate of the qdisc, None where it has none; `drops` are those of that time.
    `flows` have the most bytes first.
    """

    netns: str
    link: str
    label: str
    kind: str
    backlog_bytes: int
    backlog_packets: int
    wait_ns: int | None
    drops: int
    flows: tuple[FlowShare, ...]

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        wait = f", {self.wait_ns / 1e6:.3g} ms at its rate" if self.wait_ns else ""
        held = f"{self.backlog_bytes} bytes in {self.backlog_packets} packets{wait}"
        dropped = f", and dropped {self.drops}" if self.drops else ""
        flows = ", ".join(f"{it.flow} {it.share:.0%}" for it in self.flows)
        filled = f"; of the bytes that passed: {flows}" if flows else ""
        return f"the queue of {self.label} ({self.kind}) held up to {held}{dropped}{filled}"


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether the network works for this probe, and if not, where it fails and why.

    `healthy`: every packet got its reply, as the topology wants it. Otherwise `layer` (None where
    it cannot be told) and `object` (a link's, switch's or node's name in the topology) say where
    the fault is, and `cause` is its code: those of the first of `causes`, which are in the order of
    the path. `certain` is false where a tap lost packets next to that place, so that a packet could
    have gone further unseen. `ruled_out` are the rows that let the packet pass before. Where what
    the kernel did is not what the model of it says, `contradiction` says how. `queues` are those
    that the packets waited in.
    """

    healthy: bool
    summary: str
    layer: Layer | None = None
    object: str = ""
    cause: str | None = None
    certain: bool = True
    evidence: tuple[Evidence, ...] = ()
    causes: tuple[Cause, ...] = ()
    ruled_out: tuple[str, ...] = ()
    contradiction: str = ""
    queues: tuple[Queue, ...] = ()

    @property
    def is_confirmed(self) -> bool:
        """Whether mending its causes in a copy of the lab made the packets arrive."""
        return any(cause.confidence is Confidence.CONFIRMED for cause in self.causes)
