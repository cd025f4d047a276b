"""EFFECT: the process of one session: becomes the command that the user typed.

It is a fork of the agent, so all that the agent has imported is there already. Nothing here
returns to the agent: the process ends with `os._exit`, which also leaves out Python's own clean-up
(it would touch, and so copy, every page of the agent's memory).
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import io
import os
import signal
import sys
import termios
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct

from vnetlab.errors import UsageError
from vnetlab.realm.choose import INSIDE, Realm
from vnetlab.realm.rundir import RUN_DIR

if TYPE_CHECKING:
    from collections.abc import Callable

    from vnetlab.realm.uml.request import Request

_HOSTS_ALONE = (RUN_DIR,)
"""Variables that name a place of the host's, not of the lab kernel's."""


class Streams(Struct, frozen=True, kw_only=True):
    """The file descriptors that become 0, 1 and 2; `terminal`, if any, controls the session."""

    stdin: int
    stdout: int
    stderr: int
    terminal: int | None


def become_command(request: Request, streams: Streams, main: str) -> NoReturn:
    """Run `main` (module:function) in this process as the request says, then end it."""
    status = 1
    try:
        _enter_session(streams)
        _open_text_streams(request.encoding)
        _take_environment(request)
        gc.enable()
        status = _run(request, main)
    except BaseException:  # whatever it was, it must not run the agent's code
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(status)


def find_function(name: str) -> Callable[[], Any]:
    """Return the function that is called `module:function`."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


def _enter_session(streams: Streams) -> None:
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    if streams.terminal is not None:
        fcntl.ioctl(streams.terminal, termios.TIOCSCTTY, 0)
    for target, source in enumerate((streams.stdin, streams.stdout, streams.stderr)):
        os.dup2(source, target)
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in (0, 1, 2):
            with contextlib.suppress(OSError):  # the one that listed them is closed already
                os.close(int(entry.name))


def _take_environment(request: Request) -> None:
    os.environ.clear()
    os.environ.update(request.environ)
    for name in _HOSTS_ALONE:
        os.environ.pop(name, None)
    os.environ[INSIDE] = Realm.UML.value
    os.umask(request.umask)
    try:
        os.chdir(request.cwd)
    except OSError as error:
        sys.stderr.write(f"vnetlab: {request.cwd}: not in the lab kernel: {error.strerror}\n")
        os._exit(UsageError.exit_code)


def _open_text_streams(encoding: str) -> None:
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding)
    raw = io.BufferedWriter(io.FileIO(1, "w", closefd=False))
    sys.stdout = io.TextIOWrapper(raw, encoding, line_buffering=os.isatty(1))
    raw = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _run(request: Request, main: str) -> int:
    sys.argv = ["vnetlab", *request.argv]
    try:
        status = _status_of(find_function(main)())
    except SystemExit as end:
        status = _status_of(end.code)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return status


def _status_of(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")  # as Python does for `sys.exit("message")`
    return 1
