"""Which packet a frame of real traffic is: one just sent, or one seen before on its way (pure).

How it works
------------
A packet begins where a guest, a host or a router sends it: at the first sighting of its key going
OUT there (a router passes most on, so that one counts only under an address of its own). Later
sightings of the key are its next hops. Where packets look the same (a datagram that is sent again
and again), a sighting is of the oldest that has not been seen there; the sender's is a new one.

The user's filter may match at any hop: address translation changes what it asks for. A packet that
it matches nowhere is watched like the others, and then forgotten.

A packet is over when it was seen nowhere for a while, by the clock of what has been read from the
taps: then it has arrived, if it came IN to a node that holds the address it bore there and did not
go on; or an ICMP error has come of it; or it is lost. One that was under way when a tap lost
packets is neither. Of a packet for many (a broadcast) nothing is missing.

What is remembered is bounded: packets under way, conversations, questions of neighbour resolution.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol as Shape
from typing import TypeAlias

from msgspec import Struct, field

from vnetlab.state.objects import Role
from vnetlab.trace.headers import Headers, Key, read_headers
from vnetlab.trace.path import Passage
from vnetlab.trace.request import IpAddress
from vnetlab.trace.sighting import Direction, PacketKind, Sighting

PATIENCE_NS = 2_000_000_000
"""A packet that was seen nowhere for so long is over."""

_ARRIVED_NS = 200_000_000
"""The same for one that has arrived at a guest: copies of it may still be flooded elsewhere."""

MOST_PACKETS = 20_000
MOST_CONVERSATIONS = 2_000
_MOST_QUESTIONS = 500
_MOST_SIGHTINGS = 200

_LOOPBACK = "lo"
_SENDERS = (Role.VM, Role.HOST, Role.ROUTER)
_RESOLUTION = (PacketKind.WHO_HAS, PacketKind.IS_AT)

Conversation: TypeAlias = tuple[str, PacketKind, int, IpAddress, IpAddress, int, int]
"""The sending node, and what the packets of one flow have in common."""


class Frame(Shape):
    """A frame at a tap: `vnetlab.wire.taps.Capture` is one."""

    @property
    def time_ns(self) -> int: ...  # noqa: D102

    @property
    def netns(self) -> str: ...  # noqa: D102

    @property
    def ifname(self) -> str: ...  # noqa: D102

    @property
    def direction(self) -> Direction: ...  # noqa: D102

    @property
    def frame(self) -> bytes: ...  # noqa: D102


class Places(Struct, frozen=True, kw_only=True):
    """Who sends, and who holds which address: `roles` by node, `holders` as in `Wiring`."""

    roles: Mapping[str, Role | None]
    holders: Mapping[IpAddress, Collection[str]]


class Followed(Struct, eq=False):
    """A packet under way: its headers where it was sent, and where it was seen, in time order.

    `answers` is the one that it is the answer to, `errors` the hops of an ICMP error about it.
    `is_answered`: its answer was sent. `is_blind`: a tap lost packets meanwhile.
    """

    headers: Headers
    netns: str
    sightings: list[Sighting]
    passages: set[Passage]
    number: int
    is_meant: bool = False
    is_blind: bool = False
    is_answered: bool = False
    errors: list[Sighting] = field(default_factory=list)
    answers: Followed | None = None
    arrived_at: Sighting | None = None
    arrived_headers: Headers | None = None

    @property
    def conversation(self) -> Conversation:
        """What it is counted with."""
        return (self.netns, self.headers.kind, *self.headers.conversation)

    @property
    def is_refused(self) -> bool:
        """Whether an ICMP error about it came back to where it was sent."""
        return any(it.netns == self.netns and it.direction is Direction.IN for it in self.errors)

    @property
    def last_ns(self) -> int:
        """When it was seen last."""
        return self.sightings[-1].time_ns

    @property
    def delay_ns(self) -> int | None:
        """From its first sighting to its arrival."""
        if self.arrived_at is None:
            return None
        return self.arrived_at.time_ns - self.sightings[0].time_ns


class Follower(Struct):
    """Sorts sightings into packets. `not_followed` counts packets beyond the bound."""

    places: Places
    is_meant: Callable[[bytes, int], bool]
    not_followed: int = 0
    questions: deque[Sighting] = field(default_factory=lambda: deque(maxlen=_MOST_QUESTIONS))
    _under_way: OrderedDict[int, Followed] = field(default_factory=OrderedDict)
    _by_key: dict[Key, list[Followed]] = field(default_factory=dict)
    _reverse: OrderedDict[tuple[object, ...], Followed] = field(default_factory=OrderedDict)
    _numbers: int = 0

    def take(self, frame: Frame, *, only_known: bool = False) -> None:
        """Note one frame at one tap; with `only_known`, none that has only now been sent."""
        headers = None if frame.ifname == _LOOPBACK else read_headers(frame.frame)
        if headers is None:
            return
        if headers.quoted is not None:
            self._take_error(frame, headers)
        if headers.kind in _RESOLUTION:
            self.questions.append(_sighting(frame, headers))
        passage = (frame.netns, frame.ifname, frame.direction)
        packet = self._known(headers, passage)
        if packet is None:
            if only_known or not self._is_sent(frame, headers):
                return
            packet = self._begin(frame, headers)
            if packet is None:
                return
        if passage in packet.passages or len(packet.sightings) >= _MOST_SIGHTINGS:
            return
        packet.passages.add(passage)
        packet.sightings.append(_sighting(frame, headers))
        packet.is_meant = packet.is_meant or self.is_meant(frame.frame, _wire_bytes(headers))
        self._note_arrival(packet, frame, headers)

    def blind(self) -> None:
        """A tap has lost packets: of what is under way now, silence says nothing."""
        for packet in self._under_way.values():
            packet.is_blind = True

    def finished(self, read_until_ns: int) -> Iterator[Followed]:
        """Hand over, and forget, the packets that are over and that the filter means.

        `read_until_ns`: what taps saw before that has been taken.
        """
        for number, packet in list(self._under_way.items()):
            if packet.last_ns + self._patience_ns(packet) < read_until_ns:
                del self._under_way[number]
                same = self._by_key[packet.headers.key]
                same.remove(packet)
                if not same:
                    del self._by_key[packet.headers.key]
                if packet.is_meant:
                    yield packet

    def _patience_ns(self, packet: Followed) -> int:
        """A router may pass on what it holds the address of: translated."""
        here = packet.arrived_at
        at_guest = here is not None and self.places.roles.get(here.netns) is not Role.ROUTER
        waits = packet.headers.asks and not packet.is_answered
        return _ARRIVED_NS if at_guest and not waits else PATIENCE_NS

    @property
    def meant_under_way(self) -> bool:
        """Whether a packet that the filter means is not over yet."""
        return any(packet.is_meant for packet in self._under_way.values())

    def _known(self, headers: Headers, passage: Passage) -> Followed | None:
        """The packet that this is a hop of: the oldest of its key that was not seen here yet."""
        same = self._by_key.get(headers.key, ())
        fresh = [packet for packet in same if passage not in packet.passages]
        pair = {headers.source, headers.destination}
        alike = [p for p in fresh if pair & {p.headers.source, p.headers.destination}]
        if alike or fresh:
            return (alike or fresh)[0]
        sent_here = any(_passage(p.sightings[0]) == passage for p in same)
        return same[-1] if same and not sent_here else None

    def _is_sent(self, frame: Frame, headers: Headers) -> bool:
        role = self.places.roles.get(frame.netns)
        if frame.direction is not Direction.OUT or role not in _SENDERS:
            return False
        return role is not Role.ROUTER or self._holds(frame.netns, headers.source)

    def _begin(self, frame: Frame, headers: Headers) -> Followed | None:
        if len(self._under_way) >= MOST_PACKETS:
            self.not_followed += 1
            return None
        self._numbers += 1
        packet = Followed(
            headers=headers,
            netns=frame.netns,
            sightings=[],
            passages=set(),
            number=self._numbers,
        )
        asked = self._reverse.get((frame.netns, *headers.conversation))
        if asked is not None:
            packet.answers = asked
            if headers.answers and asked.headers.asks and asked.headers.word == headers.word:
                asked.is_answered = True
        self._under_way[packet.number] = packet
        self._by_key.setdefault(headers.key, []).append(packet)
        return packet

    def _note_arrival(self, packet: Followed, frame: Frame, headers: Headers) -> None:
        """It has arrived where it comes IN under an address held there, until it goes on."""
        here = packet.arrived_at
        if frame.direction is Direction.OUT:
            if here is not None and here.netns == frame.netns:
                packet.arrived_at = packet.arrived_headers = None
            return
        asks = headers.kind is PacketKind.WHO_HAS
        holds = self._holds(frame.netns, headers.target if asks else headers.destination)
        if holds and frame.netns != packet.netns and here is None:
            packet.arrived_at = packet.sightings[-1]
            packet.arrived_headers = headers
            if packet.answers is None:
                self._reverse[frame.netns, *headers.reverse] = packet
            if len(self._reverse) > MOST_CONVERSATIONS:
                self._reverse.popitem(last=False)

    def _take_error(self, frame: Frame, headers: Headers) -> None:
        """A hop of an ICMP error, which is about the oldest packet that none was seen of here."""
        assert headers.quoted is not None
        if headers.error is None or not headers.error.is_final:
            return
        here = _sighting(frame, headers)
        for packet in self._by_key.get(headers.quoted, ()):
            if len(packet.errors) < _MOST_SIGHTINGS and _passage(here) not in map(
                _passage, packet.errors
            ):
                packet.errors.append(here)
                return

    def _holds(self, netns: str, address: IpAddress | None) -> bool:
        return address is not None and netns in self.places.holders.get(address, ())


def is_lost(packet: Followed) -> bool:
    """Whether a packet that is over has vanished; one for many, or seen too little of, has not."""
    headers = packet.headers
    if headers.kind is PacketKind.WHO_HAS:  # nobody answers one about the sender's own address
        for_one = headers.source != headers.target and not headers.source.is_unspecified
    else:
        for_one = not headers.is_group
    return for_one and packet.arrived_at is None and not packet.is_blind and not packet.is_refused


def is_unanswered(packet: Followed) -> bool:
    """Whether it arrived and asked for an answer that was never sent."""
    arrived = packet.arrived_at is not None and not packet.is_blind and not packet.is_refused
    return arrived and packet.headers.asks and not packet.is_answered


def _wire_bytes(headers: Headers) -> int:
    return headers.length + (14 if headers.vlan is None else 18)


def _passage(sighting: Sighting) -> Passage:
    return (sighting.netns, sighting.ifname, sighting.direction)


def _sighting(frame: Frame, headers: Headers) -> Sighting:
    in_sequence = headers.kind is PacketKind.REQUEST
    return Sighting(
        time_ns=frame.time_ns,
        netns=frame.netns,
        ifname=frame.ifname,
        direction=frame.direction,
        kind=PacketKind.ERROR if headers.error else headers.kind,
        source_mac=headers.source_mac,
        destination_mac=headers.destination_mac,
        source=headers.source,
        destination=headers.destination,
        sequence=0 if in_sequence else None,
        vlan=headers.vlan,
        ttl=headers.ttl,
        target=headers.target,
        error=headers.error,
    )
