"""The classes of classful qdiscs, from their dump (pure).

Layouts: include/uapi/linux/rtnetlink.h, pkt_sched.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.link_tables import number
from vnetlab.state.shaping import TICK_NS
from vnetlab.state.tables import QueueClass

RTM_GETTCLASS = 42
_TCMSG = struct.Struct("=BxxxiIII")  # family, link's index, handle, parent, info
_TCA_KIND, _TCA_OPTIONS = 1, 2
_HTB_PARMS, _HTB_RATE64, _HTB_CEIL64 = 1, 6, 7
_HTB = struct.Struct("=8xI8xIIIIII")  # rate, ceil (each in a tc_ratespec), buffers, quantum...


def class_request(index: int) -> bytes:
    """The content of the request for the classes of a link."""
    return _TCMSG.pack(0, index, 0, 0, 0)


def read_classes(
    netns: str, bodies: Iterable[bytes], names: Mapping[int, str]
) -> Iterator[QueueClass]:
    """All classes of a link."""
    for body in bodies:
        _, index, handle, parent, leaf = _TCMSG.unpack_from(body)
        found = dict(attributes(body[_TCMSG.size :]))
        kind = found[_TCA_KIND].rstrip(b"\0").decode()
        options = _htb_options(found.get(_TCA_OPTIONS, b"")) if kind == "htb" else {}
        yield QueueClass(
            netns=netns,
            link=names[index],
            handle=handle,
            parent=parent,
            kind=kind,
            leaf=leaf,
            options=tuple(sorted(options.items())),
        )


def _htb_options(content: bytes) -> dict[str, int]:
    found = dict(attributes(content))
    rate, ceil, burst, ceil_burst, quantum, _, priority = _HTB.unpack_from(found[_HTB_PARMS])
    return {
        "rate_bit_s": 8 * (number(found[_HTB_RATE64]) if _HTB_RATE64 in found else rate),
        "ceil_bit_s": 8 * (number(found[_HTB_CEIL64]) if _HTB_CEIL64 in found else ceil),
        "burst_ns": burst * TICK_NS,
        "ceil_burst_ns": ceil_burst * TICK_NS,
        "quantum_bytes": quantum,
        "priority": priority,
    }
