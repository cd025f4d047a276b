"""EFFECT: the directory that holds what is alive: labs, and the lab kernel's socket.

It is gone after a reboot, like everything that it describes.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vnetlab.errors import MissingFeatureError

RUN_DIR = "VNETLAB_RUN_DIR"
"""The environment variable that names the run directory."""


def run_dir() -> Path:
    """Return the user's run directory, made if need be: his own, closed to everyone else.

    `VNETLAB_RUN_DIR` names it; else it is /run/vnetlab for root, vnetlab in `XDG_RUNTIME_DIR`,
    or /tmp/vnetlab-UID. Raises MissingFeatureError if it cannot be made, or someone else could
    write into it.
    """
    path = _choose()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise MissingFeatureError(
            f"{path}: cannot make the run directory: {error.strerror}",
            fix="name a directory that you can write in VNETLAB_RUN_DIR",
        ) from error
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or mode & 0o077:
        raise MissingFeatureError(
            f"{path}: got mode {mode:04o} and owner {found.st_uid}, "
            f"expected a directory of mode 0700 and owner {os.geteuid()}",
            fix=f"remove {path}, or name another directory in VNETLAB_RUN_DIR",
        )
    return path


@contextmanager
def run_dir_locked() -> Iterator[None]:
    """Be the only one who starts or clears a realm of the user's."""
    fd = os.open(run_dir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _choose() -> Path:
    if named := os.environ.get(RUN_DIR):
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/run/vnetlab")
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "vnetlab"
    return Path(f"/tmp/vnetlab-{os.geteuid()}")  # noqa: S108 - its owner and mode are checked
