"""Both ends of the lab kernel's tests.

As a module it is what runs in the lab kernel instead of vnetlab's command line. As a script it is
the user's command: it runs its arguments in the lab kernel; `--stdin` first says that they read
standard input.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> int:
    """Do what the first argument names with the rest; return an exit status."""
    name, *rest = sys.argv[1:]
    return _COMMANDS[name](*rest) or 0


def _echo(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")


def _exit(status: str) -> int:
    return int(status)


def _python(code: str) -> None:
    modules = {"os": os, "sys": sys, "time": time, "signal": signal, "socket": socket}
    exec(code, modules | {"Path": Path})


def _run(*command: str) -> None:
    os.execvp(command[0], command)


def _cat() -> None:
    shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)


def labs() -> dict[str, list[str]]:
    """Return the labs, as the agent asks for them: a directory each, with a file per node."""
    root = Path("/run/vnetlab/labs")
    return {lab.name: [node.name for node in lab.iterdir()] for lab in root.glob("*")}


_COMMANDS: dict[str, Callable[..., int | None]] = {
    "echo": _echo,
    "exit": _exit,
    "python": _python,
    "run": _run,
    "cat": _cat,
}


def _run_in_lab_kernel() -> int:
    from vnetlab.errors import VnetlabError
    from vnetlab.realm.uml.client import run_in_lab_kernel

    words = sys.argv[1:]
    reads_stdin = words[:1] == ["--stdin"]
    try:
        return run_in_lab_kernel(words[reads_stdin:], stdin=reads_stdin)
    except VnetlabError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(_run_in_lab_kernel())
