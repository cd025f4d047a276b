"""EFFECT: the system calls that Python 3.11 does not offer (unshare, setns: os has them from 3.12).

Each raises OSError with the kernel's errno, and the path it was about where there is one.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x0002_0000  # unshare(2)
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8  # mount(2)
MS_REMOUNT = 32
MS_BIND, MS_REC = 4096, 16384
MS_PRIVATE, MS_SLAVE = 1 << 18, 1 << 19
MNT_DETACH = 2  # umount(2)

IN_DELETE = 0x200  # inotify(7)

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own: unshare(2)."""
    _check(_libc.unshare(flags))


def setns(fd: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace behind `fd`: setns(2)."""
    _check(_libc.setns(fd, kind))


def mount(source: str, target: Path, fstype: str | None, flags: int, options: str = "") -> None:
    """Mount `source` at `target`, or change the mount there: mount(2)."""
    kind = None if fstype is None else fstype.encode()
    data = options.encode() or None
    _check(_libc.mount(source.encode(), bytes(target), kind, flags, data), target)


def umount(target: Path, flags: int = 0) -> None:
    """Unmount what is mounted last at `target`: umount2(2)."""
    _check(_libc.umount2(bytes(target), flags), target)


def watch(directory: Path, events: int) -> int:
    """Return a descriptor that can be read when one of `events` happens there: inotify(7)."""
    fd: int = _libc.inotify_init1(os.O_CLOEXEC)
    _check(min(fd, 0))
    _check(min(_libc.inotify_add_watch(fd, bytes(directory), events), 0), directory)
    return fd


def current_cpu() -> int:
    """Return the number of the CPU that the calling thread runs on: sched_getcpu(3)."""
    cpu: int = _libc.sched_getcpu()
    _check(min(cpu, 0))
    return cpu


def _check(result: int, path: Path | None = None) -> None:
    if result != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno), path and str(path))
