"""EFFECT: one session, as the agent sees it: a process and the near ends of its streams."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from vnetlab.realm.uml.frames import CHUNK, OUTPUT_WINDOW, Kind
from vnetlab.realm.uml.guest_child import Streams, become_command
from vnetlab.realm.uml.request import Request, Stdin

if TYPE_CHECKING:
    from collections.abc import Iterator


class Session:
    """A command that runs, or has ended and still has output to deliver.

    `stdin` is None or the descriptor that the command's input is written to; `outputs` maps
    the descriptors that its output is read from to the kind of frame that carries it. A terminal
    is one descriptor for all of them. `status` is None while the command runs.
    """

    def __init__(self, number: int, request: Request, main: str) -> None:
        self.number = number
        self.stdin: int | None = None
        self.outputs: dict[int, Kind] = {}
        self.pending = bytearray()
        self.window = OUTPUT_WINDOW
        self.status: int | None = None
        self._end_of_input = False
        self._terminal: int | None = None
        self.pid = self._start(request, main)

    def read(self, fd: int) -> bytes | None:
        """Return the next output from a descriptor: b"" at its end, None if there is none yet."""
        try:
            data = os.read(fd, min(CHUNK, self.window))
        except BlockingIOError:
            return None
        except OSError:  # EIO: the last process has closed the terminal
            data = b""
        self.window -= len(data)
        return data

    @property
    def has_output(self) -> bool:
        """True if output is there that has not been read yet."""
        poll = select.poll()
        for fd in self.outputs:
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))

    def take_input(self, data: bytes) -> None:
        """Queue input for the command; b"" ends it."""
        if data:
            self.pending += data
        else:
            self._end_of_input = True

    def write_pending(self) -> int:
        """Pass queued input on; return how many bytes are off the queue now.

        What the command will never read counts as consumed.
        """
        before = len(self.pending)
        if self.stdin is None:
            self.pending.clear()
        elif self.pending:
            try:
                del self.pending[: os.write(self.stdin, self.pending)]
            except BlockingIOError:
                pass
            except OSError:
                self.pending.clear()
        return before - len(self.pending)

    @property
    def input_is_over(self) -> bool:
        """True if the command's input must be closed now."""
        return self._end_of_input and not self.pending and self.stdin is not None

    def resize(self, rows: int, columns: int) -> None:
        """Tell the session's terminal its new size."""
        if self._terminal is not None:
            _set_size(self._terminal, rows, columns)

    def signal(self, number: int) -> None:
        """Send a signal to the command and its children."""
        if self.status is not None:
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # it has not made its session yet
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Tell the command that its user is gone."""
        self.signal(signal.SIGHUP)
        self.signal(signal.SIGCONT)

    def descriptors(self) -> Iterator[int]:
        """Yield every descriptor that the session holds."""
        yield from {*self.outputs, *([] if self.stdin is None else [self.stdin])}

    def forget(self, fd: int) -> None:
        """Close one of the session's descriptors."""
        self.outputs.pop(fd, None)
        if fd == self.stdin:
            self.stdin = None
        if fd == self._terminal:
            self._terminal = None
        os.close(fd)

    def _start(self, request: Request, main: str) -> int:
        slave = self._open_terminal(request) if request.needs_terminal else None
        far = [  # the ends that the command gets
            self._far_stdin(request.stdin, slave),
            self._far_output(Kind.STDOUT, slave if request.stdout_tty else None),
            self._far_output(Kind.STDERR, slave if request.stderr_tty else None),
        ]
        pid = os.fork()
        if pid == 0:
            streams = Streams(stdin=far[0], stdout=far[1], stderr=far[2], terminal=slave)
            become_command(request, streams, main)
        for fd in {*far, *([] if slave is None else [slave])}:
            os.close(fd)
        for fd in self.descriptors():
            os.set_blocking(fd, False)
        return pid

    def _open_terminal(self, request: Request) -> int:
        self._terminal, slave = os.openpty()
        _set_size(self._terminal, request.rows, request.columns)
        if request.stdin != Stdin.TERMINAL:
            _leave_output_alone(slave)
        return slave

    def _far_stdin(self, stdin: Stdin, slave: int | None) -> int:
        if stdin == Stdin.NULL:
            return os.open(os.devnull, os.O_RDONLY)
        if stdin == Stdin.PIPE:
            far, self.stdin = os.pipe()
            return far
        assert slave is not None
        self.stdin = self._terminal
        return slave

    def _far_output(self, kind: Kind, slave: int | None) -> int:
        if slave is not None:
            assert self._terminal is not None
            self.outputs.setdefault(self._terminal, kind)
            return slave
        near, far = os.pipe()
        self.outputs[near] = kind
        return far


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _leave_output_alone(slave: int) -> None:
    """Turn off what the user's own terminal does already: echo, and the CR before each LF."""
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
