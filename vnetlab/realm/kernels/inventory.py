"""The lab kernels that are there, best first (effect: reads the cache directory and PATH).

How it works: each kernel has a directory of its own below `cache_directory()`::

    debian-7.2um1/kernel.json  linux.uml  lib/  modules/7.2.7/
    vnetlab-7.2.13-1f0c77ad/kernel.json  linux.uml  config

`kernel.json` is written last, into a directory that was complete before it got its name: what
has none is not a kernel, whatever interrupted its making. Names that begin with a dot are work
in progress. A `linux.uml` on PATH is a kernel too; it is asked for its version, the others never.

This module is read by every command that may need a lab kernel: it imports nothing heavy.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final, Literal, cast

from msgspec import Struct

from vnetlab.errors import UsageError
from vnetlab.realm.kernels.disk import explained_disk_errors

Origin = Literal["built", "installed", "system"]

METADATA: Final = "kernel.json"
BINARY: Final = "linux.uml"

DEBIAN_LACKS: Final = ("nftables-inet", "drop-reasons", "tracefs", "smp")
"""What Debian's own builds of User Mode Linux lack and ours has."""

SYSTEM_MODULES: Final = Path("/usr/lib/uml/modules")


class LabKernel(Struct, frozen=True, kw_only=True):
    """A User Mode Linux kernel that can be booted here.

    `version` is what `uname -r` prints in it; `binary` is the program to execute; `modules` is
    the directory to show as /lib/modules/VERSION inside (None: it needs none); `missing` names
    the features that a kernel built by us has and this one lacks.
    """

    name: str
    origin: Origin
    version: str
    binary: Path
    modules: Path | None
    missing: tuple[str, ...]

    @property
    def full(self) -> bool:
        """Whether it has every feature that a lab can use."""
        return not self.missing


def cache_directory() -> Path:
    """Where lab kernels live: $XDG_CACHE_HOME/vnetlab/kernels, by default below ~/.cache."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"
    return cache / "vnetlab" / "kernels"


def list_kernels() -> tuple[LabKernel, ...]:
    """Every lab kernel that is there, the best first: features count more than versions."""
    kernels = [*_cached_kernels(), *_system_kernels()]
    return tuple(sorted(kernels, key=_merit, reverse=True))


def best_kernel() -> LabKernel | None:
    """The lab kernel to boot, or None if there is none."""
    cached = sorted(_cached_kernels(), key=_merit, reverse=True)
    if cached and cached[0].full:
        return cached[0]  # no kernel on PATH can beat it, so none is executed to be asked
    return next(iter(list_kernels()), None)


def remove(name: str) -> LabKernel:
    """Delete the kernel called `name` from the cache directory and return what it was.

    Raises UsageError if there is none, or if it belongs to the system.
    """
    kernels = {kernel.name: kernel for kernel in list_kernels()}
    kernel = kernels.get(name)
    if kernel is None:
        raise UsageError(f"kernel: got '{name}', expected {_choices(tuple(kernels), name)}")
    if kernel.origin == "system":
        raise UsageError(
            f"kernel: '{name}' is {kernel.binary}, which vnetlab did not install",
            fix="remove it with the system's package manager, or leave it",
        )
    with explained_disk_errors(kernel.binary.parent):
        (kernel.binary.parent / METADATA).unlink()  # from here on it is not a kernel
        shutil.rmtree(kernel.binary.parent)
    return kernel


def _cached_kernels() -> list[LabKernel]:
    """The kernels of the cache directory, the latest made first: it wins among equals."""
    try:
        directories = sorted(cache_directory().iterdir(), key=_made_at, reverse=True)
    except OSError:
        return []
    found = (_read_kernel(path) for path in directories if not path.name.startswith("."))
    return [kernel for kernel in found if kernel is not None]


def _made_at(directory: Path) -> int:
    return directory.stat().st_mtime_ns


def _read_kernel(directory: Path) -> LabKernel | None:
    """The kernel in `directory`, or None if it is not a whole one."""
    try:
        metadata = json.loads((directory / METADATA).read_text())
        kernel = _from_metadata(directory, metadata)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return kernel if os.access(kernel.binary, os.X_OK) else None


def _from_metadata(directory: Path, metadata: dict[str, Any]) -> LabKernel:
    modules = metadata["modules"]
    return LabKernel(
        name=directory.name,
        origin=cast("Origin", str(metadata["origin"])),
        version=str(metadata["version"]),
        binary=directory / BINARY,
        modules=None if modules is None else directory / str(modules),
        missing=tuple(map(str, metadata["missing"])),
    )


def _system_kernels() -> list[LabKernel]:
    """The `linux.uml` on PATH, if there is one that runs here."""
    binary = shutil.which(BINARY)
    version = kernel_version(Path(binary)) if binary else None
    if binary is None or version is None:
        return []
    modules = SYSTEM_MODULES / version
    return [
        LabKernel(
            name="system",
            origin="system",
            version=version,
            binary=Path(binary),
            modules=modules if modules.is_dir() else None,
            missing=DEBIAN_LACKS,
        )
    ]


def kernel_version(binary: Path) -> str | None:
    """What `uname -r` will print in the kernel `binary`; None if it does not run here."""
    import subprocess  # late, because most commands never execute a kernel to ask it

    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _merit(kernel: LabKernel) -> tuple[int, tuple[int, ...], bool]:
    """Compare kernels by this: features, then version, then whether we know its parts."""
    return -len(kernel.missing), version_numbers(kernel.version), kernel.origin != "system"


def version_numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, to compare by: `7.2.13-vnetlab` -> (7, 2, 13)."""
    numbers = version.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdecimal())


def _choices(names: tuple[str, ...], wrong: str) -> str:
    if not names:
        return "the name of a lab kernel, and there is none"
    import difflib  # late, because only a mistake needs it

    close = difflib.get_close_matches(wrong, names, n=1)
    listed = ", ".join(names)
    return f"one of {listed}" + (f"; did you mean '{close[0]}'?" if close else "")
