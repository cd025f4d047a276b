"""Writing a file that the user names: a capture, a picture (effect)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from vnetlab.errors import UsageError


def write_capture(
    path: Path, content: bytes, *, what: str = "capture", option: str = "--pcap"
) -> None:
    """Write a file as a whole or not at all; a pipe or device is written to as it is.

    `what` it is and the `option` that names it are what an error says. Raises UsageError
    with the system's reason where it cannot.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot write the {what}: {(error.strerror or str(error)).lower()}",
            fix=f"give {option} a file in a directory with room and permission",
        ) from error


def _replace(target: Path, content: bytes) -> None:
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            file.write(content)
        fresh.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
