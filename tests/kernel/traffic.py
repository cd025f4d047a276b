"""Datagrams between two nodes: sent, counted and timed, without a process in either."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kernel.conftest import Bench
from vnetlab.kernel.namespaces import entered

SO_RCVBUFFORCE = 33  # asm-generic/socket.h: no matter what net.core.rmem_max says
_PORT = 7000
_QUIET_S = 1.0  # nothing for so long: nothing comes any more
_TWICE_S = 0.2  # all are there: only what comes twice may follow


class Traffic:
    """Two sockets, each in its node and connected to the other."""

    def __init__(self, here: socket.socket, there: socket.socket) -> None:
        self._here = here
        self._there = there

    @classmethod
    @contextmanager
    def between(cls, bench: Bench, *ends: tuple[str, str]) -> Iterator[Traffic]:
        """Of two nodes, each with the address that it has."""
        sockets = []
        for node, address in ends:
            with entered(bench.lab().namespace(node)):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                made = socket.socket(family, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
            made.bind((address, _PORT))
            made.settimeout(_QUIET_S)
            sockets.append(made)
        for mine, (_, address) in zip(sockets, reversed(ends), strict=True):
            mine.connect((address, _PORT))
        here, there = sockets
        with here, there:
            yield cls(here, there)

    @staticmethod
    def shout(bench: Bench, node: str, address: str, count: int, *, size_bytes: int = 972) -> None:
        """Send numbered datagrams from a node to a broadcast or multicast address."""
        with entered(bench.lab().namespace(node)):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            for number in range(count):
                sender.sendto(number.to_bytes(4, "big") + bytes(size_bytes - 4), (address, _PORT))

    def send(self, count: int, *, size_bytes: int = 972) -> list[int]:
        """Send numbered datagrams; return the numbers of those that arrive, in their order."""
        return _send(self._here, self._there, count, size_bytes)

    def send_back(self, count: int, *, size_bytes: int = 972) -> list[int]:
        """The other way round."""
        return _send(self._there, self._here, count, size_bytes)

    def exchange(self) -> bytes:
        """Send one byte there; return what of it arrived."""
        self._here.send(b"!")
        try:
            return self._there.recv(1)
        except TimeoutError:
            return b""

    def fastest_answer_s(self, count: int) -> float:
        """The shortest time from a question to its answer."""
        fastest = float("inf")
        for _ in range(count):
            started = time.monotonic()
            self._here.send(b"?")
            self._there.send(self._there.recv(100))
            self._here.recv(100)
            fastest = min(fastest, time.monotonic() - started)
        return fastest


def _send(sender: socket.socket, receiver: socket.socket, count: int, size_bytes: int) -> list[int]:
    for number in range(count):
        sender.send(number.to_bytes(4, "big") + bytes(size_bytes - 4))
    arrived: list[int] = []
    try:
        while True:
            receiver.settimeout(_QUIET_S if len(set(arrived)) < count else _TWICE_S)
            arrived.append(int.from_bytes(receiver.recv(65536)[:4], "big"))
    except TimeoutError:
        return arrived
    finally:
        receiver.settimeout(_QUIET_S)
