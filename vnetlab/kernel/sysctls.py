"""EFFECT: kernel settings of the namespace that the thread is in, read and written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import namespaces

PROC_SYS = Path("/proc/sys")
_PROC_SYS = str(PROC_SYS)
_LONGEST = 4096
"""Bytes of a value; the kernel's own functions for them write no more than a page."""

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_CONF_OF_LINK = re.compile(r"^(net/ipv[46]/(?:conf|neigh)/)(?!all/)[^/]+/")


def known(key: str) -> bool:
    """Whether this kernel has the setting `key`; of a link that may be yet to come, for any."""
    return _is_there(_CONF_OF_LINK.sub(r"\1default/", key))


@cache
def _is_there(key: str) -> bool:
    return os.access(f"{_PROC_SYS}/{key}", os.F_OK)


class Settings(AbstractContextManager["Settings"]):
    """The settings of the namespace that the thread is in as long as this is used.

    How it works: the kernel has the entries of all namespaces in one directory, /proc/sys/net, and
    a path through it is compared with those of each (fs/proc/proc_sysctl.c, proc_sys_compare). In
    a lab of a thousand that is most of the time of opening a file, so it is done once for all files
    of net/ipv4 and once for those of net/ipv6.
    """

    def __init__(self) -> None:
        self._directories: dict[str, int] = {}

    def __exit__(self, *_: object) -> None:
        for directory in self._directories.values():
            os.close(directory)

    def read(self, key: str) -> str | None:
        """Return the setting's value, a space between several; None where there is none."""
        try:  # three system calls, where a file object makes seven: a lab has thousands
            fd = self._open(key, os.O_RDONLY)
        except OSError:
            return None
        try:
            return " ".join(os.read(fd, _LONGEST).decode().split())
        except OSError:
            return None
        finally:
            os.close(fd)

    def write(self, key: str, value: str) -> None:
        """Set `key`. Raises KernelRefusedError with the kernel's reason."""
        try:
            fd = self._open(key, os.O_WRONLY)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise KernelRefusedError(
                f"the kernel refused to set {key.replace('/', '.')} to {value}: {error.strerror}"
            ) from error

    def _open(self, key: str, access: int) -> int:
        """Open the file of `key`. Raises OSError."""
        net, protocol, name = key.split("/", 2)
        if protocol not in self._directories:
            self._directories[protocol] = os.open(f"{_PROC_SYS}/{net}/{protocol}", _DIRECTORY)
        return os.open(name, access | os.O_CLOEXEC, dir_fd=self._directories[protocol])


def read(key: str) -> str | None:
    """Return one setting of the namespace that the thread is in, as `Settings.read` does."""
    with Settings() as settings:
        return settings.read(key)


def write(key: str, value: str) -> None:
    """Set one setting there, as `Settings.write` does."""
    with Settings() as settings:
        settings.write(key, value)


def read_in_new_namespace(keys: Iterable[str]) -> dict[str, str]:
    """Return the values of `keys` that a new namespace has by itself, of those that there are.

    Raises MissingFeatureError without the permission to make one.
    """
    with namespaces.away():
        namespaces.leave()
        with Settings() as settings:
            found = {key: settings.read(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}
