"""What a guest's socket is given to send: echoes, datagrams and SYNs that bear a marker (pure).

Made by hand, since a matrix of probes sends thousands of them. The checksum is that of RFC 1071,
over the pseudo-header of RFC 8200, 8.1, and RFC 9293, 3.1, where the protocol wants one.
"""

from __future__ import annotations

import struct

from vnetlab.trace.request import ProbeRequest, Protocol
from vnetlab.wire.marker import Marker

_ECHO = struct.Struct("!BBHHH")
_ECHO_REQUEST = {4: 8, 6: 128}
_SEGMENT = struct.Struct("!HHIIBBHHH")
_DATA_OFFSET = 5 << 4
_SYN = 0x02
_WINDOW = 8192
_PSEUDO_HEADER = struct.Struct("!IxxxB")
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
PROTOCOLS = {
    4: {Protocol.ICMP: _ICMP, Protocol.TCP: _TCP, Protocol.UDP: _UDP},
    6: {Protocol.ICMP: _ICMPV6, Protocol.TCP: _TCP, Protocol.UDP: _UDP},
}
_ONES = 0xFFFF


def build_message(request: ProbeRequest, marker: Marker, sequence: int, source_port: int) -> bytes:
    """Return what the guest's socket is given to send as packet `sequence`.

    That is an ICMP message or a TCP segment, its header included, or a UDP datagram's payload.
    """
    word = marker.word(sequence)
    if request.protocol is Protocol.UDP:
        return _payload(word, request.payload_bytes)
    if request.protocol is Protocol.TCP:
        return _segment(request, word, source_port)
    version = request.endpoints.version
    identifier, number = marker.bits & _ONES, sequence + 1 & _ONES
    payload = _payload(word, request.payload_bytes)
    blank = _ECHO.pack(_ECHO_REQUEST[version], 0, 0, identifier, number) + payload
    pseudo = _pseudo_header(request, _ICMPV6, len(blank)) if version == 6 else b""
    sum_ = _checksum(pseudo + blank)
    return _ECHO.pack(_ECHO_REQUEST[version], 0, sum_, identifier, number) + payload


def _segment(request: ProbeRequest, word: int, source_port: int) -> bytes:
    filling = _filling(request.payload_bytes)

    def segment(sum_: int) -> bytes:
        header = (source_port, request.port, word, 0, _DATA_OFFSET, _SYN, _WINDOW, sum_, 0)
        return _SEGMENT.pack(*header) + filling

    blank = segment(0)
    return segment(_checksum(_pseudo_header(request, _TCP, len(blank)) + blank))


def _pseudo_header(request: ProbeRequest, protocol: int, length: int) -> bytes:
    """In the order of IPv6; the sum is the same for IPv4, whose fields are other only in width."""
    ends = request.endpoints
    addresses = ends.source_address.packed + ends.destination_address.packed
    return addresses + _PSEUDO_HEADER.pack(length, protocol)


def adds_up(data: bytes) -> bool:
    """Whether what has its checksum in it is as it was when that was made (RFC 1071)."""
    return _sum(data) == 0


def _checksum(data: bytes) -> int:
    """The one's complement of the one's complement sum of all 16-bit words."""
    return _ONES - _sum(data)


def _sum(data: bytes) -> int:
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % _ONES


def _payload(word: int, length: int) -> bytes:
    return word.to_bytes(4, "big") + _filling(length - 4)


def _filling(length: int) -> bytes:
    """Bytes that count, so that damage is easy to see."""
    return bytes(number & 0xFF for number in range(length))
