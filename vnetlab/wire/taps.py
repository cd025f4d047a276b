"""Packet taps: one AF_PACKET socket per namespace that sees all of its links (effect).

How it works
------------
The socket is bound to no interface, so that it sees every packet that comes IN from a link's
driver or goes OUT to it (packet(7)): IN before ingress tc, nftables and the bridge have judged
it, OUT after they have, and after the queueing discipline. A link that is made during the probe is
seen as well. The filter is attached while the socket still listens to nothing.

The time stamp is the kernel's, taken at the tap. The kernel stamps packets only while somebody
asks for it, and switches that on a moment later; a packet that comes earlier is stamped when it
is read, which is wrong. `wait_for_timestamps` waits until the switch has worked.

The kernel keeps a VLAN tag beside the packet, where the filter and a reader of the bytes do not
see it; it tells it as auxiliary data, and the tap puts it back in its place.

A tap that cannot keep up loses packets and counts them (PACKET_STATISTICS). Closing one makes
the kernel wait until no CPU looks at it any more, some 10 ms; closing all of them at once, each in
a thread, costs one such wait instead of one per namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Self, TypeAlias

from msgspec import Struct

from vnetlab.errors import MissingFeatureError, ProbeError
from vnetlab.trace.sighting import Direction
from vnetlab.wire.bpf import Instruction

Enter: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Enters a node's network namespace, in this thread; a socket opened inside stays there."""

# linux/if_ether.h, linux/if_packet.h, asm-generic/socket.h
_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_TP_STATUS_VLAN_VALID = 0x10
_TP_STATUS_VLAN_TPID_VALID = 0x40
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35

_AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata
_SOCKADDR_LL = struct.Struct("=HHiHBB8s")
_SOCK_FILTER = struct.Struct("=HBBI")
_TIMESPEC = struct.Struct("@qq")
_TAG = struct.Struct("!HH")

_BUFFER_BYTES = 4 << 20
_SNAPLEN = 65535 + 18
BATCH = 256
"""How many packets `drain` takes of one tap at most."""
_TIMESTAMP_WAIT_NS = 100_000_000


class Capture(Struct, frozen=True, kw_only=True):
    """One packet at one tap; `frame` is the Ethernet frame, its VLAN tag in place."""

    time_ns: int
    netns: str
    ifname: str
    direction: Direction
    frame: bytes


class Taps:
    """The open taps of a probe. Use it as a context manager: leaving it closes them."""

    def __init__(self) -> None:
        self._taps: dict[int, tuple[str, socket.socket]] = {}
        self._poll = select.poll()
        self._lost: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        threads = [threading.Thread(target=tap.close) for _, tap in self._taps.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def open(self, netns: str, enter: Enter, program: Sequence[Instruction]) -> None:
        """Tap a namespace with a filter. Raises MissingFeatureError without CAP_NET_RAW."""
        try:
            with enter(netns):
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise MissingFeatureError(
                f"probe: the kernel refused a packet socket in {netns}",
                fix="it takes CAP_NET_RAW there: be root, or use another realm",
            ) from error
        self._taps[tap.fileno()] = (netns, tap)
        tap.setblocking(False)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        with contextlib.suppress(PermissionError):  # without CAP_NET_ADMIN: the usual size
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        _attach(tap, program)
        _listen(tap)
        self._poll.register(tap, select.POLLIN)

    def close(self, netns: str) -> None:
        """End the tap of a namespace, if there is one."""
        for number, (name, tap) in list(self._taps.items()):
            if name == netns:
                self._poll.unregister(tap)
                tap.close()
                del self._taps[number]

    def watch(self, other: socket.socket) -> None:
        """Let `wait` return when `other` is readable, too."""
        self._poll.register(other, select.POLLIN)

    def wait(self, timeout_ns: int) -> None:
        """Wait until there is something to read, or for `timeout_ns`."""
        self._poll.poll(max(timeout_ns, 0) / 1_000_000)

    def drain(self) -> Iterator[Capture]:
        """What the taps have seen by now; a batch of each at most: none can starve the others."""
        for netns, tap in self._taps.values():
            for _ in range(BATCH):
                try:
                    yield _receive(netns, tap)
                except BlockingIOError:
                    break
                except OSError:  # the link that it heard on is gone or down: says so once
                    continue

    def lost(self) -> tuple[tuple[str, int], ...]:
        """The namespaces whose tap lost packets since it was opened, and how many."""
        for netns, tap in self._taps.values():
            raw = tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)  # reading sets it to zero
            _, drops = struct.unpack("=II", raw)
            self._lost[netns] = self._lost.get(netns, 0) + drops
        return tuple((netns, count) for netns, count in self._lost.items() if count)


def wait_for_timestamps(netns: str, enter: Enter) -> None:
    """Wait until the kernel stamps packets when they pass, not when they are read.

    It sends packets to itself over the loopback link of `netns`, until the stamp of one is older
    than the end of its sending. Where that link is down, it waits the whole of the time it would
    try.
    """
    deadline_ns = time.monotonic_ns() + _TIMESTAMP_WAIT_NS
    with enter(netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loop:
        loop.settimeout(_TIMESTAMP_WAIT_NS / 1e9)
        loop.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        loop.bind(("127.0.0.1", 0))
        while time.monotonic_ns() < deadline_ns:
            try:
                loop.sendto(b"", loop.getsockname())
                sent_ns = time.time_ns()
                _, ancillary, _, _ = loop.recvmsg(0, socket.CMSG_SPACE(_TIMESPEC.size))
            except OSError:
                time.sleep(max(deadline_ns - time.monotonic_ns(), 0) / 1e9)
                return
            if _timestamp(ancillary) <= sent_ns:
                return


def _attach(tap: socket.socket, program: Sequence[Instruction]) -> None:
    code = b"".join(
        _SOCK_FILTER.pack(line.code, line.jump_true, line.jump_false, line.operand)
        for line in program
    )
    buffer = ctypes.create_string_buffer(code)
    fprog = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


def _listen(tap: socket.socket) -> None:
    """Bind to all protocols on all links: what Python's own bind() cannot say."""
    address = _SOCKADDR_LL.pack(socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0, b"")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(tap.fileno(), address, len(address)) != 0:
        raise ProbeError(f"probe: cannot listen: {os.strerror(ctypes.get_errno())}")


_Ancillary: TypeAlias = list[tuple[int, int, bytes]]
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size) + socket.CMSG_SPACE(_AUXDATA.size)


def _receive(netns: str, tap: socket.socket) -> Capture:
    frame, ancillary, _, (ifname, _, packet_type, *_) = tap.recvmsg(_SNAPLEN, _ANCILLARY_BYTES)
    return Capture(
        time_ns=_timestamp(ancillary),
        netns=netns,
        ifname=ifname,
        direction=Direction.OUT if packet_type == _PACKET_OUTGOING else Direction.IN,
        frame=_restore_tag(frame, ancillary),
    )


def _timestamp(ancillary: _Ancillary) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    raise ProbeError("probe: the kernel gave no time stamp with a packet, expected SO_TIMESTAMPNS")


def _restore_tag(frame: bytes, ancillary: _Ancillary) -> bytes:
    """Put the tag that the kernel took off back behind the two MAC addresses."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
            if status & _TP_STATUS_VLAN_VALID:
                if not status & _TP_STATUS_VLAN_TPID_VALID:
                    tpid = 0x8100
                return frame[:12] + _TAG.pack(tpid, tci) + frame[12:]
    return frame
