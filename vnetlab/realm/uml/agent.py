"""EFFECT: the lab kernel's first process: sets it up, then runs commands for the keeper.

How it works
------------
The agent imports what commands need once; each command is then a fork of it. Forking and importing
are what costs in User Mode Linux, so there is one fork per command and no import.

It is a single loop over the serial line, the sessions' pipes and terminals, and its children. As
process 1 it also reaps every process that its parent left behind. It says READY as soon as it can
take sessions. What only some commands need it imports afterwards, one module at a time, while no
command runs.

The line is written to with blocking writes: the keeper always reads. If the line ends, so has the
keeper, and the lab kernel powers off: nothing could use it any more.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.uml.frames import (
    CHUNK,
    NUMBER,
    Frame,
    FrameReader,
    Kind,
    decode_numbers,
    encode,
)
from vnetlab.realm.uml.guest_child import find_function
from vnetlab.realm.uml.guest_modules import load_modules
from vnetlab.realm.uml.guest_root import configure, mount_all, power_off, show_modules
from vnetlab.realm.uml.guest_session import Session
from vnetlab.realm.uml.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LINE = "/dev/ttyS0"

_LAST_WORDS_S = 0.2
"""How long output may still come after a command's end, from what it left in the background."""

_HANGUP_S = 5.0
"""How long a command whose user is gone may take to end."""


def main(settings: dict[str, Any]) -> None:
    """Be the lab kernel's init: never returns while the lab kernel lives.

    `settings` holds the fields of a Guest, `modules` (the kernel's modules directory, or null) and
    `hostname`.
    """
    try:
        mount_all()
        if settings["modules"]:
            for problem in load_modules(Path(settings["modules"])):
                sys.stderr.write(f"vnetlab: not loaded: {problem}\n")  # into the console's log
            show_modules(Path(settings["modules"]))
        configure(settings["hostname"])
        for name in settings["preload"]:
            importlib.import_module(name)
        Agent(_open_line(), settings).run()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    power_off()


class Agent:
    """The loop. `line` is the serial line, raw; the rest is a Guest's."""

    def __init__(self, line: int, settings: dict[str, Any]) -> None:
        self._line = line
        self._main: str = settings["main"]
        self._labs: Callable[[], Mapping[str, Iterable[str]]] = find_function(settings["labs"])
        self._prewarm: list[str] = settings["prewarm"]
        self._frames = FrameReader()
        self._sessions: dict[int, Session] = {}
        self._owners: dict[int, Session] = {}  # by descriptor
        self._deadlines: dict[int, float] = {}  # by session: of its last words, or of a hang-up
        self._selector = selectors.DefaultSelector()
        self._children, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that it wakes the loop
        self._last_opened = 0
        self._on = True

    def run(self) -> None:
        """Serve until told to power off, or until the keeper is gone."""
        self._selector.register(self._line, selectors.EVENT_READ)
        self._selector.register(self._children, selectors.EVENT_READ)
        gc.disable()
        gc.freeze()
        self._send(0, Kind.READY)
        while self._on:
            ready = self._selector.select(self._patience())
            if not ready and self._is_idle():
                self._import_next()
            for key, events in ready:
                self._serve(key.fd, events)
            self._meet_deadlines()

    def _is_idle(self) -> bool:
        return bool(self._prewarm) and not self._sessions

    def _patience(self) -> float | None:
        if self._is_idle():
            return 0
        if not self._deadlines:
            return None
        return max(0.0, min(self._deadlines.values()) - time.monotonic())

    def _import_next(self) -> None:
        name = self._prewarm.pop(0)
        with contextlib.suppress(Exception):  # a command that needs it will say so
            importlib.import_module(name)
        gc.freeze()

    def _serve(self, fd: int, events: int) -> None:
        if fd == self._line:
            self._read_line()
        elif fd == self._children:
            os.read(self._children, CHUNK)
            self._reap()
        elif session := self._owners.get(fd):
            if events & selectors.EVENT_READ and fd in session.outputs:
                self._forward_output(session, fd)
            if events & selectors.EVENT_WRITE and fd == session.stdin:
                self._forward_input(session)
            self._watch(session)

    # -- the line

    def _send(self, session: int, kind: Kind, payload: bytes = b"") -> None:
        data = memoryview(encode(session, kind, payload))
        while data:
            data = data[os.write(self._line, data) :]

    def _send_number(self, session: int, kind: Kind, number: int) -> None:
        self._send(session, kind, NUMBER.pack(number))

    def _read_line(self) -> None:
        data = os.read(self._line, CHUNK)
        if not data:
            self._on = False
            return
        self._send_number(0, Kind.ACK, len(data))
        for frame in self._frames.feed(data):
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        if frame.kind == Kind.POWER_OFF:
            self._on = False
        elif frame.kind == Kind.LABS:
            self._tell_labs()
        elif frame.kind == Kind.OPEN:
            self._open(frame.session, Request.from_json(frame.payload))
        elif session := self._sessions.get(frame.session):
            self._obey_in(session, frame)
            self._watch(session)

    def _obey_in(self, session: Session, frame: Frame) -> None:
        if frame.kind == Kind.STDIN:
            session.take_input(frame.payload)
            self._forward_input(session)
        elif frame.kind == Kind.CREDIT:
            session.window += decode_numbers(frame.payload)[0]
        elif frame.kind == Kind.SIGNAL:
            session.signal(decode_numbers(frame.payload)[0])
        elif frame.kind == Kind.RESIZE:
            session.resize(*decode_numbers(frame.payload))
        elif frame.kind == Kind.CLOSE:
            self._close_output(session, decode_numbers(frame.payload)[0])
        elif frame.kind == Kind.HANGUP:
            self._abandon(session)

    # -- sessions

    def _open(self, number: int, request: Request) -> None:
        self._last_opened = number
        try:
            session = Session(number, request, self._main)
        except OSError as error:
            self._send(number, Kind.STDERR, f"vnetlab: lab kernel: {error}\n".encode())
            self._close(number, KernelRefusedError.exit_code)
            return
        self._sessions[number] = session
        for fd in session.descriptors():
            self._owners[fd] = session
        self._watch(session)

    def _watch(self, session: Session) -> None:
        """Wait for what the session can do now, and for nothing else."""
        for fd in list(session.descriptors()):
            wanted = 0
            if fd in session.outputs and session.window > 0:
                wanted |= selectors.EVENT_READ
            if fd == session.stdin and session.pending:
                wanted |= selectors.EVENT_WRITE
            watched = self._selector.get_map().get(fd)
            if watched is None and wanted:
                self._selector.register(fd, wanted)
            elif watched is not None and not wanted:
                self._selector.unregister(fd)
            elif watched is not None and watched.events != wanted:
                self._selector.modify(fd, wanted)

    def _forward_output(self, session: Session, fd: int) -> None:
        data = session.read(fd)
        if data:
            self._send(session.number, session.outputs[fd], data)
            if session.status is not None:
                self._deadlines[session.number] = time.monotonic() + _LAST_WORDS_S
        elif data == b"":
            self._forget(session, fd)
            self._finish_if_over(session)

    def _forward_input(self, session: Session) -> None:
        if written := session.write_pending():
            self._send_number(session.number, Kind.CREDIT, written)
        if session.input_is_over and session.stdin is not None:
            self._forget(session, session.stdin)

    def _close_output(self, session: Session, stream: int) -> None:
        kind = Kind.STDOUT if stream == 1 else Kind.STDERR
        for fd in [fd for fd, carried in session.outputs.items() if carried == kind]:
            self._forget(session, fd)
        self._finish_if_over(session)

    def _forget(self, session: Session, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)
        self._owners.pop(fd, None)
        session.forget(fd)

    def _abandon(self, session: Session) -> None:
        session.hang_up()
        for fd in list(session.descriptors()):
            self._forget(session, fd)
        self._deadlines[session.number] = time.monotonic() + _HANGUP_S
        self._finish_if_over(session)

    def _reap(self) -> None:
        """Take the exit status of every child that has ended, one's own or an orphan."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for session in list(self._sessions.values()):
                if session.pid == pid:
                    session.status = os.waitstatus_to_exitcode(status)
                    self._deadlines[session.number] = time.monotonic() + _LAST_WORDS_S
                    self._finish_if_over(session)

    def _meet_deadlines(self) -> None:
        now = time.monotonic()
        for number, deadline in list(self._deadlines.items()):
            session = self._sessions[number]
            if deadline > now:
                continue
            if session.status is None:
                session.signal(signal.SIGKILL)
                del self._deadlines[number]
            elif session.has_output:  # it waits for a slow reader's credit
                self._deadlines[number] = now + _LAST_WORDS_S
            else:
                self._finish(session)

    def _finish_if_over(self, session: Session) -> None:
        if session.status is not None and not session.outputs:
            self._finish(session)

    def _finish(self, session: Session) -> None:
        for fd in list(session.descriptors()):
            self._forget(session, fd)
        self._deadlines.pop(session.number, None)
        del self._sessions[session.number]
        assert session.status is not None
        self._close(session.number, session.status)

    def _close(self, number: int, status: int) -> None:
        self._send_number(number, Kind.EXIT, status)
        if not self._sessions:
            self._tell_labs()

    def _tell_labs(self) -> None:
        """Say which labs are up, and whether that is all that the lab kernel runs for."""
        labs = {name: list(nodes) for name, nodes in self._labs().items()}
        told = {"labs": labs, "sessions": len(self._sessions), "opened": self._last_opened}
        self._send(0, Kind.LABS, json.dumps(told).encode())


def _open_line() -> int:
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(line)
    return line
