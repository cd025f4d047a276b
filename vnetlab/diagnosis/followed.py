"""What is told of followed packets: one in full, the counts of its flow, the summary (pure)."""

from __future__ import annotations

from collections import deque
from enum import Enum
from statistics import median

from msgspec import Struct, field

from vnetlab.diagnosis.verdict import Verdict
from vnetlab.trace.headers import Headers
from vnetlab.trace.request import IpAddress
from vnetlab.trace.sighting import PacketKind
from vnetlab.trace.trace import Step, Trace

_MOST_DELAYS = 256


class Fate(Enum):
    """What became of a packet of real traffic."""

    ARRIVED = "arrived"
    FOR_MANY = "for many"
    """A broadcast or multicast, of which nobody can say who should get it."""
    UNANSWERED = "unanswered"
    """It arrived, and asked for an answer that was never sent."""
    REFUSED = "refused"
    """An ICMP error came of it."""
    LOST = "lost"
    UNKNOWN = "unknown"
    """It was not seen to arrive, but a tap lost packets meanwhile."""


BAD = (Fate.UNANSWERED, Fate.REFUSED, Fate.LOST)
"""The fates that are judged."""


class FlowName(Struct, frozen=True, kw_only=True):
    """What packets are counted together.

    `port` is the service's, 0 without one: the destination's, of answers the source's.
    """

    source: str
    destination: str
    source_address: IpAddress
    destination_address: IpAddress
    kind: PacketKind
    protocol: int
    port: int
    is_answer: bool
    icmp_type: int | None


class Flow(Struct, kw_only=True):
    """The counts of one flow: packets by fate, the codes of what was found, delays in ns."""

    name: FlowName
    fates: dict[Fate, int] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    delays_ns: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_DELAYS))

    @property
    def packets(self) -> int:
        """All of them."""
        return sum(self.fates.values())

    @property
    def bad(self) -> int:
        """Those that did not get where they were going, or no answer."""
        return sum(self.fates.get(fate, 0) for fate in BAD)

    @property
    def delay_ns(self) -> int | None:
        """The median of the latest one-way delays."""
        return round(median(self.delays_ns)) if self.delays_ns else None


class Told(Struct, frozen=True, kw_only=True):
    """One packet in full: its way as that of a probe, and the verdict on one that vanished.

    `resolution` are the steps of a question or answer of neighbour resolution, if it is one.
    """

    flow: FlowName
    fate: Fate
    headers: Headers
    trace: Trace
    delay_ns: int | None
    verdict: Verdict | None
    resolution: tuple[Step, ...] = ()


class Summary(Struct, kw_only=True):
    """What was counted until the end.

    `not_counted` packets were of flows beyond the bound, or more at once than can be followed;
    `lost_by_tap` as in `Observation`; `lab_is_gone`: that was the end.
    """

    flows: dict[FlowName, Flow] = field(default_factory=dict)
    not_counted: int = 0
    lost_by_tap: tuple[tuple[str, int], ...] = ()
    lab_is_gone: bool = False

    @property
    def bad(self) -> int:
        """How many packets did not get where they were going, or no answer."""
        return sum(flow.bad for flow in self.flows.values())
