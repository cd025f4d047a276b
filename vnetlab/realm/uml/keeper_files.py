"""EFFECT: the keeper's files in `kernel_dir`, beside its socket."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from vnetlab.realm.uml.connection import SOCKET

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "pids"
"""The process ids of keeper and lab kernel; locked while the keeper lives."""

LOG = "console.log"
"""The lab kernel's console, and what the keeper may have to say. It outlives a death."""

HIDDEN_SOCKET = "socket.ending"
"""The keeper's socket while it makes sure that nobody needs it any more."""

INIT = "init"
"""The lab kernel's first program."""

SETTINGS = "agent.json"
"""What that program is to do."""

UML_DIR = "uml"
"""User Mode Linux's own files."""

_LOG_LINES = 15


def last_log_lines(directory: Path) -> list[str]:
    """Return the last lines of a lab kernel's console log, none if there is no log."""
    try:
        text = (directory / LOG).read_text(errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-_LOG_LINES:]


def forget_files(directory: Path, *, keep_log: bool) -> None:
    """Remove the keeper's files; the lock last, since it says that they are in use."""
    for name in (SOCKET, HIDDEN_SOCKET, INIT, SETTINGS, *(() if keep_log else (LOG,))):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / UML_DIR, ignore_errors=True)
    (directory / LOCK).unlink(missing_ok=True)
    if not keep_log:
        with suppress(OSError):
            directory.rmdir()
