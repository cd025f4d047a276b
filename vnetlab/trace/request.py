"""What a probe is asked to do (pure)."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from vnetlab.errors import UsageError
from vnetlab.state.objects import LinkId

IpAddress = IPv4Address | IPv6Address

ECHO_PORT = 7
"""The port of a UDP or TCP probe that names none: echo (RFC 862)."""

MAX_COUNT = 2048
"""Packets of one probe: its marker counts them in 11 bits."""

MAX_BYTES = 65535
"""An IPv4 packet's greatest length (RFC 791)."""

DEFAULT_BYTES = 84
"""An ICMP or UDP probe's length where none is asked for: that of ping(8) over IPv4."""

FIRST_TTL = 64
"""The TTL and hop limit that a kernel gives to a packet if nobody says otherwise (RFC 1700)."""

ARP_BYTES = 28
"""An ARP message for IPv4 over Ethernet (RFC 826)."""

_MARKER_BYTES = 4


class Protocol(Enum):
    """What a probe is made of: an ICMP or ICMPv6 echo, a UDP datagram, a TCP SYN, or a question.

    The question is an ARP request (RFC 826) at the source's vNIC, as of arping(8).
    """

    ICMP = "icmp"
    UDP = "udp"
    TCP = "tcp"
    ARP = "arp"

    @property
    def has_ports(self) -> bool:
        """Whether it is sent to a port."""
        return self in (Protocol.UDP, Protocol.TCP)

    @property
    def header_bytes(self) -> int:
        """The length of its header, behind that of IP."""
        return 20 if self is Protocol.TCP else 8


class Endpoints(Struct, frozen=True, kw_only=True):
    """Who probes whom: two nodes, and the address of each that the probe carries."""

    source: str
    destination: str
    source_address: IpAddress
    destination_address: IpAddress

    @property
    def version(self) -> int:
        """The IP version: 4 or 6."""
        return self.destination_address.version


class RawFrame(Struct, frozen=True, kw_only=True):
    """A frame that is sent out of link `link` of the source as it is, past the guest's stack.

    `target` is the link that its destination MAC address is of. `vlan` is its 802.1Q tag, None
    without one. Raises UsageError for a VLAN out of range.
    """

    link: LinkId
    target: LinkId
    source_mac: str
    destination_mac: str
    vlan: int | None = None

    def __post_init__(self) -> None:
        if self.vlan is not None:
            _check_range("vlan", self.vlan, 1, 4094)


class ProbeRequest(Struct, frozen=True, kw_only=True):
    """A probe: `count` packets, each sent when the one before was answered or `interval_ns` passed.

    `port` is the destination's, for UDP and TCP. `size` is the whole IP packet's length in bytes,
    so that 1500 just fits an MTU of 1500; None is a small one. `timeout_ns` is how long to go on
    listening when nothing more is seen. `to_application`: the port is an application's, so that the
    probe does not answer there itself. `ttl` is the TTL or hop limit, None for what the source's
    kernel gives. `dont_fragment`: whether the packet must not be fragmented; None for what sockets
    do by default, where the source may fragment and routers may not (IP_PMTUDISC_WANT, ip(7)).
    `raw`: by which frame the packet is sent past the source's stack. Raises UsageError for values
    out of range, for packets of IPv6 that routers could fragment, and for ARP with what it has not.
    """

    endpoints: Endpoints
    protocol: Protocol = Protocol.ICMP
    port: int = ECHO_PORT
    count: int = 1
    size: int | None = None
    interval_ns: int = 10_000_000
    timeout_ns: int = 1_000_000_000
    to_application: bool = False
    dscp: int = 0
    ttl: int | None = None
    dont_fragment: bool | None = None
    raw: RawFrame | None = None

    def __post_init__(self) -> None:
        if self.protocol is Protocol.ARP:
            self._check_arp()
        _check_range("dscp", self.dscp, 0, 63)
        if self.ttl is not None:
            _check_range("ttl", self.ttl, 1, 255)
        if self.dont_fragment is False and self.endpoints.version == 6:
            raise UsageError(
                "no-df: got IPv6, expected IPv4: routers do not fragment IPv6 (RFC 8200)",
                fix="leave it out, or add -4",
            )
        _check_range("count", self.count, 1, MAX_COUNT)
        _check_range("port", self.port, 1, 65535)
        if self.size is not None:
            _check_range("size", self.size, self._header_bytes + self._marker_bytes, MAX_BYTES)

    def _check_arp(self) -> None:
        if self.endpoints.version != 4:
            raise UsageError(
                f"arp: got {self.endpoints.destination_address}, expected IPv4: IPv6 finds its "
                "neighbours by ICMPv6 (RFC 4861)",
                fix="probe with --proto icmp: it shows their questions where they get no answer",
            )
        given = {"size": self.size, "ttl": self.ttl, "df": self.dont_fragment}
        given["dscp"] = self.dscp or None
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"{name}: got {value} for an ARP request, which has none")

    @property
    def packet_bytes(self) -> int:
        """The length of the whole IP packet, or of the ARP message."""
        if self.protocol is Protocol.ARP:
            return ARP_BYTES
        return self._header_bytes + self.payload_bytes

    @property
    def payload_bytes(self) -> int:
        """The length of what follows the ICMP, UDP or TCP header, the marker included."""
        if self.size is not None:
            return self.size - self._header_bytes
        small = 0 if self.protocol is Protocol.TCP else DEFAULT_BYTES - self._header_bytes
        return max(small, self._marker_bytes)

    @property
    def _header_bytes(self) -> int:
        return (20 if self.endpoints.version == 4 else 40) + self.protocol.header_bytes

    @property
    def _marker_bytes(self) -> int:
        """A TCP SYN carries its marker in the sequence number."""
        return 0 if self.protocol is Protocol.TCP else _MARKER_BYTES


def _check_range(name: str, got: int, low: int, high: int) -> None:
    if not low <= got <= high:
        raise UsageError(f"{name}: got {got}, expected {low}-{high}")
