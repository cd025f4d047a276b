"""What the taps saw (pure)."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from msgspec import Struct

from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.request import IpAddress


class Direction(Enum):
    """Which way a packet passed an interface, as seen from the namespace that holds it."""

    IN = "in"
    OUT = "out"


class PacketKind(Enum):
    """What a sighted packet is to the probe.

    WHO_HAS and IS_AT are the questions and answers of neighbour resolution: ARP (RFC 826) and
    neighbour discovery (RFC 4861).
    """

    REQUEST = "request"
    REPLY = "reply"
    RESET = "reset"
    ERROR = "error"
    WHO_HAS = "who-has"
    IS_AT = "is-at"


class Sighting(Struct, frozen=True, kw_only=True):
    """One packet at one interface, once.

    `time_ns` is the kernel's time stamp (SO_TIMESTAMPNS), since the epoch. `vlan` is the 802.1Q
    VLAN id that the packet carried there, None without a tag. `ttl` is the TTL or hop limit, None
    for ARP. `sequence` counts a probe's packets from 0, None for neighbour resolution; `target`
    is the address being resolved, `error` what an ICMP error says. `frame` is the whole Ethernet
    frame with its tag.
    """

    time_ns: int
    netns: str
    ifname: str
    direction: Direction
    kind: PacketKind
    source_mac: str
    destination_mac: str
    source: IpAddress
    destination: IpAddress
    sequence: int | None = None
    vlan: int | None = None
    ttl: int | None = None
    target: IpAddress | None = None
    error: IcmpError | None = None
    frame: bytes = b""

    UNSHOWN: ClassVar = ("frame",)


class Answerer(Enum):
    """Who answers a probe at its destination."""

    GUEST_KERNEL = "guest kernel"
    """ICMP echo: the guest's kernel does."""
    PROBE = "probe"
    """UDP and TCP, the port was free: the probe itself holds it for its duration."""
    APPLICATION = "application"
    """UDP and TCP, the port is taken, or meant to be: an application of the guest does, or not."""
    NOBODY = "nobody"
    """UDP and TCP: the destination does not hold the address, so that nothing can listen on it."""


class SendError(Struct, frozen=True, kw_only=True):
    """The guest's own stack refused to send packet `sequence`; `errno` by name (ENETUNREACH)."""

    sequence: int
    errno: str


class Observation(Struct, frozen=True, kw_only=True):
    """All that a probe saw.

    `sightings` are in the order of their time stamps, those of one instant and namespace in the
    order that the kernel gave them. `lost_by_tap` has the taps that lost packets, and how many:
    there, silence is no evidence. `truncated` says that listening was ended by the sheer number
    of sightings. `of_probe` is false for packets of the lab's own traffic.
    """

    sightings: tuple[Sighting, ...]
    sent: int
    answerer: Answerer = Answerer.GUEST_KERNEL
    send_errors: tuple[SendError, ...] = ()
    lost_by_tap: tuple[tuple[str, int], ...] = ()
    truncated: bool = False
    of_probe: bool = True
