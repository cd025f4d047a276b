"""The attributes of a netlink message (pure): netlink(7), struct nlattr."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("=HH")
_TYPE = 0x3FFF  # NLA_TYPE_MASK


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """Type and content of each attribute in `data`."""
    found = []
    at, last = 0, len(data) - _HEADER.size
    unpack = _HEADER.unpack_from
    while at <= last:
        length, kind = unpack(data, at)
        if length < _HEADER.size:
            break
        found.append((kind & _TYPE, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found
