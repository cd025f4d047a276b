"""EFFECT: whether the realm is there: its files, and its keeper as the kernel knows it."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from vnetlab.realm.choose import Realm
from vnetlab.realm.rootless.residents import end_residents
from vnetlab.realm.rundir import run_dir, run_dir_locked

LABS = "labs"
"""The directory of the labs in the realm's directory."""

KEEPER = "keeper"
"""The file in the realm's directory that the keeper locks (fcntl) as long as it lives."""

_FLOCK = "hhqqi"  # struct flock of fcntl(2): type, whence, start, length, process


def realm_dir() -> Path:
    """Return where the realm's files are; it need not exist."""
    return run_dir() / Realm.ROOTLESS.value


def keeper_pid(directory: Path) -> int | None:
    """Return the process that keeps the realm, None if there is none: who has locked its file."""
    try:
        file = os.open(directory / KEEPER, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
    finally:
        os.close(file)
    return None if kind == fcntl.F_UNLCK else pid


def labs_seen_from_outside() -> Path | None:
    """Return the directory of the realm's labs, for reading; None if there is no realm."""
    directory = realm_dir()
    pid = keeper_pid(directory)
    return None if pid is None else Path(f"/proc/{pid}/root{directory / LABS}")


def clear_after_death() -> bool:
    """End what a killed keeper left, and its files; return whether there was such a one.

    Its guard has ended the processes already, unless that was killed with it.
    """
    directory = realm_dir()
    if not _is_dead(directory):
        return False
    with run_dir_locked():  # else it may be one that is just being started
        if not _is_dead(directory):
            return False
        end_residents(directory / LABS)
        forget(directory)
    return True


def forget(directory: Path) -> None:
    """Remove the files of a realm whose keeper ends, or has ended."""
    with suppress(FileNotFoundError):
        (directory / LABS).rmdir()
    (directory / KEEPER).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        directory.rmdir()


def _is_dead(directory: Path) -> bool:
    return (directory / KEEPER).exists() and keeper_pid(directory) is None
