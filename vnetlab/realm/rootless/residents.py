"""EFFECT: the processes in the realm, told by their mounts, and the end of all of them.

The tmpfs of the realm's labs is mounted in the realm and nowhere else: who has it among his mounts
is in there, however he came and whatever his environment says. That outlasts the keeper, unlike
the number of a namespace, which the kernel gives to the next one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PAUSE_S = 0.01
_PATIENCE_S = 10.0  # for one that sleeps in the kernel, and dies when it wakes up


def residents(labs: Path) -> Iterator[int]:
    """The processes of the realm whose labs are mounted at `labs`, but for the calling one."""
    mark = f" {_escaped(labs)} ".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it has ended, or is none of ours
                if mark in (entry / "mountinfo").read_bytes():
                    yield int(entry.name)


def end_residents(labs: Path) -> None:
    """Kill them (SIGKILL), and those that they still start; the namespaces end with the last."""
    deadline = time.monotonic() + _PATIENCE_S
    while (found := list(residents(labs))) and time.monotonic() < deadline:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)


def guard(labs: Path) -> None:
    """Fork a process that outlives this one, and then ends who is in the realm still.

    It waits for the end of a pipe, which this process alone holds. Call it before the realm is
    made: the guard itself must keep none of its namespaces.
    """
    readable, writable = os.pipe2(os.O_CLOEXEC)
    if os.fork():
        os.close(readable)
        return
    os.close(writable)
    for stream in (1, 2):
        os.dup2(0, stream)
    os.read(readable, 1)
    end_residents(labs)
    os._exit(0)


def _escaped(path: Path) -> str:
    r"""As mountinfo writes it: proc_pid_mountinfo(5)."""
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\" else char for char in str(path))
