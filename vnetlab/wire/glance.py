"""What a captured frame is to a matrix of probes: its marker alone, read at a glance (pure).

`vnetlab.wire.frames` dissects a probe's frames in full; a matrix has a hundred thousand of them.
Only what the filter of `vnetlab.wire.bpf` lets pass comes here, so that the layout is known.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from vnetlab.trace.icmp import ERROR_TYPES, IcmpError
from vnetlab.trace.sighting import PacketKind

_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_TAGS = (0x8100, 0x88A8)
_VERSIONS = {0x0800: 4, 0x86DD: 6}
_ICMP, _TCP, _UDP, _FRAGMENT, _ICMPV6 = 1, 6, 17, 44, 58
_IPV6_BYTES, _FRAGMENT_BYTES, _ICMP_BYTES = 40, 8, 8
_ACK, _RST = 0x10, 0x04
_ECHOES = {
    (_ICMP, 8): PacketKind.REQUEST,
    (_ICMP, 0): PacketKind.REPLY,
    (_ICMPV6, 128): PacketKind.REQUEST,
    (_ICMPV6, 129): PacketKind.REPLY,
}


class Glance(Struct, frozen=True, kw_only=True):
    """`word` is where the marker would be; `error` what an ICMP error says of that packet."""

    kind: PacketKind
    word: int = 0
    error: IcmpError | None = None


_Place: TypeAlias = tuple[int, int]
"""A transport protocol, and where its header begins."""


def glance(frame: bytes, port: int) -> Glance | None:
    """Read the marker of a frame; `port` is the one that datagrams are sent to.

    None for what can be no packet of a probe, a frame that is cut short among it.
    """
    at, ethertype = _ETHERNET_BYTES, _half(frame, 12)
    if ethertype in _TAGS:
        at, ethertype = at + _TAG_BYTES, _half(frame, 16)
    version = _VERSIONS.get(ethertype)
    if version is None or len(frame) < at + 1:
        return None
    protocol, at = _behind_ip(frame, at, version)
    own = _ICMP if version == 4 else _ICMPV6
    if protocol == own and len(frame) > at + 1 and frame[at] in ERROR_TYPES[version]:
        quoted = _behind_ip(frame, at + _ICMP_BYTES, version)
        kind, word = _read(frame, quoted, port)
        is_reply = kind is not PacketKind.REQUEST
        error = IcmpError(version=version, type=frame[at], code=frame[at + 1], about_reply=is_reply)
        return Glance(kind=PacketKind.ERROR, word=word, error=error) if kind else None
    kind, word = _read(frame, (protocol, at), port)
    return Glance(kind=kind, word=word) if kind else None


def untagged(frame: bytes) -> bytes:
    """What follows the Ethernet header, and a tag if there is one."""
    tag = _TAG_BYTES if _half(frame, 12) in _TAGS else 0
    return frame[_ETHERNET_BYTES + tag :]


def _behind_ip(frame: bytes, at: int, version: int) -> _Place:
    if version == 4:
        return _byte(frame, at + 9), at + (_byte(frame, at) & 0x0F) * 4
    protocol, behind = _byte(frame, at + 6), at + _IPV6_BYTES
    if protocol == _FRAGMENT:
        return _byte(frame, behind), behind + _FRAGMENT_BYTES
    return protocol, behind


def _read(frame: bytes, place: _Place, port: int) -> tuple[PacketKind | None, int]:
    """Of a TCP segment that an ICMP error quotes, the first 8 bytes may be all there is."""
    protocol, at = place
    if protocol == _TCP:
        flags = _byte(frame, at + 13)
        if not flags & _ACK:
            return PacketKind.REQUEST, _word(frame, at + 4)
        return (PacketKind.RESET if flags & _RST else PacketKind.REPLY), _word(frame, at + 8)
    if protocol == _UDP:
        asks = _half(frame, at + 2) == port
        return (PacketKind.REQUEST if asks else PacketKind.REPLY), _word(frame, at + 8)
    return _ECHOES.get((protocol, _byte(frame, at))), _word(frame, at + 8)


def _byte(frame: bytes, at: int) -> int:
    return frame[at] if at < len(frame) else 0


def _half(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 4], "big")
