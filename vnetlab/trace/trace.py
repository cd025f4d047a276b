"""From what the taps saw to what happened to each packet (pure).

How it works
------------
Sightings are matched with the hops of the expected path by namespace, link and direction. The
first of a packet at each hop is a step on the path; everything else (a flooded copy, a wrong
turn, a second round of a loop) is a step off it. A packet that did not arrive was lost after the
last hop of its path that it was seen at.

Where it was seen to reach a node that then had to ask for its next hop's MAC address, the
packets of that question say more: the loss is placed after the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import LinkId, State
from vnetlab.trace.path import ExpectedPath, Hop, Passage, Span, make_hop
from vnetlab.trace.request import IpAddress, ProbeRequest
from vnetlab.trace.sighting import Direction, Observation, PacketKind, Sighting
from vnetlab.trace.wiring import Wiring, index_wiring

_ANSWERS = (PacketKind.REPLY, PacketKind.RESET)


class Outcome(Enum):
    """What became of one packet of a probe."""

    REPLIED = "replied"
    REFUSED = "refused"
    """An ICMP error or a TCP reset came back in place of the reply."""
    LOST_FORWARD = "lost on the way there"
    LOST_RETURN = "lost on the way back"
    NOT_SENT = "not sent"
    """The guest's own stack refused to send it."""


class Carrier(Enum):
    """Which packet was seen last before a loss."""

    PROBE = "probe"
    REPLY = "reply"
    WHO_HAS = "who-has"
    IS_AT = "is-at"


class Step(Struct, frozen=True, kw_only=True):
    """A sighting and where it was; `index` is the hop's place in the expected path, if on it.

    `past_router`: it is on that path behind a router, and the packet has not been routed.
    """

    sighting: Sighting
    hop: Hop
    index: int | None
    past_router: bool = False


class Loss(Struct, frozen=True, kw_only=True):
    """Where a packet vanished: between two hops that follow each other on its path.

    `after` is None where it was not seen at all, `before` where the path leads no further.
    `target` is the address that was asked for, where `carrier` belongs to neighbour resolution.
    """

    carrier: Carrier
    after: Hop | None
    before: Hop | None
    target: IpAddress | None = None


class PacketTrace(Struct, frozen=True, kw_only=True):
    """The journey of one packet of the probe and of what came back for it, in time order.

    `round_trip_ns` is from its first sighting to its reply's at the source, None without one.
    """

    sequence: int
    outcome: Outcome
    forward: tuple[Step, ...]
    back: tuple[Step, ...]
    loss: Loss | None = None
    round_trip_ns: int | None = None
    send_error: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Forward, then back."""
        return self.forward + self.back


class Trace(Struct, frozen=True, kw_only=True):
    """A whole probe: what was asked, the expected paths, and each packet's journey.

    `resolution` are the sightings of neighbour resolution for the paths' next hops.
    """

    request: ProbeRequest
    forward: ExpectedPath
    back: ExpectedPath
    packets: tuple[PacketTrace, ...]
    resolution: tuple[Step, ...]
    observation: Observation

    @property
    def replied(self) -> int:
        """How many packets got their reply."""
        return sum(packet.outcome is Outcome.REPLIED for packet in self.packets)


def trace_probe(
    request: ProbeRequest,
    observation: Observation,
    state: State,
    forward: ExpectedPath,
    back: ExpectedPath,
) -> Trace:
    """Say what happened to each packet that `observation` tells of."""
    tracer = _Tracer(request, observation, index_wiring(state), forward, back)
    return Trace(
        request=request,
        forward=forward,
        back=back,
        packets=tuple(tracer.packet(sequence) for sequence in range(observation.sent)),
        resolution=tuple(sorted(tracer.resolution(), key=lambda step: step.sighting.time_ns)),
        observation=observation,
    )


class _Tracer:
    """One probe's sightings, by packet, and the paths to match them with."""

    def __init__(
        self,
        request: ProbeRequest,
        observation: Observation,
        wiring: Wiring,
        forward: ExpectedPath,
        back: ExpectedPath,
    ) -> None:
        self.request = request
        self.wiring = wiring
        self.forward = forward
        self.back = back
        self.sightings = observation.sightings
        self.by_sequence: dict[int | None, list[Sighting]] = {}
        for sighting in self.sightings:
            self.by_sequence.setdefault(sighting.sequence, []).append(sighting)
        self.send_errors = {error.sequence: error.errno for error in observation.send_errors}

    def packet(self, sequence: int) -> PacketTrace:
        seen = self.by_sequence.get(sequence, [])
        there = self.match((s for s in seen if s.kind is PacketKind.REQUEST), self.forward.spans)
        back = self.match((s for s in seen if s.kind is not PacketKind.REQUEST), self.back.spans)
        answers = [step.sighting for step in back if self.is_answer(step.sighting)]
        trace = PacketTrace(
            sequence=sequence,
            outcome=Outcome.REPLIED,
            forward=there,
            back=back,
            round_trip_ns=_elapsed(there, answers),
            send_error=self.send_errors.get(sequence, ""),
        )
        outcome = self.outcome(trace, answers)
        return replace(trace, outcome=outcome, loss=self.loss(trace, outcome))

    def match(self, sightings: Iterable[Sighting], spans: Sequence[Span]) -> tuple[Step, ...]:
        """The steps of one packet, in order: by time, then by the path.

        A path that comes by the same place again has been routed in between: its TTL tells. What
        is seen behind a router in the very frame that was sent has come there past the router: a
        switch that did not know where the router is has sent copies to all.
        """
        sightings = list(sightings)
        places = _places(spans)
        first_ttl = max((it.ttl or 0 for it in sightings), default=0)
        taken: set[int] = set()
        steps = []
        for sighting in sightings:
            here = places.get(_passage(sighting), {}) if not is_aside(sighting) else {}
            routed = first_ttl - (sighting.ttl or 0)
            as_sent = _frame_addresses(sighting) == _frame_addresses(sightings[0])
            past_router = bool(here) and as_sent and 0 not in here.values()
            if past_router:
                here = {}
            possible = [it for it, span in here.items() if span == routed] or list(here)
            number = next((it for it in possible if it not in taken), None)
            taken |= {number} if number is not None else set()
            steps.append(replace(self.step(sighting, number), past_router=past_router))
        last = sum(len(span.hops) for span in spans)
        return tuple(sorted(steps, key=lambda s: (s.sighting.time_ns, _order(s, last))))

    def step(self, sighting: Sighting, index: int | None) -> Step:
        link = LinkId(netns=sighting.netns, name=sighting.ifname)
        hop = make_hop(self.wiring, link, sighting.direction)
        return Step(sighting=sighting, hop=hop, index=index)

    def outcome(self, packet: PacketTrace, answers: list[Sighting]) -> Outcome:
        if any(answer.kind is PacketKind.REPLY for answer in answers):
            return Outcome.REPLIED
        if answers:
            return Outcome.REFUSED
        if packet.send_error:
            return Outcome.NOT_SENT
        return Outcome.LOST_RETURN if self.arrived(packet) else Outcome.LOST_FORWARD

    def is_answer(self, sighting: Sighting) -> bool:
        return is_answer(sighting, self.request.endpoints.source)

    def arrived(self, packet: PacketTrace) -> bool:
        destination = self.request.endpoints.destination
        return any(
            step.sighting.netns == destination and step.sighting.direction is Direction.IN
            for step in packet.forward
        )

    def loss(self, packet: PacketTrace, outcome: Outcome) -> Loss | None:
        if outcome is Outcome.LOST_RETURN:
            answers = [s for s in packet.back if s.sighting.kind in _ANSWERS]
            loss = self.place(Carrier.REPLY, self.back, answers)
            arrival = next((s.hop for s in reversed(packet.forward) if s.index is not None), None)
            return loss if loss.after else replace(loss, after=arrival)
        if outcome is Outcome.REPLIED or (outcome is Outcome.REFUSED and self.arrived(packet)):
            return None
        return self.place(Carrier.PROBE, self.forward, packet.forward)

    def place(self, carrier: Carrier, path: ExpectedPath, steps: Iterable[Step]) -> Loss:
        """Between the last hop seen and the next, or where the question for the next ended."""
        last = _last(steps)
        plain = Loss(carrier=carrier, after=_at(path.hops, last), before=_at(path.hops, last + 1))
        span = next((s for s in path.spans if s.hops[0] == plain.before), None)
        return (span and self.unresolved(span)) or plain

    def unresolved(self, span: Span) -> Loss | None:
        """Where the question for a span's next hop, or its answer, was seen last."""
        asked, told = self.asked(span), self.told(span)
        way_back = _reverse(span.hops)
        last_asked, last_told = _last(asked), _last(told)
        if not asked or last_told == len(way_back) - 1:
            return None
        loss = Loss(
            carrier=Carrier.WHO_HAS,
            after=_at(span.hops, last_asked),
            before=_at(span.hops, last_asked + 1) or _at(way_back, 0),
            target=span.next_hop,
        )
        if last_told < 0:
            return loss
        after, before = _at(way_back, last_told), _at(way_back, last_told + 1)
        return replace(loss, carrier=Carrier.IS_AT, after=after, before=before)

    def asked(self, span: Span) -> tuple[Step, ...]:
        return self.match((s for s in self.sightings if _asks(s, span)), [span])

    def told(self, span: Span) -> tuple[Step, ...]:
        back = replace(span, hops=_reverse(span.hops))
        return self.match((s for s in self.sightings if _tells(s, span)), [back])

    def resolution(self) -> Iterable[Step]:
        """The sightings of neighbour resolution that belong to the paths."""
        for span in (*self.forward.spans, *self.back.spans):
            yield from self.asked(span)
            yield from self.told(span)


def is_answer(sighting: Sighting, source: str) -> bool:
    """Whether this is what ends a packet's journey: its answer, come to the node that sent it.

    A reply, a reset, or an ICMP error: from anywhere, the source's own kernel included.
    """
    return (
        sighting.netns == source
        and sighting.direction is Direction.IN
        and sighting.kind in (*_ANSWERS, PacketKind.ERROR)
        and not is_aside(sighting)
    )


def _elapsed(forward: tuple[Step, ...], answers: list[Sighting]) -> int | None:
    reply = next((a for a in answers if a.kind is PacketKind.REPLY), None)
    return reply.time_ns - forward[0].sighting.time_ns if reply and forward else None


def _frame_addresses(sighting: Sighting) -> tuple[str, str]:
    return (sighting.source_mac, sighting.destination_mac)


def _passage(sighting: Sighting) -> Passage:
    return (sighting.netns, sighting.ifname, sighting.direction)


def is_aside(sighting: Sighting) -> bool:
    """Whether it is no part of the packet's journey there and back.

    So are a redirect, and an ICMP error about the reply, on its way to the destination.
    """
    error = sighting.error
    return error is not None and (error.about_reply or not error.is_final)


def _asks(sighting: Sighting, span: Span) -> bool:
    return (
        sighting.kind is PacketKind.WHO_HAS
        and sighting.target == span.next_hop
        and sighting.source_mac == span.mac
    )


def _tells(sighting: Sighting, span: Span) -> bool:
    return (
        sighting.kind is PacketKind.IS_AT
        and sighting.target == span.next_hop
        and sighting.destination_mac == span.mac
    )


def _places(spans: Sequence[Span]) -> dict[Passage, dict[int, int]]:
    """The places on a path of each passage, and how many nodes have routed the packet before."""
    found: dict[Passage, dict[int, int]] = {}
    hops = ((number, hop) for number, span in enumerate(spans) for hop in span.hops)
    for place, (routed, hop) in enumerate(hops):
        found.setdefault(hop.passage, {})[place] = routed
    return found


def _reverse(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """The same way, walked from its end."""
    opposite = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}
    return tuple(replace(hop, direction=opposite[hop.direction]) for hop in reversed(hops))


def _last(steps: Iterable[Step]) -> int:
    """The furthest place on the path, -1 for none."""
    return max((step.index for step in steps if step.index is not None), default=-1)


def _at(hops: tuple[Hop, ...], index: int) -> Hop | None:
    return hops[index] if 0 <= index < len(hops) else None


def _order(step: Step, last: int) -> int:
    return last if step.index is None else step.index
