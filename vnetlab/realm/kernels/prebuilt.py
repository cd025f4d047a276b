"""Debian's own User Mode Linux, made runnable here (effect: network, cache directory).

How it works: the package `user-mode-linux` of Debian's development suite is linked against that
suite's C library, which is newer than most machines'. The library is kept in the kernel's own
directory, and the program is made to look for it there. (To start the program through the
library's loader would need no change to it, but User Mode Linux then takes the loader's heap
for the end of its own memory and dies.)
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.kernels.apt import open_apt
from vnetlab.realm.kernels.command import CommandError, run_command
from vnetlab.realm.kernels.inventory import (
    BINARY,
    DEBIAN_LACKS,
    LabKernel,
    cache_directory,
    list_kernels,
)
from vnetlab.realm.kernels.store import publish, workshop

if TYPE_CHECKING:
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress

_SPACE_MB: Final = 300
_LIBRARIES: Final = ("ld-linux-x86-64.so.2", "libc.so.6")
_PATCHELF_PACKAGES: Final = ("patchelf", "libstdc++6", "libgcc-s1")


def install(progress: Progress) -> LabKernel:
    """Fetch Debian's newest prebuilt kernel; if one of Debian's is there already, return it.

    Needs apt, the network and 300 MB of disk for a moment, no root. Raises MissingFeatureError
    or KernelRefusedError, each of which says what to do.
    """
    with workshop("install", _SPACE_MB, progress) as shop:
        present = next((kernel for kernel in list_kernels() if kernel.origin == "installed"), None)
        return present or _install(shop, progress)


def _install(shop: Path, progress: Progress) -> LabKernel:
    shutil.rmtree(shop / "parts", ignore_errors=True)
    apt = open_apt(shop / "apt", progress)
    name = f"debian-{apt.version('user-mode-linux')}"
    for package in ("user-mode-linux", "libc6", *_PATCHELF_PACKAGES):
        apt.unpack(package, shop / "parts", progress)
    progress(f"unpacking {name}", None)
    parts = _assemble(shop / "parts", shop / "kernel", cache_directory() / name / "lib")
    return publish(parts, name, origin="installed", missing=DEBIAN_LACKS)


def _assemble(parts: Path, kernel: Path, home: Path) -> Path:
    """Put together below `kernel` what will run with its libraries in `home`."""
    shutil.rmtree(kernel, ignore_errors=True)
    (kernel / "lib").mkdir(parents=True)
    libraries = parts / "usr/lib/x86_64-linux-gnu"
    for library in _LIBRARIES:
        shutil.copy(libraries / library, kernel / "lib")
    shutil.copy(parts / "usr/bin" / BINARY, kernel)
    shutil.move(parts / "usr/lib/uml/modules", kernel)
    _redirect_loader(parts / "usr/bin/patchelf", libraries, kernel / BINARY, home)
    return kernel


def _redirect_loader(patchelf: Path, libraries: Path, binary: Path, home: Path) -> None:
    """Have `binary` take its loader and its libraries from the directory `home`."""
    loader, *_ = _LIBRARIES
    start: list[str | Path] = [libraries / loader, "--library-path", libraries, patchelf]
    change: list[str | Path] = ["--set-interpreter", home / loader, "--set-rpath", home, binary]
    try:
        run_command([*start, *change], cwd=libraries)
    except CommandError as error:
        raise KernelRefusedError(
            f"lab kernel: Debian's program cannot be adapted: {error.tail}",
            fix="run 'vnetlab kernel build' instead",
        ) from error
