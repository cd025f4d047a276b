"""What a frame of anybody's traffic says of itself, and by what it is known again (pure).

How it works
------------
Packets of real traffic bear no mark. What does not change on their way identifies them: neither
routing (MAC addresses, TTL), tagging, address translation (addresses, ports, the echo's id,
checksums) nor segmentation touches what their `key` is made of. It is, behind the IP version, the
protocol and IPv4's identification:

- TCP: the sequence and acknowledgement numbers, SYN and RST, and whether it carries data. The
  first segment of a large one that is cut in pieces has the same.
- UDP: its length and its first bytes.
- ICMP and ICMPv6: type, code, the echo's sequence number, and the first bytes behind them.
- other protocols: their first bytes.
- ARP and neighbour discovery: the operation, and the addresses that it is about.

Of a packet in fragments the first stands for the whole. Frames with a length in place of an
EtherType (spanning tree) are nobody's traffic.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any, TypeAlias

from msgspec import Struct

from vnetlab.trace.icmp import ERROR_TYPES, IcmpError
from vnetlab.trace.request import IpAddress
from vnetlab.trace.sighting import PacketKind

Key: TypeAlias = tuple[int | bytes, ...]
"""What a packet is known by, at every hop."""

_TAGS = (0x8100, 0x88A8)
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP, FRAGMENT, ICMPV6 = 1, 6, 17, 44, 58
_HOP_BY_HOP, _ROUTING, _OPTIONS = 0, 43, 60
_ECHO_REQUESTS = {(ICMP, 8), (ICMPV6, 128)}
_ECHO_REPLIES = {(ICMP, 0), (ICMPV6, 129)}
_SOLICITATION, _ADVERTISEMENT = 135, 136
_FIRST_BYTES = 32
_SYN, _RST, _ACK = 0x02, 0x04, 0x10


class Headers(Struct, frozen=True, kw_only=True):
    """A frame's headers. Ports are 0 where there are none; an echo's id stands in both.

    `kind` tells questions and answers of neighbour resolution, whose address is `target`, from all
    else, REQUEST. `length` is that of the IP packet. `quoted` is the key of the packet that an ICMP
    error is about. `asks`: an echo request or a TCP SYN, which wants an answer; `answers`: an
    echo reply, or a TCP segment that a SYN is answered with. `word` pairs these.
    """

    key: Key
    kind: PacketKind
    source_mac: str
    destination_mac: str
    source: IpAddress
    destination: IpAddress
    vlan: int | None = None
    protocol: int = 0
    source_port: int = 0
    destination_port: int = 0
    icmp_type: int | None = None
    ttl: int | None = None
    dscp: int = 0
    length: int = 0
    dont_fragment: bool = False
    target: IpAddress | None = None
    error: IcmpError | None = None
    quoted: Key | None = None
    asks: bool = False
    answers: bool = False
    word: int = 0

    @property
    def is_group(self) -> bool:
        """Whether it is meant for many: by its MAC address, or by that of IP."""
        return bool(int(self.destination_mac[:2], 16) & 1) or self.destination.is_multicast

    @property
    def conversation(self) -> tuple[int, IpAddress, IpAddress, int, int]:
        """Protocol, addresses and ports."""
        ports = (self.source_port, self.destination_port)
        return (self.protocol, self.source, self.destination, *ports)

    @property
    def reverse(self) -> tuple[int, IpAddress, IpAddress, int, int]:
        """The same, of what comes back."""
        ports = (self.destination_port, self.source_port)
        return (self.protocol, self.destination, self.source, *ports)


@lru_cache(maxsize=1024)
def read_headers(frame: bytes) -> Headers | None:
    """Read a frame; None for what cannot be followed: no IP or ARP, cut short, a later fragment.

    Most hops see the same bytes as the hop before.
    """
    try:
        return _read(frame)
    except (IndexError, ValueError):
        return None


def _read(frame: bytes) -> Headers | None:
    at, vlan, ethertype = 14, None, _half(frame, 12)
    if ethertype in _TAGS:
        at, vlan, ethertype = 18, _half(frame, 14) & 0xFFF, _half(frame, 16)
    macs: _Facts = {"destination_mac": _mac(frame[0:6]), "source_mac": _mac(frame[6:12])}
    if ethertype == _ARP:
        return _read_arp(frame[at:], macs, vlan)
    if ethertype == _IPV4:
        return _read_ipv4(frame[at:], macs, vlan)
    return _read_ipv6(frame[at:], macs, vlan) if ethertype == _IPV6 else None


_Facts: TypeAlias = dict[str, Any]
"""Fields of a Headers."""


def _read_arp(arp: bytes, macs: _Facts, vlan: int | None) -> Headers | None:
    """RFC 826, for IPv4 over Ethernet alone."""
    if arp[2:6] != b"\x08\x00\x06\x04":
        return None
    asks = _half(arp, 6) == 1
    sender, target = ip_address(arp[14:18]), ip_address(arp[24:28])
    return Headers(
        key=(_ARP, _half(arp, 6), arp[8:18], arp[24:28]),
        kind=PacketKind.WHO_HAS if asks else PacketKind.IS_AT,
        source=sender,
        destination=target,
        target=target if asks else sender,
        vlan=vlan,
        length=28,
        **macs,
    )


def _read_ipv4(ip: bytes, macs: _Facts, vlan: int | None) -> Headers | None:
    flags = _half(ip, 6)
    if flags & 0x1FFF:
        return None
    length, own = _half(ip, 2), (ip[0] & 0x0F) * 4
    transport = _read_transport(4, ip[9], ip[own:length], _half(ip, 4))
    return Headers(
        source=ip_address(ip[12:16]),
        destination=ip_address(ip[16:20]),
        vlan=vlan,
        ttl=ip[8],
        dscp=ip[1] >> 2,
        length=length,
        dont_fragment=bool(flags & 0x4000),
        **macs,
        **transport,
    )


def _read_ipv6(ip: bytes, macs: _Facts, vlan: int | None) -> Headers | None:
    protocol, at = ip[6], 40
    while protocol in (_HOP_BY_HOP, _ROUTING, _OPTIONS, FRAGMENT):
        if protocol == FRAGMENT and _half(ip, at + 2) & 0xFFF8:
            return None
        size = 8 if protocol == FRAGMENT else (ip[at + 1] + 1) * 8
        protocol, at = ip[at], at + size
    length = 40 + _half(ip, 4)
    transport = _read_transport(6, protocol, ip[at:length], 0)
    return Headers(
        source=ip_address(ip[8:24]),
        destination=ip_address(ip[24:40]),
        vlan=vlan,
        ttl=ip[7],
        dscp=(_half(ip, 0) >> 6) & 0x3F,
        length=length,
        dont_fragment=True,
        **macs,
        **transport,
    )


def _read_transport(version: int, protocol: int, data: bytes, ident: int) -> _Facts:
    """The fields of a Headers that a transport message tells."""
    key = _key(version, protocol, data, ident)
    facts: _Facts = {"key": key, "kind": PacketKind.REQUEST, "protocol": protocol}
    if protocol in (TCP, UDP):
        facts |= {"source_port": _half(data, 0), "destination_port": _half(data, 2)}
    if protocol == TCP:
        flags = data[13]
        facts["asks"] = bool(flags & _SYN) and not flags & _ACK
        facts["answers"] = bool(flags & _ACK and flags & (_SYN | _RST))
        facts["word"] = (_word(data, 4) + 1 if facts["asks"] else _word(data, 8)) % 2**32
    if protocol in (ICMP, ICMPV6):
        facts |= _read_icmp(version, protocol, data)
    return facts


def _read_icmp(version: int, protocol: int, data: bytes) -> _Facts:
    kind = data[0]
    facts: _Facts = {"icmp_type": kind}
    if (protocol, kind) in _ECHO_REQUESTS | _ECHO_REPLIES:
        facts |= {
            "source_port": _half(data, 4),
            "destination_port": _half(data, 4),
            "word": _half(data, 6),
            "asks": (protocol, kind) in _ECHO_REQUESTS,
            "answers": (protocol, kind) in _ECHO_REPLIES,
        }
    elif kind in ERROR_TYPES[version]:
        facts["error"] = IcmpError(version=version, type=kind, code=data[1])
        facts["quoted"] = _quoted_key(version, data[8:])
    elif protocol == ICMPV6 and kind in (_SOLICITATION, _ADVERTISEMENT):
        asks = kind == _SOLICITATION
        facts["kind"] = PacketKind.WHO_HAS if asks else PacketKind.IS_AT
        facts["target"] = ip_address(data[8:24])
    return facts


def _quoted_key(version: int, ip: bytes) -> Key | None:
    try:
        if version == 4:
            own = (ip[0] & 0x0F) * 4
            return _key(4, ip[9], ip[own:], _half(ip, 4))
        return _key(6, ip[6], ip[40:], 0)
    except IndexError:
        return None


def _key(version: int, protocol: int, data: bytes, ident: int) -> Key:
    start = (version, protocol, ident)
    if protocol == TCP:
        carries = len(data) > (data[12] >> 4) * 4
        return (*start, _word(data, 4), _word(data, 8), data[13] & (_SYN | _RST), carries)
    if protocol == UDP:
        return (*start, _half(data, 4), data[8 : 8 + _FIRST_BYTES])
    if protocol in (ICMP, ICMPV6):
        return (*start, data[:2], data[6:8], data[8 : 8 + _FIRST_BYTES])
    return (*start, data[:_FIRST_BYTES])


def _mac(octets: bytes) -> str:
    return octets.hex(":")


def _half(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _word(data: bytes, at: int) -> int:
    return _half(data, at) << 16 | _half(data, at + 2)
