"""A probe's packets as a capture file that Wireshark opens: pcapng (pure).

One interface per tapped link, in the order of the path; the packets of all of them in the order
of time, to the nanosecond, each with its direction and a comment that says where it was seen.
Format: draft-ietf-opsawg-pcapng; numbers are little-endian here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import count

from vnetlab.state.show import ROLE_WORDS
from vnetlab.trace.path import Hop
from vnetlab.trace.sighting import Direction
from vnetlab.trace.trace import Step, Trace

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6  # block types
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_VERSION = (1, 0)
_UNKNOWN_LENGTH = -1
_LINKTYPE_ETHERNET = 1
_NO_SNAPLEN = 0

_END_OF_OPTIONS, _COMMENT = 0, 1
_USER_APPLICATION = 4  # of a section
_NAME, _DESCRIPTION, _TIME_RESOLUTION = 2, 3, 9  # of an interface
_FLAGS = 2  # of a packet
_NANOSECONDS = bytes([9])
_DIRECTION_FLAG = {Direction.IN: 1, Direction.OUT: 2}


def render_pcapng(trace: Trace) -> bytes:
    """Return the file's content. Neighbour resolution for the probe's next hops is in it."""
    commented = sorted(_comment_steps(trace), key=lambda pair: pair[0].sighting.time_ns)
    planned = [*trace.forward.hops, *trace.back.hops, *(step.hop for step, _ in commented)]
    tapped = {(hop.netns, hop.ifname): hop for hop in planned}
    number = {link: index for index, link in enumerate(tapped)}
    packets = (
        _packet(step, number[step.hop.netns, step.hop.ifname], comment)
        for step, comment in commented
    )
    return b"".join((_section(), *map(_interface, tapped.values()), *packets))


def _comment_steps(trace: Trace) -> Iterator[tuple[Step, str]]:
    """Each step, and what to say about it: numbered along the path, as in the text view."""
    for step in trace.resolution:
        yield step, f"neighbour resolution: {_where(step)}"
    for packet in trace.packets:
        which = f"packet {packet.sequence + 1}, " if len(trace.packets) > 1 else ""
        numbers = count(1)
        for step in packet.steps:
            what = "off the expected path" if step.index is None else f"step {next(numbers)}"
            yield step, f"{which}{what}: {_where(step)}"


def _section() -> bytes:
    head = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, *_VERSION, _UNKNOWN_LENGTH)
    return _block(_SECTION, head, (_USER_APPLICATION, b"vnetlab"))


def _interface(hop: Hop) -> bytes:
    description = f"{ROLE_WORDS[hop.role]} {hop.label}" if hop.role else hop.label
    return _block(
        _INTERFACE,
        struct.pack("<HHI", _LINKTYPE_ETHERNET, 0, _NO_SNAPLEN),
        (_NAME, f"{hop.netns}.{hop.ifname}".encode()),
        (_DESCRIPTION, description.encode()),
        (_TIME_RESOLUTION, _NANOSECONDS),
    )


def _packet(step: Step, interface: int, comment: str) -> bytes:
    sighting = step.sighting
    frame = sighting.frame
    high, low = divmod(sighting.time_ns, 1 << 32)
    return _block(
        _PACKET,
        struct.pack("<IIIII", interface, high, low, len(frame), len(frame)) + _padded(frame),
        (_COMMENT, comment.encode()),
        (_FLAGS, struct.pack("<I", _DIRECTION_FLAG[sighting.direction])),
    )


def _where(step: Step) -> str:
    sighting, hop = step.sighting, step.hop
    what = f"{ROLE_WORDS[hop.role]} {hop.ifname}" if hop.role else hop.ifname
    vlan = f", VLAN {sighting.vlan}" if sighting.vlan is not None else ""
    return f"{hop.netns} {what} {sighting.direction.value}{vlan}"


def _block(kind: int, body: bytes, *options: tuple[int, bytes]) -> bytes:
    content = body + b"".join(_option(code, value) for code, value in options)
    content += _option(_END_OF_OPTIONS, b"")
    length = struct.pack("<I", len(content) + 12)
    return struct.pack("<I", kind) + length + content + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(value: bytes) -> bytes:
    """To a multiple of 4 bytes."""
    return value + bytes(-len(value) % 4)
