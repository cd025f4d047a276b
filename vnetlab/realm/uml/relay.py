"""EFFECT: the keeper's loop: carries frames between commands and the lab kernel.

How it works
------------
`frames` tells what travels. From each command it goes to the line, with the session's number put
in; from the line to the command that the number belongs to.

The loop never waits for anybody: what cannot be written yet stays in an `Outbox`, and the windows
of `frames` bound each of these.

It ends with the lab kernel, and the lab kernel ends

- when the agent has said that it is idle (no lab, no session) and no command has connected for
  `LINGER_S`: the last lab is down, or the command that booted it made none;
- when told to (`stop`);
- when it dies, which every connected command is told together with the end of the log.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from vnetlab.realm.uml.connection import SOCKET
from vnetlab.realm.uml.frames import (
    LINE_WINDOW,
    Frame,
    FrameReader,
    Kind,
    decode_numbers,
    encode,
)
from vnetlab.realm.uml.keeper_files import HIDDEN_SOCKET, forget_files, last_log_lines
from vnetlab.realm.uml.outbox import Outbox

if TYPE_CHECKING:
    import socket

LINGER_S = 2.0
POWER_OFF_S = 5.0

_READ = 256 * 1024


class Booted(Struct, frozen=True, kw_only=True):
    """A lab kernel as the keeper has started it; `line` is its serial line, non-blocking."""

    name: str
    pid: int
    line: socket.socket
    started: float
    memory_mib: int


class Command:
    """A connected command, at the keeper's end."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        self.frames = FrameReader()
        self.outbox = Outbox(connection.fileno())
        self.has_session = False
        self.awaits_agent = False
        self.awaits_status = False


class Relay:
    """The loop, from boot to the lab kernel's end."""

    def __init__(self, booted: Booted, directory: Path, listener: socket.socket) -> None:
        self._booted = booted
        self._directory = directory
        self._listener = listener
        self._line = booted.line
        self._pidfd = os.pidfd_open(booted.pid)
        self._frames = FrameReader()
        self._to_agent = Outbox(self._line.fileno(), window=LINE_WINDOW)
        self._held: list[bytes] = []  # what commands sent before the agent was ready
        self._is_ready = False
        self._commands: dict[int, Command] = {}
        self._by_fd: dict[int, Command] = {}
        self._last_number = 0
        self._last_opened = 0
        self._labs: dict[str, list[str]] = {}
        self._idle_since: float | None = None
        self._kill_at: float | None = None
        self._reason: str | None = None  # why it ends; None if it dies
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Carry frames until the lab kernel has ended, then clean up."""
        for source in (self._listener, self._line, self._pidfd):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            ready = self._selector.select(self._patience())
            for key, _ in ready:
                if key.fd == self._pidfd:
                    self._end()
                    return
                self._serve(key.fd)
            self._meet_deadlines()
            self._flush()

    # -- events

    def _serve(self, fd: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd == self._line.fileno():
            self._read_line()
        elif command := self._by_fd.get(fd):
            self._read_command(command)

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._last_number += 1
            command = Command(connection, self._last_number)
            self._commands[command.number] = command
            self._by_fd[connection.fileno()] = command
            self._selector.register(connection, selectors.EVENT_READ)

    def _read_line(self) -> None:
        try:
            data = self._line.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:  # the lab kernel has closed it: it is about to end
            self._selector.unregister(self._line)
            self._kill_at = self._kill_at or time.monotonic() + POWER_OFF_S
            return
        for frame in self._frames.feed(data):
            self._take_from_agent(frame)

    def _take_from_agent(self, frame: Frame) -> None:
        if frame.kind == Kind.ACK:
            self._to_agent.acknowledge(decode_numbers(frame.payload)[0])
        elif frame.kind == Kind.READY:
            self._agent_is_ready()
        elif frame.kind == Kind.LABS:
            self._take_labs(json.loads(frame.payload))
        elif command := self._commands.get(frame.session):
            command.outbox.put(encode(0, frame.kind, frame.payload))
            if frame.kind == Kind.EXIT:
                command.has_session = False

    def _take_labs(self, told: dict[str, Any]) -> None:
        """Note whether the lab kernel is still needed, and answer who asked."""
        self._labs = told["labs"]
        is_idle = not told["labs"] and not told["sessions"]
        if is_idle and told["opened"] == self._last_opened:  # else it has crossed an OPEN
            self._idle_since = self._idle_since or time.monotonic()
        for command in self._commands.values():
            if command.awaits_status:
                command.awaits_status = False
                command.outbox.put(encode(0, Kind.STATUS, self._status()))

    def _agent_is_ready(self) -> None:
        self._is_ready = True
        if not self._last_opened:
            self._idle_since = time.monotonic()
        self._to_agent.put(*self._held)
        self._held.clear()
        for command in self._commands.values():
            if command.awaits_agent:
                command.outbox.put(encode(0, Kind.READY))

    def _read_command(self, command: Command) -> None:
        try:
            data = command.connection.recv(_READ)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._drop(command)
            return
        for frame in command.frames.feed(data):
            self._take_from_command(command, frame)

    def _take_from_command(self, command: Command, frame: Frame) -> None:
        if frame.kind == Kind.AWAIT:
            command.awaits_agent = True
            if self._is_ready:
                command.outbox.put(encode(0, Kind.READY))
        elif frame.kind == Kind.STATUS:
            self._tell_status(command)
        elif frame.kind == Kind.STOP:
            self._power_off("the lab kernel was stopped")
        else:
            if frame.kind == Kind.OPEN:
                command.has_session = True
                self._last_opened = command.number
                self._idle_since = None
            self._tell_agent(encode(command.number, frame.kind, frame.payload))

    def _tell_status(self, command: Command) -> None:
        if self._is_ready:
            command.awaits_status = True
            self._to_agent.put(encode(0, Kind.LABS))
        else:
            command.outbox.put(encode(0, Kind.STATUS, self._status()))

    def _tell_agent(self, data: bytes) -> None:
        if self._is_ready:
            self._to_agent.put(data)
        else:
            self._held.append(data)

    def _drop(self, command: Command) -> None:
        if command.has_session:
            self._tell_agent(encode(command.number, Kind.HANGUP))
        self._selector.unregister(command.connection)
        del self._commands[command.number]
        del self._by_fd[command.connection.fileno()]
        command.connection.close()

    # -- what follows from them

    def _flush(self) -> None:
        """Write what can be written; wait to write what could not."""
        self._flush_one(self._line, self._to_agent)
        for command in list(self._commands.values()):
            if not self._flush_one(command.connection, command.outbox):
                self._drop(command)

    def _flush_one(self, connection: socket.socket, outbox: Outbox) -> bool:
        try:
            outbox.flush()
        except OSError:
            return False
        key = self._selector.get_map().get(connection)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if outbox.is_blocked else 0)
        if key is not None and key.events != events:
            self._selector.modify(connection, events)
        return True

    def _patience(self) -> float | None:
        if self._kill_at:
            deadline = self._kill_at
        elif self._idle_since is not None and not self._commands:
            deadline = self._idle_since + LINGER_S
        else:
            return None
        return max(0.0, deadline - time.monotonic())

    def _meet_deadlines(self) -> None:
        now = time.monotonic()
        if self._kill_at:
            if now >= self._kill_at:
                self._kill_at = now + POWER_OFF_S
                self._kill()
        elif not self._commands and self._idle_since and now >= self._idle_since + LINGER_S:
            self._end_if_unused()

    def _end_if_unused(self) -> None:
        """Power off, unless somebody has connected or is about to."""
        Path(SOCKET).rename(HIDDEN_SOCKET)  # from now on, commands find no lab kernel
        self._accept()
        if self._commands:
            Path(HIDDEN_SOCKET).rename(SOCKET)
        else:
            self._power_off("the lab kernel was not needed any more")

    def _power_off(self, reason: str) -> None:
        if self._kill_at is not None:
            return
        self._reason = reason
        self._selector.unregister(self._listener)
        self._listener.close()
        self._kill_at = time.monotonic() + POWER_OFF_S
        self._to_agent.put(encode(0, Kind.POWER_OFF))
        if not self._is_ready:
            self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._booted.pid, signal.SIGKILL)

    def _end(self) -> None:
        """The lab kernel is gone: tell who waits for it, leave only the log of a death."""
        os.waitpid(self._booted.pid, 0)
        self._kill()  # processes that it left behind
        self._read_what_is_left()
        text = self._reason or "\n".join(["the lab kernel died", *last_log_lines(self._directory)])
        for command in self._commands.values():
            command.outbox.put(encode(0, Kind.DIED, text.encode()))
            command.connection.settimeout(1.0)
            with suppress(OSError):
                command.outbox.flush()
        forget_files(self._directory, keep_log=self._reason is None)

    def _read_what_is_left(self) -> None:
        with suppress(OSError):
            while data := self._line.recv(_READ):
                for frame in self._frames.feed(data):
                    self._take_from_agent(frame)

    def _status(self) -> bytes:
        return json.dumps(
            {
                "kernel": self._booted.name,
                "pid": self._booted.pid,
                "keeper_pid": os.getpid(),
                "started": self._booted.started,
                "memory_mib": self._booted.memory_mib,
                "sessions": sum(command.has_session for command in self._commands.values()),
                "is_ready": self._is_ready,
                "labs": self._labs,
            }
        ).encode()
