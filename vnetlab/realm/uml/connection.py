"""EFFECT: reaches the keeper of the user's lab kernel, if there is one."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.rundir import run_dir
from vnetlab.realm.uml.frames import FrameReader, Kind, encode

if TYPE_CHECKING:
    from pathlib import Path

    from vnetlab.realm.uml.frames import Frame

SOCKET = "socket"
"""The name of the keeper's socket in `kernel_dir`."""

_READ = 256 * 1024
_ANSWER_S = 10.0


class Status(Struct, frozen=True, kw_only=True):
    """A lab kernel that runs.

    `pid` is that of the lab kernel's main process, `started` is in seconds since the epoch.
    `sessions` counts the commands that run in it. `is_ready` is False while it boots. `labs` maps
    the labs that are up in it to their nodes.
    """

    kernel: str
    pid: int
    keeper_pid: int
    started: float
    memory_mib: int
    sessions: int
    is_ready: bool
    labs: dict[str, list[str]]


def kernel_dir() -> Path:
    """Return where the files of a running lab kernel are; it need not exist."""
    return run_dir() / "kernel"


def running() -> Status | None:
    """Return the state of the user's lab kernel, None if there is none. Changes nothing.

    Raises KernelRefusedError if there is one that does not answer.
    """
    connection = Connection.open()
    if connection is None:
        return None
    with connection:
        connection.socket.settimeout(_ANSWER_S)
        try:
            connection.send(Kind.STATUS)
            answer = connection.receive()
        except TimeoutError:
            raise KernelRefusedError(
                f"the lab kernel has not answered for {_ANSWER_S:.0f} s",
                fix="try again, or end it with 'vnetlab kernel stop'",
            ) from None
        except BrokenPipeError:
            return None
    if answer is None or answer.kind != Kind.STATUS:
        return None
    return Status(**json.loads(answer.payload))


class Connection:
    """A command's connection to the keeper: a socket that carries frames."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()

    @classmethod
    def open(cls) -> Connection | None:
        """Connect to the keeper; return None if there is none."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            directory = os.open(kernel_dir(), os.O_PATH | os.O_DIRECTORY)
            try:  # an address holds 107 bytes, which a directory's path may exceed
                connected.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            finally:
                os.close(directory)
        except (FileNotFoundError, ConnectionRefusedError):
            connected.close()
            return None
        return cls(connected)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send one frame. The keeper always reads, so this does not wait for long."""
        self.socket.sendall(encode(0, kind, payload))

    def receive(self) -> Frame | None:
        """Wait for the next frame; return None if the keeper has closed the connection."""
        while not self._frames:
            if not self.read():
                return None
        return self._frames.popleft()

    def read(self) -> bool:
        """Read once, for `waiting`; return False if the keeper has closed the connection."""
        try:
            data = self.socket.recv(_READ)
        except ConnectionError:
            data = b""
        self._frames.extend(self._reader.feed(data))
        return bool(data)

    def waiting(self) -> list[Frame]:
        """Return the frames that are there already."""
        frames = list(self._frames)
        self._frames.clear()
        return frames
