"""Two makers of the same thing take turns (effect: flock in the cache directory)."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress

_held: set[int] = set()


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock `path`; if another process holds it, say so and wait for it.

    The lock dies with its holder and with the programs that the holder started.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another vnetlab that does the same", None)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        _held.add(descriptor)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def held_locks() -> tuple[int, ...]:
    """The file descriptors of the locks that this process holds, for its children to inherit."""
    return tuple(sorted(_held))
