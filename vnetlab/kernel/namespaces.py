"""EFFECT: network namespaces: made, entered and left, without a fork.

A thread that calls unshare(2) is in the new namespace at once; a bind mount of its
/proc/thread-self/ns/net keeps the namespace alive when the thread has gone home again. Sockets
opened on the way stay in the namespace for good.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vnetlab import syscalls
from vnetlab.errors import MissingFeatureError

OWN = Path("/proc/thread-self/ns/net")


@contextmanager
def away() -> Iterator[None]:
    """Come back to the present namespace at the end, whatever happens in between."""
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        if not os.path.samestat(os.fstat(home), OWN.stat()):  # without rights nobody gets away
            syscalls.setns(home)
        os.close(home)


@contextmanager
def entered(path: Path) -> Iterator[None]:
    """Be in the namespace that is mounted at `path`."""
    with away():
        enter(path)
        yield


def enter(path: Path) -> None:
    """Move this thread into the namespace that is mounted at `path`, for good."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(fd)
    finally:
        os.close(fd)


def leave() -> None:
    """Move this thread into a new namespace without a name, which ends when it is left.

    Raises MissingFeatureError without the permission, OSError where the kernel has none. It is
    tried first whether there is a way back: a seccomp filter may forbid setns(2) alone.
    """
    try:
        enter(OWN)
        syscalls.unshare(syscalls.CLONE_NEWNET)
    except PermissionError:
        raise MissingFeatureError(
            "no permission to make and enter network namespaces",
            fix="run it as root, or with --realm rootless or uml, which need none",
        ) from None


def create(path: Path) -> None:
    """Make a namespace and keep it alive by a bind mount at `path`, a new file."""
    with away():
        syscalls.unshare(syscalls.CLONE_NEWNET)
        path.touch(exist_ok=False)
        syscalls.mount(str(OWN), path, None, syscalls.MS_BIND)


def keep(path: Path) -> None:
    """Keep the present namespace alive by a bind mount at `path`."""
    path.touch()
    syscalls.mount(str(OWN), path, None, syscalls.MS_BIND)


def remove(path: Path) -> None:
    """Undo `create` or `keep`; half of it too."""
    try:
        syscalls.umount(path, syscalls.MNT_DETACH)
    except OSError:
        if path.exists() and os.path.ismount(path):
            raise
    path.unlink(missing_ok=True)
