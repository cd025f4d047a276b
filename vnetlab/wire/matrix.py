"""Running a matrix of probes: all pairs in one pass of the taps (effect).

How it works
------------
A socket per source address, an answerer per destination address, a tap at each end. Each pair has
up to three packets with numbers of their own, which their markers carry. The packets go out in
waves, small enough for the queues on their way; a wave follows when the one before is answered, or
a moment later.

The first round only warms up: it lets all neighbours be resolved, and says nothing of a pair. It
needs one direction of a pair only: who answers resolves as well (RFC 826). The second round is the
measurement. What gets no answer in it is tried once more, with taps in all namespaces, which tell
how far it got.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from msgspec import Struct, field
from msgspec.structs import replace

from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.matrix import MatrixObservation, PairResult
from vnetlab.trace.path import Passage
from vnetlab.trace.request import MAX_COUNT, IpAddress, ProbeRequest, Protocol
from vnetlab.trace.sighting import Direction, PacketKind
from vnetlab.wire.arp import read_arp
from vnetlab.wire.bpf import marker_filter
from vnetlab.wire.glance import Glance, glance, untagged
from vnetlab.wire.inject import Injector
from vnetlab.wire.marker import Marker
from vnetlab.wire.responder import Responder
from vnetlab.wire.taps import Capture, Enter, Taps, wait_for_timestamps

_ROUNDS = 3
_LAST_ROUND = _ROUNDS - 1
_WAVE = 64
_WAVE_NS = 20_000_000
_WARM_UP_SILENCE_NS = 200_000_000
_SILENCES = 10
_CAPTURES_PER_PACKET = 100
"""A pass ends at this many: a loop between switches would go on for ever."""


def run_matrix(
    requests: Sequence[ProbeRequest], namespaces: Sequence[str], enter: Enter
) -> MatrixObservation:
    """Send the probes, all of one protocol and port, and tell what became of each.

    Each is one packet, whatever `count` says. Raises what `vnetlab.wire.probe.run_probe` raises.
    """
    if not requests:
        return MatrixObservation(results=())
    requests = [replace(request, count=_ROUNDS) for request in requests]
    marker = _marker_for(_ROUNDS * len(requests))
    program = marker_filter(marker, resolution=requests[0].protocol is Protocol.ARP)
    with ExitStack() as stack:
        taps = stack.enter_context(Taps())
        ends = {end for request in requests for end in _names(request)}
        for netns in sorted(ends):
            taps.open(netns, enter, program)
        responders = _open_responders(requests, enter, stack)
        for responder in responders.values():
            if responder.socket:
                taps.watch(responder.socket)
        injectors = _open_injectors(requests, marker, enter, stack)
        wait_for_timestamps(requests[0].endpoints.source, enter)
        run = _Run(requests, marker, taps, responders, injectors)
        run.warm_up()
        run.try_rest(1)
        if not run.finished:
            for netns in namespaces:
                if netns not in ends:
                    taps.open(netns, enter, program)
            run.try_rest(_LAST_ROUND)
        return run.observation()


_End = tuple[str, IpAddress]
"""A node, and an address of it."""


def _marker_for(count: int) -> Marker:
    width = 31 - (count - 1).bit_length()
    return Marker(secrets.randbits(width), width)


def _names(request: ProbeRequest) -> tuple[str, str]:
    return (request.endpoints.source, request.endpoints.destination)


def _source(request: ProbeRequest) -> _End:
    return (request.endpoints.source, request.endpoints.source_address)


def _destination(request: ProbeRequest) -> _End:
    return (request.endpoints.destination, request.endpoints.destination_address)


def _open_injectors(
    requests: Iterable[ProbeRequest], marker: Marker, enter: Enter, stack: ExitStack
) -> dict[_End, Injector]:
    first = {_source(request): request for request in requests}
    return {
        end: stack.enter_context(Injector(request, marker, enter)) for end, request in first.items()
    }


def _open_responders(
    requests: Iterable[ProbeRequest], enter: Enter, stack: ExitStack
) -> dict[_End, Responder]:
    to: defaultdict[_End, list[ProbeRequest]] = defaultdict(list)
    for request in requests:
        to[_destination(request)].append(request)
    return {
        end: stack.enter_context(
            Responder(replace(group[0], count=min(_ROUNDS * len(group), MAX_COUNT)), enter)
        )
        for end, group in to.items()
    }


class _Pair(Struct):
    """What is known of a pair so far; `sent_ns` is the time of a packet's first sighting."""

    request: ProbeRequest
    sent_ns: dict[int, int] = field(default_factory=dict)
    round_trip_ns: int | None = None
    tried: int = 0
    refusal: IcmpError | None = None
    reset: bool = False
    send_error: str = ""
    seen: list[tuple[int, Passage, PacketKind]] = field(default_factory=list)


class _Run:
    """One pass under way. Packet `number * _ROUNDS + round` is that of pair `number`."""

    def __init__(
        self,
        requests: Sequence[ProbeRequest],
        marker: Marker,
        taps: Taps,
        responders: dict[_End, Responder],
        injectors: dict[_End, Injector],
    ) -> None:
        self.pairs = [_Pair(request) for request in requests]
        self.port = requests[0].port
        self.is_arp = requests[0].protocol is Protocol.ARP
        self.asked: dict[tuple[IpAddress, IpAddress], int] = {}
        self.timeout_ns = requests[0].timeout_ns
        self.marker = marker
        self.taps = taps
        self.responders = responders
        self.serving = [it for it in responders.values() if it.serves]
        self.injectors = injectors
        self.waiting: set[int] = set()
        self.captures = 0
        self.last_event_ns = time.monotonic_ns()

    def warm_up(self) -> None:
        """Let every two nodes exchange packets that do not count."""
        one_way = {
            frozenset((_source(pair.request), _destination(pair.request))): at
            for at, pair in enumerate(self.pairs)
        }
        self.send_round(0, sorted(one_way.values()), _WARM_UP_SILENCE_NS)

    def try_rest(self, number: int) -> None:
        """Try each pair that has got no answer yet."""
        left = [at for at, pair in enumerate(self.pairs) if pair.round_trip_ns is None]
        self.send_round(number, left, self.timeout_ns)

    @property
    def finished(self) -> bool:
        """Whether every pair has got an answer."""
        return all(pair.round_trip_ns is not None for pair in self.pairs)

    def send_round(self, number: int, pairs: Sequence[int], silence_ns: int) -> None:
        """Send a packet of each pair, and collect until it has been silent for `silence_ns`."""
        self.waiting.clear()
        for start in range(0, len(pairs), _WAVE):
            wave = {at * _ROUNDS + number for at in pairs[start : start + _WAVE]}
            for sequence in sorted(wave):
                self.send(sequence)
            deadline_ns = time.monotonic_ns() + _WAVE_NS
            while self.waiting & wave and self.collect_until(deadline_ns):
                pass
        end_ns = time.monotonic_ns() + _SILENCES * silence_ns
        while self.waiting and self.collect_until(min(self.last_event_ns + silence_ns, end_ns)):
            pass
        self.collect()

    def send(self, sequence: int) -> None:
        pair = self.pairs[sequence // _ROUNDS]
        pair.tried += sequence % _ROUNDS > 0
        ends = pair.request.endpoints
        self.asked[ends.source_address, ends.destination_address] = sequence
        pair.send_error = self.injectors[_source(pair.request)].send(sequence, pair.request)
        self.last_event_ns = time.monotonic_ns()
        if not pair.send_error:
            self.waiting.add(sequence)

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
        return self.captures >= _CAPTURES_PER_PACKET * _ROUNDS * len(self.pairs)

    def collect(self) -> None:
        """Take what the taps have, and answer what has come for us to answer."""
        for responder in self.serving:
            responder.serve()
        for capture in self.taps.drain():
            self.captures += 1
            what, sequence = self.read(capture.frame)
            if what and sequence is not None and sequence < _ROUNDS * len(self.pairs):
                self.last_event_ns = time.monotonic_ns()
                self.note(sequence, capture, what)

    def read(self, frame: bytes) -> tuple[Glance | None, int | None]:
        """What a frame is, and which packet or the answer to which."""
        if not self.is_arp:
            what = glance(frame, self.port)
            return what, self.marker.sequence(what.word) if what else None
        arp = read_arp(untagged(frame), self.marker)
        if arp is None:
            return None, None
        if arp.asks:
            return Glance(kind=PacketKind.REQUEST), arp.sequence
        return Glance(kind=PacketKind.REPLY), self.asked.get((arp.target, arp.sender))

    def note(self, sequence: int, capture: Capture, what: Glance) -> None:
        pair = self.pairs[sequence // _ROUNDS]
        at_source = capture.netns == pair.request.endpoints.source
        number = sequence % _ROUNDS
        if at_source and capture.direction is Direction.OUT and what.kind is PacketKind.REQUEST:
            pair.sent_ns.setdefault(sequence, capture.time_ns)
        if number == _LAST_ROUND and pair.round_trip_ns is None:
            passage = (capture.netns, capture.ifname, capture.direction)
            pair.seen.append((capture.time_ns, passage, what.kind))
        if not at_source or capture.direction is Direction.OUT or sequence not in self.waiting:
            return
        if what.kind is PacketKind.REQUEST or (what.error and not what.error.is_final):
            return
        self.waiting.discard(sequence)
        if number and what.kind is PacketKind.REPLY:
            pair.round_trip_ns = capture.time_ns - pair.sent_ns.get(sequence, capture.time_ns)
            pair.seen.clear()
        elif number:
            pair.refusal, pair.reset = what.error, what.kind is PacketKind.RESET

    def observation(self) -> MatrixObservation:
        return MatrixObservation(
            results=tuple(map(self.result, self.pairs)),
            lost_by_tap=self.taps.lost(),
            truncated=self.full,
        )

    def result(self, pair: _Pair) -> PairResult:
        reached = pair.round_trip_ns is not None
        return PairResult(
            request=pair.request,
            round_trip_ns=pair.round_trip_ns,
            lost=pair.tried - reached,
            answerer=self.responders[_destination(pair.request)].answerer,
            refusal=None if reached else pair.refusal,
            reset=pair.reset and not reached,
            send_error="" if reached else pair.send_error,
            seen=tuple((passage, kind) for _, passage, kind in sorted(pair.seen, key=_time)),
        )


def _time(seen: tuple[int, Passage, PacketKind]) -> int:
    return seen[0]
