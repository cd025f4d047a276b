"""EFFECT: runs this very command in the lab kernel instead of here.

How it works
------------
The command hands the keeper all that it has inherited from the user's shell, then copies data and
signals until the session's EXIT. It is as if the command ran here:

- Each standard stream that is a terminal here is one there; the others are pipes. Standard input is
  left alone, and empty there, for a command that does not read it.
- If the command reads its input, and input and output are terminals, then this terminal is raw:
  keys travel as they are typed and the session's own terminal gives them their meaning (Ctrl-C,
  Ctrl-Z, Ctrl-D, echo). Else Ctrl-C is a signal here, and is sent on as a signal.
- If nobody reads the output any more, the session's pipe is closed too, so that the command there
  ends as it would have ended here.
- If this process is killed, its connection closes and the session is hung up.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
from collections import deque
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vnetlab.errors import KernelRefusedError, UsageError
from vnetlab.realm.uml import terminal
from vnetlab.realm.uml.connection import Connection
from vnetlab.realm.uml.frames import (
    CHUNK,
    INPUT_WINDOW,
    NUMBER,
    OUTPUT_WINDOW,
    Frame,
    Kind,
    decode_numbers,
)
from vnetlab.realm.uml.request import Request, Stdin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PIPE_BUF = 4096
"""What can be written to a pipe that is ready for writing without waiting (pipe(7))."""

_STREAMS = {Kind.STDOUT: 1, Kind.STDERR: 2}


def run_in_lab_kernel(argv: Sequence[str], *, stdin: bool) -> int:
    """Run `vnetlab` with these arguments in the user's lab kernel, which must be running.

    `argv` comes without the program's name; `stdin` says that the command reads standard input.
    Returns its exit status, 128 + n if signal n ended it. Raises KernelRefusedError if there is no
    lab kernel or it dies meanwhile, UsageError if the current directory is gone.
    """
    connection = Connection.open()
    if connection is None:
        raise KernelRefusedError("no lab kernel is running", fix="start a lab: vnetlab up FILE")
    request = _describe(argv, stdin=stdin)
    is_raw = request.stdin == Stdin.TERMINAL
    raw = terminal.raw_mode(0) if is_raw else nullcontext()
    with connection, _signals_to_pipe(is_raw=is_raw) as signals, raw:
        status = _Session(connection, request, signals).run()
    return status if status >= 0 else 128 - status


def _describe(argv: Sequence[str], *, stdin: bool) -> Request:
    size = terminal.size()
    is_raw = stdin and os.isatty(0) and os.isatty(1)
    try:
        cwd = str(Path.cwd())
    except FileNotFoundError:
        raise UsageError("the current directory is gone", fix="change to another one") from None
    umask = os.umask(0o77)
    os.umask(umask)
    return Request(
        argv=tuple(argv),
        cwd=cwd,
        environ=dict(os.environ),
        umask=umask,
        stdin=Stdin.TERMINAL if is_raw else Stdin.PIPE if stdin else Stdin.NULL,
        stdout_tty=os.isatty(1),
        stderr_tty=os.isatty(2),
        rows=size.lines,
        columns=size.columns,
        encoding=getattr(sys.stdout, "encoding", None) or "utf-8",
    )


@contextmanager
def _signals_to_pipe(*, is_raw: bool) -> Iterator[int]:
    """Turn the signals that concern the session into bytes that can be read from a descriptor."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH]
    if is_raw:
        numbers.append(signal.SIGQUIT)  # else it is the way out of a session that hangs
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(writable)
    try:
        yield readable
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(readable)
        os.close(writable)


class _Session:
    """The loop: copies until the command has ended and all its output is written."""

    def __init__(self, connection: Connection, request: Request, signals: int) -> None:
        self._connection = connection
        self._request = request
        self._signals = signals
        self._reads = request.stdin != Stdin.NULL
        self._window = INPUT_WINDOW
        self._output: deque[tuple[int, memoryview]] = deque()
        self._consumed = 0
        self._closed: set[int] = set()
        self._status: int | None = None
        self._selector = selectors.PollSelector()  # the one that takes regular files

    def run(self) -> int:
        """Return the command's exit status, negative for a signal."""
        self._connection.send(Kind.OPEN, self._request.to_json())
        self._selector.register(self._connection.socket, selectors.EVENT_READ)
        self._selector.register(self._signals, selectors.EVENT_READ)
        while self._status is None or self._output:
            self._watch()
            for key, _ in self._selector.select():
                self._serve(key.fd)
        return self._status

    def _watch(self) -> None:
        self._watch_one(0, selectors.EVENT_READ, wanted=self._reads and self._window > 0)
        for fd in (1, 2):
            is_next = bool(self._output) and self._output[0][0] == fd
            self._watch_one(fd, selectors.EVENT_WRITE, wanted=is_next)

    def _watch_one(self, fd: int, event: int, *, wanted: bool) -> None:
        watched = fd in self._selector.get_map()
        if wanted and not watched:
            self._selector.register(fd, event)
        elif watched and not wanted:
            self._selector.unregister(fd)

    def _serve(self, fd: int) -> None:
        if fd == 0:
            self._read_input()
        elif fd in (1, 2):
            self._write_output()
        elif fd == self._signals:
            for number in os.read(self._signals, CHUNK):
                self._forward_signal(number)
        elif not self._connection.read():
            raise KernelRefusedError("the lab kernel's keeper has ended")
        for frame in self._connection.waiting():
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind in _STREAMS:
            self._output.append((_STREAMS[Kind(frame.kind)], memoryview(frame.payload)))
        elif frame.kind == Kind.CREDIT:
            self._window += decode_numbers(frame.payload)[0]
        elif frame.kind == Kind.EXIT:
            self._status = decode_numbers(frame.payload)[0]
            self._reads = False
        elif frame.kind == Kind.DIED:
            reason, *log = frame.payload.decode().splitlines()
            lines = "".join(f"\n  {line}" for line in log)
            raise KernelRefusedError(reason + (f"; the end of its log:{lines}" if log else ""))

    def _read_input(self) -> None:
        try:
            data = os.read(0, min(CHUNK, self._window))
        except OSError:  # the terminal is gone
            data = b""
        self._window -= len(data)
        self._reads = bool(data)
        self._send(Kind.STDIN, data)

    def _write_output(self) -> None:
        fd, data = self._output.popleft()
        count = len(data)
        if fd not in self._closed:
            try:
                count = os.write(fd, data[:_PIPE_BUF])
            except BlockingIOError:
                count = 0
            except OSError:  # its reader is gone
                self._closed.add(fd)
                self._send(Kind.CLOSE, NUMBER.pack(fd))
        if count < len(data):
            self._output.appendleft((fd, data[count:]))
        self._consumed += count
        if self._consumed >= OUTPUT_WINDOW // 4:  # often enough for the session never to stop
            self._send(Kind.CREDIT, NUMBER.pack(self._consumed))
            self._consumed = 0

    def _forward_signal(self, number: int) -> None:
        if number == signal.SIGWINCH:
            now = terminal.size()
            self._send(Kind.RESIZE, NUMBER.pack(now.lines) + NUMBER.pack(now.columns))
        else:
            self._send(Kind.SIGNAL, NUMBER.pack(number))

    def _send(self, kind: Kind, payload: bytes) -> None:
        with suppress(BrokenPipeError):  # what the keeper has said last is still to be read
            self._connection.send(kind, payload)
