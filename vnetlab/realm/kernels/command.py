"""Run a program that works for us, and let nothing of it outlive us (effect: processes).

How it works: each program leads a process group of its own, so that Ctrl-C reaches us alone and
we end the group as a whole. It inherits our locks (see locks.py), so that if we are killed, what
we started still counts as work in progress until it has ended too.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from vnetlab.realm.kernels.locks import held_locks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_TAIL_LINES: Final = 12
_PATIENCE_S: Final = 5.0
_NO_SPACE_BYTES: Final = 1_000_000
_DISK_FULL: Final = ("No space left on device", "Disk quota exceeded", "enough free space")
"""What compilers, tar and apt say when the disk is full; their exit codes do not."""


class CommandError(Exception):
    """A program ended with a failure; `output` is all that it printed, `tail` the end of that."""

    def __init__(self, program: str, output: str, exit_code: int) -> None:
        self.program = program
        self.output = output
        last = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
        self.tail = last or f"exit code {exit_code}"
        super().__init__(f"{program} failed: {self.tail}")


def run_command(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run `command` in the directory `cwd` and return all that it printed.

    `environment` is all that the program gets of one, by default ours. The output is appended to
    the file `log` and passed to `on_line` line by line as it comes. Raises CommandError if the
    program fails, OSError (ENOSPC) if it failed because the disk is full.
    """
    lines: list[str] = []
    with ExitStack() as stack:
        logfile = stack.enter_context(log.open("a")) if log else None
        process = _start(command, cwd, os.environ if environment is None else environment)
        stack.callback(_end_group, process)
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if logfile:
                logfile.write(line)
            if on_line:
                on_line(line.rstrip("\n"))
        code = process.wait()
    if code != 0:
        if _met_full_disk(cwd, lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(cwd))
        raise CommandError(str(command[0]), "".join(lines), code)
    return "".join(lines)


def _met_full_disk(cwd: Path, lines: Sequence[str]) -> bool:
    """Whether a program failed for lack of space: it says so, or there is none left."""
    said = any(sign in line for line in lines for sign in _DISK_FULL)
    return said or shutil.disk_usage(cwd).free < _NO_SPACE_BYTES


def _start(
    command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**environment, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
        pass_fds=held_locks(),
    )


def _end_group(process: subprocess.Popen[str]) -> None:
    """End whatever is left of the program's group; nothing is, if it ended by itself."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=_PATIENCE_S)  # the output ends with the last of the group
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
