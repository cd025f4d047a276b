"""Who sends by a link: the bytes of each flow, counted at a tap of its own (effect)."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections import Counter
from ipaddress import ip_address
from typing import Self

from vnetlab.diagnosis.queues import Flow
from vnetlab.errors import MissingFeatureError
from vnetlab.state.objects import LinkId
from vnetlab.wire.taps import Enter

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("=II")  # struct tpacket_auxdata begins with status and length
_HEADERS = 128
_MOST = 50_000
_ETHERNET_BYTES, _TAGS = 14, (0x8100, 0x88A8)
_WITH_PORTS = (6, 17)


class Crowd:
    """Counts what goes out of a link. Use it as a context manager: leaving it closes its socket.

    Raises MissingFeatureError without CAP_NET_RAW.
    """

    def __init__(self, link: LinkId, enter: Enter) -> None:
        self.flows: Counter[Flow] = Counter()
        with enter(link.netns):
            try:
                self._tap = socket.socket(
                    socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)
                )
            except PermissionError as error:
                raise MissingFeatureError(
                    f"probe: the kernel refused a packet socket in {link.netns}",
                    fix="it takes CAP_NET_RAW there: be root, or use another realm",
                ) from error
            self._tap.bind((link.name, _ETH_P_ALL))
        self._tap.setblocking(False)
        self._tap.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tap.close()

    def count(self, timeout_s: float) -> None:
        """Wait for packets, and count those that are there."""
        select.select([self._tap], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST):
                frame, ancillary, _, address = self._tap.recvmsg(_HEADERS, 256)
                if address[2] == _PACKET_OUTGOING:
                    self.flows[_flow(frame)] += _length(ancillary, len(frame))


def _length(ancillary: list[tuple[int, int, bytes]], read: int) -> int:
    """The frame's whole length, of which only the beginning is read."""
    for level, kind, content in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            return int(_AUXDATA.unpack_from(content)[1])
    return read


def _flow(frame: bytes) -> Flow:
    at, ethertype = _ETHERNET_BYTES, int.from_bytes(frame[12:14])
    while ethertype in _TAGS:
        ethertype = int.from_bytes(frame[at + 2 : at + 4])
        at += 4
    packet = frame[at:]
    if ethertype == 0x0800 and len(packet) >= 20:
        header, protocol, first, size = (packet[0] & 0x0F) * 4, packet[9], 12, 4
    elif ethertype == 0x86DD and len(packet) >= 40:
        header, protocol, first, size = 40, packet[6], 8, 16
    else:
        return Flow(source=frame[6:12].hex(":"), destination=frame[:6].hex(":"))
    ports = [int.from_bytes(packet[header + i : header + i + 2]) for i in (0, 2)]
    return Flow(
        source=ip_address(packet[first : first + size]),
        destination=ip_address(packet[first + size : first + 2 * size]),
        protocol=protocol,
        port=min(ports) if protocol in _WITH_PORTS else None,
    )
