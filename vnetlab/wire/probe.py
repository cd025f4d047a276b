"""Running a probe: tap, send, answer, listen until nothing more is to come (effect)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack

from msgspec.structs import replace

from vnetlab.trace.patience import Stop
from vnetlab.trace.request import ProbeRequest, Protocol
from vnetlab.trace.sighting import Observation, PacketKind, SendError, Sighting
from vnetlab.trace.trace import is_answer
from vnetlab.wire.bpf import marker_filter
from vnetlab.wire.frames import recognize
from vnetlab.wire.inject import Injector
from vnetlab.wire.marker import RANDOM_BITS, Marker
from vnetlab.wire.responder import Responder
from vnetlab.wire.taps import Enter, Taps, wait_for_timestamps

MAX_SIGHTINGS = 100_000
"""Listening ends here: a loop between switches would go on for ever."""

_SILENCES = 10
"""Listening ends after this many timeouts, however much there still is to see."""


def run_probe(
    request: ProbeRequest,
    namespaces: Sequence[str],
    enter: Enter,
    *,
    marker: Marker | None = None,
    stop: Stop | None = None,
) -> Observation:
    """Send the probe that `request` asks for, and tell what the taps in `namespaces` saw of it.

    `enter` enters a node's network namespace in this thread. `marker` marks the packets, one by
    chance if there is none; `stop` is where they are said to be stopped. Whatever ends the probe,
    an interrupt too, everything it opened is closed. Raises ProbeError where it cannot be watched,
    and MissingFeatureError without the right to open raw and packet sockets.
    """
    marker = marker or Marker(secrets.randbits(RANDOM_BITS))
    program = marker_filter(marker)
    with ExitStack() as stack:
        taps = stack.enter_context(Taps())
        for netns in namespaces:
            taps.open(netns, enter, program)
        responder = stack.enter_context(Responder(request, enter))
        if responder.socket:
            taps.watch(responder.socket)
        injector = stack.enter_context(Injector(request, marker, enter))
        wait_for_timestamps(request.endpoints.source, enter)
        run = _Run(request, marker, taps, responder, injector, stop)
        run.send_all()
        run.listen()
        return run.observation()


class _Run:
    """One probe under way: what was sent and seen, and which packets wait for an answer."""

    def __init__(
        self,
        request: ProbeRequest,
        marker: Marker,
        taps: Taps,
        responder: Responder,
        injector: Injector,
        stop: Stop | None,
    ) -> None:
        self.request = request
        self.marker = marker
        self.taps = taps
        self.responder = responder
        self.injector = injector
        self.stop = stop
        self.stopped: set[int | None] = set()
        self.sightings: list[Sighting] = []
        self.send_errors: list[SendError] = []
        self.waiting: set[int] = set()
        self.sent_again: set[int] = set()
        self.sent = 0
        self.last_event_ns = time.monotonic_ns()

    def send_all(self) -> None:
        """Send the packets one after the other: at the answer, or when the pace allows it."""
        for sequence in range(self.request.count):
            refused = self.injector.send(sequence)
            self.sent += 1
            self.last_event_ns = time.monotonic_ns()
            if refused:
                self.send_errors.append(SendError(sequence=sequence, errno=refused))
                continue
            self.waiting.add(sequence)
            deadline_ns = self.last_event_ns + self.pace_ns
            while sequence in self.waiting and self.collect_until(deadline_ns):
                pass

    @property
    def pace_ns(self) -> int:
        """When the next packet follows one without an answer.

        An ARP reply does not say which request it is the answer to, so that there is only one.
        """
        return (
            self.timeout_ns if self.request.protocol is Protocol.ARP else self.request.interval_ns
        )

    def listen(self) -> None:
        """Collect until every packet is answered, or nothing new has come for the timeout."""
        end_ns = time.monotonic_ns() + _SILENCES * self.request.timeout_ns
        while self.waiting and self.collect_until(
            min(self.last_event_ns + self.timeout_ns, end_ns)
        ):
            pass
        self.collect()

    @property
    def timeout_ns(self) -> int:
        """How long to wait for what is still missing: not long for what ended as was foretold."""
        stop = self.stop
        if stop is None:
            return self.request.timeout_ns
        as_foretold = stop.last is None or None in self.stopped or self.waiting <= self.stopped
        return stop.timeout_ns if as_foretold else self.request.timeout_ns

    def compare(self, sighting: Sighting) -> None:
        """Note what was seen right before the foretold stop; behind it, nothing is foretold."""
        if self.stop is not None:
            kind = PacketKind.REPLY if sighting.kind is PacketKind.RESET else sighting.kind
            place = (sighting.netns, sighting.ifname, sighting.direction, kind)
            if place in self.stop.behind:
                self.stop = None
            elif place == self.stop.last:
                self.stopped.add(sighting.sequence)

    def collect_until(self, deadline_ns: int) -> bool:
        """Wait for something to come and collect it; return False when it is too late for that."""
        left_ns = deadline_ns - time.monotonic_ns()
        if left_ns <= 0 or self.full:
            return False
        self.taps.wait(left_ns)
        self.collect()
        return True

    @property
    def full(self) -> bool:
        return len(self.sightings) >= MAX_SIGHTINGS

    def collect(self) -> None:
        """Take what the taps have, and answer what has come for us to answer."""
        self.responder.serve()
        for capture in self.taps.drain():
            sighting = recognize(capture, self.request, self.marker)
            if sighting:
                self.note(sighting)

    def note(self, sighting: Sighting) -> None:
        """Keep a sighting. A question that is asked again and again is no news to wait for."""
        if sighting.kind is PacketKind.REPLY and sighting.sequence is None:
            sighting = replace(sighting, sequence=self.sent - 1)
        self.sightings.append(sighting)
        self.compare(sighting)
        if sighting.kind is not PacketKind.WHO_HAS:
            self.last_event_ns = time.monotonic_ns()
        if is_answer(sighting, self.request.endpoints.source) and sighting.sequence is not None:
            self.waiting.discard(sighting.sequence)
            if sighting.error and self.is_stale(sighting):
                self.send_again(sighting.sequence)

    def is_stale(self, refusal: Sighting) -> bool:
        """Whether the guest's own kernel gave up a neighbour that it asked for before the probe.

        The packet had only joined others that waited for the answer (RFC 1122, 2.3.2.2).
        """
        own = self.request.endpoints.source_address
        asked = any(s.kind is PacketKind.WHO_HAS and s.source == own for s in self.sightings)
        return not asked and refusal.source == own

    def send_again(self, sequence: int) -> None:
        """Send a packet a second time, so that its neighbour is asked for within the probe."""
        if sequence not in self.sent_again and not self.injector.send(sequence):
            self.sent_again.add(sequence)
            self.waiting.add(sequence)

    def observation(self) -> Observation:
        return Observation(
            sightings=tuple(sorted(self.sightings, key=lambda s: s.time_ns)),
            sent=self.sent,
            answerer=self.responder.answerer,
            send_errors=tuple(self.send_errors),
            lost_by_tap=self.taps.lost(),
            truncated=self.full,
        )
