"""What of a packet is the same at every hop, unless it is damaged (pure)."""

from __future__ import annotations

_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_TAGS = (0x8100, 0x88A8)
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_CHANGED = {_ICMP: ((2, 6),), _ICMPV6: ((2, 6),), _UDP: ((0, 4), (6, 8)), _TCP: ((0, 4), (16, 18))}
"""What NAT rewrites of a transport header, from and to: ports, an echo's number, the checksum.

A checksum is not there yet either where a NIC is to compute it.
"""
_CHECKSUMS = {_UDP: 6, _TCP: 16}


def untagged(frame: bytes) -> bytes:
    """The frame without its tags, and without the checksum of a UDP or TCP header."""
    at, _ = _behind_tags(frame)
    plain = bytearray(frame[:12] + frame[at - 2 :])
    start, protocol = _ETHERNET_BYTES, plain[23:24]
    if plain[12:14] == b"\x08\x00":
        header = (plain[start] & 0x0F) * 4 if len(plain) > start else 0
    else:
        header, protocol = 40, plain[20:21]
    if protocol and protocol[0] in _CHECKSUMS:
        first = start + header + _CHECKSUMS[protocol[0]]
        plain[first : first + 2] = bytes(2)
    return bytes(plain)


def essence(frame: bytes) -> bytes | None:
    """The transport protocol and its message without what NAT changes.

    None of a fragment, and of what is no IP packet with one of ICMP, TCP and UDP.
    """
    at, ethertype = _behind_tags(frame)
    packet = frame[at:]
    if len(packet) < 20:
        return None
    if ethertype == 0x0800:
        length, header = int.from_bytes(packet[2:4]), (packet[0] & 0x0F) * 4
        whole, protocol = not int.from_bytes(packet[6:8]) & 0x3FFF, packet[9]
    else:
        length, header = 40 + int.from_bytes(packet[4:6]), 40
        whole, protocol = ethertype == 0x86DD, packet[6]
    if not whole or protocol not in _CHANGED:
        return None
    message = bytearray(packet[header:length])
    for start, end in _CHANGED[protocol]:
        message[start:end] = bytes(end - start)
    return bytes([protocol]) + bytes(message)


def _behind_tags(frame: bytes) -> tuple[int, int]:
    """Where the packet begins, and its Ethertype."""
    at, ethertype = _ETHERNET_BYTES, int.from_bytes(frame[12:14])
    while ethertype in _TAGS:
        ethertype = int.from_bytes(frame[at + 2 : at + 4])
        at += _TAG_BYTES
    return at, ethertype
