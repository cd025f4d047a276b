"""EFFECT: a netlink socket of one namespace: many changes in one send, dumps in one read.

How it works: messages are pyroute2's, the socket is a plain one. Requests go out packed into a few
large sends. Only the last of each send asks for an acknowledgement: the kernel works through them
in order and reports the failures of the others by itself, so when the last one is answered all are
done (Documentation/userspace-api/netlink/intro.rst).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from msgspec import Struct
from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.encode import encode
from vnetlab.kernel.rows import Layout, Row, decoded

SOL_NETLINK = 270  # linux/netlink.h
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12

_NLM_F_DUMP_INTR = 0x10
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLMSGERR_ATTR_MSG = 1
_GONE = (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_SEND_BYTES = 48 * 1024  # well below net.core.wmem_default
_READ_BYTES = 256 * 1024
_SO_SNDBUFFORCE = 32  # asm-generic/socket.h


class TransactionTooLargeError(KernelRefusedError):
    """The kernel was not even asked: in a user namespace a socket holds 2 * net.core.wmem_max."""


class Request(Struct, frozen=True):
    """A message to the kernel, encoded but for its sequence number, and what it is for.

    `removes` says that it does no harm if the object is gone already: a veth's end goes by itself
    some time after its peer's namespace went. `harmless` is another error that does none.
    """

    message: Any
    purpose: str
    removes: bool = False
    harmless: int | None = None


class Channel:
    """A socket in the namespace that the thread is in when it is made, and stays in."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = count(1)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return self._socket.fileno()

    def change(self, requests: Iterable[Request]) -> None:
        """Carry out `requests` in their order.

        Raises KernelRefusedError with the first that failed; those after it were tried too.
        """
        failures: list[str] = []
        batch = _Batch()
        for request in requests:
            batch.add(request, next(self._sequence))
            if len(batch.encoded) > _SEND_BYTES:
                failures += self._send(batch)
                batch = _Batch()
        if batch.encoded:
            failures += self._send(batch)
        if failures:
            raise KernelRefusedError(failures[0])

    def change_at_once(self, begin: Any, requests: Iterable[Request], end: Any) -> None:
        """Carry out `requests`, which `begin` and `end` enclose, all or (if one fails) none.

        Raises KernelRefusedError with the first that failed, TransactionTooLargeError where the
        socket cannot hold them.
        """
        batch = _Batch()
        opening = next(self._sequence)
        batch.add(Request(message=begin, purpose="change nftables"), opening)
        for request in requests:
            batch.add(request, next(self._sequence))
        encoded = batch.closed() + encode(end, 0, next(self._sequence))
        self._send_whole(encoded)
        failures = self._answers(batch, opening)
        if failures:
            raise KernelRefusedError(failures[0])

    def dump(self, message: Any) -> list[Any]:
        """Return all objects that the kernel lists for `message`, as messages of the same kind.

        It is asked again if they changed meanwhile.
        """
        return [decoded(type(message), raw) for raw in self.dump_raw(message)]

    def dump_raw(self, message: Any) -> list[bytes]:
        """Return what `dump` does as it came, each message with its header."""
        return self._dump(lambda sequence: encode(message, NLM_F_DUMP, sequence))

    def dump_rows(self, layout: Layout) -> list[Row]:
        """Return all objects of a kind."""
        body = bytes(layout.front.size)  # of every family
        return [Row(raw, layout) for raw in self._dump_for(layout.request, body)]

    def dump_bodies(self, kind: int, body: bytes) -> list[bytes]:
        """Return all objects for a request of that type and content, each without its header."""
        return [reply[_HEADER.size :] for reply in self._dump_for(kind, body)]

    def _dump_for(self, kind: int, body: bytes) -> list[bytes]:
        def encoded(sequence: int) -> bytes:
            length = _HEADER.size + len(body)
            return _HEADER.pack(length, kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0) + body

        return self._dump(encoded)

    def _dump(self, encoded: Callable[[int], bytes]) -> list[bytes]:
        """Send the request, which a sequence number makes complete, until all holds together."""
        while True:
            self._socket.send(encoded(next(self._sequence)))
            replies = list(self._replies())
            if not any(_flags(reply) & _NLM_F_DUMP_INTR for reply in replies):
                return replies

    def _send(self, batch: _Batch) -> list[str]:
        """Send one batch and return its failures."""
        self._socket.send(batch.closed())
        return self._answers(batch)

    def _answers(self, batch: _Batch, opening: int = 0) -> list[str]:
        """The failures of a batch; one of its `opening` says that the rest was not looked at."""
        failures: list[str] = []
        while True:
            for kind, answered, reply in _split(self._socket.recv(_READ_BYTES)):
                if kind != _NLMSG_ERROR:
                    continue
                failure = _failure(reply, batch.requests[answered])
                if failure is not None:
                    failures.append(failure)
                if answered in (batch.last, opening):
                    return failures

    def _send_whole(self, encoded: bytes | bytearray) -> None:
        """Send what may be larger than a socket's buffer usually is."""
        wanted = 2 * len(encoded) + _READ_BYTES
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, wanted)
        except PermissionError:  # root of a user namespace only has as much as net.core.wmem_max
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wanted)
        try:
            self._socket.send(encoded)
        except OSError as error:
            raise TransactionTooLargeError(
                f"the kernel takes no transaction of {len(encoded)} bytes: {error.strerror}",
                fix="run vnetlab as root, raise net.core.wmem_max, or use fewer rules",
            ) from None

    def _replies(self) -> Iterator[bytes]:
        while True:
            for kind, _, reply in _split(self._socket.recv(_READ_BYTES)):
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    raise KernelRefusedError(f"the kernel refused a dump: {_words(reply)}")
                yield reply


class _Batch:
    """Requests encoded one behind the other for one send."""

    def __init__(self) -> None:
        self.encoded = bytearray()
        self.requests: dict[int, Request] = {}
        self.last = 0
        self._start_of_last = 0

    def add(self, request: Request, sequence: int) -> None:
        self._start_of_last = len(self.encoded)
        self.encoded += encode(request.message, 0, sequence)
        self.requests[sequence] = request
        self.last = sequence

    def closed(self) -> bytearray:
        """The bytes, with an acknowledgement asked for on the last request."""
        length, kind, flags, *rest = _HEADER.unpack_from(self.encoded, self._start_of_last)
        _HEADER.pack_into(self.encoded, self._start_of_last, length, kind, flags | NLM_F_ACK, *rest)
        return self.encoded


def _split(received: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield type, sequence number and bytes of each message."""
    at = 0
    while at < len(received):
        length, kind, _, sequence, _ = _HEADER.unpack_from(received, at)
        yield kind, sequence, received[at : at + length]
        at += -(-length // 4) * 4


def _failure(reply: bytes, request: Request) -> str | None:
    """Say what went wrong with a request; None for an acknowledgement."""
    code = _code(reply)
    if code in (0, request.harmless) or (request.removes and code in _GONE):
        return None
    return f"the kernel refused to {request.purpose}: {_words(reply)}"


def _code(reply: bytes) -> int:
    (code,) = struct.unpack_from("=i", reply, _HEADER.size)
    return -int(code)


def _words(reply: bytes) -> str:
    words = os.strerror(_code(reply))
    detail = _extended(reply)
    return f"{words} ({detail})" if detail else words


def _extended(reply: bytes) -> str | None:
    """Return the extended acknowledgement's text: NLMSGERR_ATTR_MSG."""
    echoed = _HEADER.size  # NETLINK_CAP_ACK: only the header of our request comes back
    for kind, value in attributes(reply[_HEADER.size + 4 + echoed :]):
        if kind == _NLMSGERR_ATTR_MSG:
            return value.rstrip(b"\0").decode(errors="replace")
    return None


def _flags(reply: bytes) -> int:
    _, _, flags, *_ = _HEADER.unpack_from(reply)
    return int(flags)
