"""What can be wrong with the cache directory, said to the user (pure but for asking the disk)."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vnetlab.errors import KernelRefusedError, MissingFeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
_ELSEWHERE = "or set XDG_CACHE_HOME to a directory elsewhere"


@contextmanager
def explained_disk_errors(directory: Path) -> Iterator[None]:
    """Turn an OSError of a full or read-only disk into an error that names `directory`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise KernelRefusedError(
                f"{directory}: the disk is full; the kernels that were there are untouched",
                fix=f"free some space there and run the command again, {_ELSEWHERE}",
            ) from error
        if error.errno in _FORBIDDEN:
            raise MissingFeatureError(
                f"{error.filename or directory}: cannot write there ({error.strerror}), "
                f"expected a directory of yours",
                fix=f"make it writable, {_ELSEWHERE}",
            ) from error
        raise


def require_space(directory: Path, megabytes: int) -> None:
    """Raise KernelRefusedError unless `directory`'s disk has that much to spare."""
    free = shutil.disk_usage(directory).free // 1_000_000
    if free < megabytes:
        raise KernelRefusedError(
            f"{directory}: got {free} MB of free disk space, expected {megabytes} MB",
            fix=f"free some space there, {_ELSEWHERE}",
        )
