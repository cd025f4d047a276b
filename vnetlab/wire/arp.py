"""An ARP message of IPv4 over Ethernet, and the marker that may follow it (pure)."""

from __future__ import annotations

from ipaddress import IPv4Address

from msgspec import Struct

from vnetlab.trace.request import ARP_BYTES
from vnetlab.wire.marker import Marker

_FOR_IPV4 = bytes((0x08, 0x00, 6, 4))
"""Its protocol type, and the lengths of its addresses in bytes (RFC 826)."""
_REQUEST = 1
_WORD_BYTES = 4


class ArpMessage(Struct, frozen=True, kw_only=True):
    """`sender` and `target` are its protocol addresses; `sequence` is a probe's packet's."""

    asks: bool
    sender: IPv4Address
    target: IPv4Address
    sequence: int | None = None


def read_arp(message: bytes, marker: Marker) -> ArpMessage | None:
    """Read what follows the Ethernet header; None for another protocol's, or one cut short."""
    if len(message) < ARP_BYTES or message[2:6] != _FOR_IPV4:
        return None
    padding = message[ARP_BYTES : ARP_BYTES + _WORD_BYTES]
    asks = int.from_bytes(message[6:8]) == _REQUEST
    marked = asks and len(padding) == _WORD_BYTES
    return ArpMessage(
        asks=asks,
        sender=IPv4Address(message[14:18]),
        target=IPv4Address(message[24:28]),
        sequence=marker.sequence(int.from_bytes(padding)) if marked else None,
    )
