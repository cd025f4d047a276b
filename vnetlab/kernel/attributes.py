"""The attributes of a netlink message (pure): netlink(7), struct nlattr."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_TYPE = 0x3FFF  # NLA_TYPE_MASK


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each attribute in `data`."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & _TYPE, data[at + 4 : at + length]
        at += -(-length // 4) * 4
