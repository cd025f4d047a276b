"""EFFECT: starts and stops the user's lab kernel.

There is at most one per run directory. Who starts or clears one holds a lock on that directory;
the keeper holds a lock on its file of process ids for as long as it lives, so a file that is not
locked is stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.rundir import run_dir_locked
from vnetlab.realm.uml.connection import Connection, Status, kernel_dir, running
from vnetlab.realm.uml.frames import Kind
from vnetlab.realm.uml.keeper_files import LOCK, LOG, forget_files, last_log_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from vnetlab.realm.kernels.inventory import LabKernel
    from vnetlab.realm.uml.boot import Guest

BOOT_S = 60.0
"""How long a lab kernel may take until it runs commands."""

STOP_S = 10.0
"""How long a keeper may take to end before it is killed."""

_POLL_S = 0.02
_PROGRESS_S = 0.1

_KEEPER = (
    "import json, sys; "
    "sys.path[:] = json.loads(sys.argv[1]); "
    "from vnetlab.realm.uml.keeper import main; "
    "main(sys.argv[2:])"
)


def ensure_running(
    kernel: LabKernel,
    guest: Guest,
    *,
    progress: Callable[[float], None] = lambda _: None,
    deadline_s: float = BOOT_S,
) -> Status:
    """Return the user's lab kernel when it takes commands; boot it first if there is none.

    One that runs already is kept, whichever it is. `progress` is called with the seconds waited,
    about ten times a second, while it boots. Raises KernelRefusedError if it does not boot, or not
    within `deadline_s`.
    """
    status = running()
    if status is not None and status.is_ready:
        return status
    with run_dir_locked():
        if running() is None:
            _clear(kernel_dir())
            _start_keeper(kernel, guest, kernel_dir())
    _await_agent(kernel, progress, deadline_s)
    status = running()
    if status is None:
        raise _failed(f"lab kernel {kernel.name}: ended as soon as it had started")
    return status


def stop() -> bool:
    """End the user's lab kernel and all that runs in it; return False if there was none."""
    with run_dir_locked():
        connection = Connection.open()
        if connection is not None:
            with suppress(OSError), connection:
                connection.send(Kind.STOP)
        return _clear(kernel_dir())


def last_death() -> list[str]:
    """Return the last log lines of a lab kernel that died, until the next one starts.

    Empty if one runs, or the last one ended in order.
    """
    return last_log_lines(kernel_dir()) if running() is None else []


def _start_keeper(kernel: LabKernel, guest: Guest, directory: Path) -> None:
    directory.mkdir(mode=0o700)
    paths = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
    modules = str(kernel.modules) if kernel.modules else None
    program = {"name": kernel.name, "binary": str(kernel.binary), "modules": modules}
    settings = json.dumps({"kernel": program, "guest": asdict(guest)})
    command = [sys.executable, "-c", _KEEPER, paths, str(directory), settings]
    with (directory / LOG).open("ab") as log:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            check=False,
        )  # fmt: skip
    if ended.returncode != 0:  # else it is in the background now
        raise _failed(f"lab kernel {kernel.name}: cannot start its keeper")


def _await_agent(kernel: LabKernel, progress: Callable[[float], None], deadline_s: float) -> None:
    connection = Connection.open()
    if connection is None:
        raise _failed(f"lab kernel {kernel.name}: did not start")
    started = time.monotonic()
    with connection:
        connection.socket.settimeout(_PROGRESS_S)
        connection.send(Kind.AWAIT)
        while (waited := time.monotonic() - started) < deadline_s:
            progress(waited)
            try:
                answer = connection.receive()
            except TimeoutError:
                continue
            if answer is not None and answer.kind == Kind.READY:
                return
            raise _failed(f"lab kernel {kernel.name}: died while it started")
    lines = last_log_lines(kernel_dir())
    stop()
    raise _failed(f"lab kernel {kernel.name}: not ready after {deadline_s:.0f} s", lines)


def _failed(message: str, lines: list[str] | None = None) -> KernelRefusedError:
    lines = last_log_lines(kernel_dir()) if lines is None else lines
    log = "".join(f"\n  {line}" for line in lines) or " (its log is empty)"
    return KernelRefusedError(f"{message}; the end of its log:{log}")


def _clear(directory: Path) -> bool:
    """Wait for a keeper that is ending, kill what does not end, remove every file.

    Returns True if there was a lab kernel.
    """
    try:
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        forget_files(directory, keep_log=False)
        return False
    try:
        pids = [int(word) for word in os.read(lock, 100).split()]
        if not _get_lock(lock, STOP_S):
            _kill(pids)
            _get_lock(lock, STOP_S)
        elif pids and _is_ours(pids[-1], directory):  # its keeper was killed
            _kill(pids[-1:])
    finally:
        os.close(lock)
    forget_files(directory, keep_log=False)
    return True


def _get_lock(lock: int, deadline_s: float) -> bool:
    """Take the keeper's lock: that is to wait for its end."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_POLL_S)
    return False


def _is_ours(pid: int, directory: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(f"uml_dir={directory}/") in command


def _kill(groups: list[int]) -> None:
    """Kill process groups (the keeper leads one, the lab kernel another), wait for their end."""
    end = time.monotonic() + STOP_S
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
            while time.monotonic() < end:
                os.killpg(group, 0)
                time.sleep(_POLL_S)
