"""EFFECT: the daemon that holds a user's lab kernel and carries commands to it.

How it works
------------
One keeper per user. It owns three things, all gone when it ends: the lab kernel (its child), the
serial line to the agent in it, and the Unix socket that commands connect to. `frames` tells what
travels. A single loop forwards frames: from each command to the line, with the session's number put
in, and from the line to the command that the number belongs to.

It never waits for anybody: what cannot be written yet stays in an `Outbox`, and the windows of
`frames` bound each of these.

The keeper ends with its lab kernel, and the lab kernel ends

- when the agent has said that it is idle (no lab, no session) and no command has connected for
  `LINGER_S`: the last lab is down, or the command that booted it made none;
- when told to (`stop`);
- when it dies, which every connected command is told together with the end of the log.

Only standard library, and little of that: a keeper may stay for days.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from vnetlab.realm.uml.boot import Guest, Program, choose_memory, command_line, write_init
from vnetlab.realm.uml.connection import SOCKET
from vnetlab.realm.uml.frames import (
    LINE_WINDOW,
    Frame,
    FrameReader,
    Kind,
    decode_numbers,
    encode,
)
from vnetlab.realm.uml.keeper_files import HIDDEN_SOCKET, LOCK, forget_files, last_log_lines
from vnetlab.realm.uml.outbox import Outbox

LINGER_S = 2.0
POWER_OFF_S = 5.0

_READ = 256 * 1024
_LOG_LINES = 15


def main(arguments: list[str]) -> None:
    """Take over a run directory, then go to the background and keep a lab kernel in it.

    Args:
        arguments: the directory for the keeper's files, and JSON with `kernel` and `guest`.

    Standard output and error are the log, of the keeper and of the lab kernel's console.
    """
    directory = Path(arguments[0])
    values = json.loads(arguments[1])
    listener, lock = take_directory(directory)
    if os.fork():
        os._exit(0)
    os.setpgid(0, 0)
    kernel = Program(**values["kernel"])
    try:
        init = write_init(directory, kernel, Guest(**values["guest"]))
        keeper = Keeper(directory, kernel, init, listener)
    except OSError as error:
        sys.stderr.write(f"{error}\n")  # into the log
        forget_files(directory, keep_log=True)
        return
    os.pwrite(lock, f"{os.getpid()} {keeper.pid}\n".encode(), 0)
    keeper.run()


def take_directory(directory: Path) -> tuple[socket.socket, int]:
    """Return a listening socket in the directory, and the lock that says whose it is."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.chdir(directory)  # a socket's address holds 107 bytes, a directory's path may be longer
    listener.bind(SOCKET)
    listener.listen(128)
    listener.setblocking(False)
    return listener, lock


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


class Keeper:
    """The loop, from boot to the lab kernel's end. `pid` is the lab kernel's."""

    def __init__(
        self, directory: Path, kernel: Program, init: Path, listener: socket.socket
    ) -> None:
        self._directory = directory
        self._kernel = kernel
        self._listener = listener
        self._started = time.time()
        self._memory_dir, self._memory_mib = choose_memory()
        self._line, far = socket.socketpair()
        self._line.setblocking(False)
        self.pid = self._boot(init, far)
        self._pidfd = os.pidfd_open(self.pid)
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

    def _boot(self, init: Path, far: socket.socket) -> int:
        line = far.fileno()
        os.set_inheritable(line, True)
        arguments = command_line(self._kernel, init=init, memory_mib=self._memory_mib, line=line)
        pid = os.posix_spawn(
            self._kernel.binary,
            arguments,
            os.environ | {"TMPDIR": str(self._memory_dir)},
            setpgroup=0,
        )
        far.close()
        return pid

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
            os.killpg(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        """The lab kernel is gone: tell who waits for it, leave only the log of a death."""
        os.waitpid(self.pid, 0)
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
                "kernel": self._kernel.name,
                "pid": self.pid,
                "keeper_pid": os.getpid(),
                "started": self._started,
                "memory_mib": self._memory_mib,
                "sessions": sum(command.has_session for command in self._commands.values()),
                "is_ready": self._is_ready,
                "labs": self._labs,
            }
        ).encode()
