"""EFFECT: kernel settings of the namespace that the thread is in, read and written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import namespaces

PROC_SYS = Path("/proc/sys")
_PROC_SYS = str(PROC_SYS)
_LONGEST = 4096
"""Bytes of a value; the kernel's own functions for them write no more than a page."""

_CONF_OF_LINK = re.compile(r"^(net/ipv[46]/(?:conf|neigh)/)(?!all/)[^/]+/")


def known(key: str) -> bool:
    """Whether this kernel has the setting `key`; of a link that may be yet to come, for any."""
    return _is_there(_CONF_OF_LINK.sub(r"\1default/", key))


@cache
def _is_there(key: str) -> bool:
    return os.access(f"{_PROC_SYS}/{key}", os.F_OK)


def read(key: str) -> str | None:
    """Return the setting's value, a space between several; None where there is none."""
    try:  # three system calls, where a file object makes seven: a lab has thousands
        fd = os.open(f"{_PROC_SYS}/{key}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return " ".join(os.read(fd, _LONGEST).decode().split())
    except OSError:
        return None
    finally:
        os.close(fd)


def read_in_new_namespace(keys: Iterable[str]) -> dict[str, str]:
    """Return the values of `keys` that a new namespace has by itself, of those that there are.

    Raises MissingFeatureError without the permission to make one.
    """
    with namespaces.away():
        namespaces.leave()
        found = {key: read(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def write(key: str, value: str) -> None:
    """Set `key`. Raises KernelRefusedError with the kernel's reason."""
    try:
        (PROC_SYS / key).write_text(value)
    except OSError as error:
        raise KernelRefusedError(
            f"the kernel refused to set {key.replace('/', '.')} to {value}: {error.strerror}"
        ) from error
