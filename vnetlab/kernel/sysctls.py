"""EFFECT: kernel settings of the namespace that the thread is in, read and written."""

from __future__ import annotations

from pathlib import Path

from vnetlab.errors import KernelRefusedError

PROC_SYS = Path("/proc/sys")


def known(key: str) -> bool:
    """Whether this kernel has the setting `key`."""
    return (PROC_SYS / key).exists()


def read(key: str) -> str | None:
    """Return the setting's value, without white space around it; None where there is none."""
    try:
        return (PROC_SYS / key).read_text().strip()
    except OSError:
        return None


def write(key: str, value: str) -> None:
    """Set `key`. Raises KernelRefusedError with the kernel's reason."""
    try:
        (PROC_SYS / key).write_text(value)
    except OSError as error:
        raise KernelRefusedError(
            f"the kernel refused to set {key.replace('/', '.')} to {value}: {error.strerror}"
        ) from error
