"""How a lab kernel gets into the cache directory: at once or not at all (effect: files).

How it works: each maker works in a hidden directory, its workshop, which is kept when it fails
so that the next run goes on from there, and deleted when it succeeds. See inventory.py for what
makes a directory a kernel.
"""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.kernels.disk import explained_disk_errors, require_space
from vnetlab.realm.kernels.inventory import (
    BINARY,
    METADATA,
    LabKernel,
    Origin,
    cache_directory,
    kernel_version,
    list_kernels,
)
from vnetlab.realm.kernels.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress


@contextmanager
def workshop(name: str, megabytes: int, progress: Progress) -> Iterator[Path]:
    """The directory to make a kernel in, for one maker called `name` at a time.

    `megabytes` is the space that a start from nothing takes. Raises KernelRefusedError if the
    disk is full, MissingFeatureError if the cache directory cannot be written.
    """
    cache = cache_directory()
    with explained_disk_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f".{name}.lock", progress):
            shop = cache / f".{name}"
            if not shop.exists():
                require_space(cache, megabytes)
                shop.mkdir()
            yield shop
            shutil.rmtree(shop)


def publish(parts: Path, name: str, *, origin: Origin, missing: tuple[str, ...]) -> LabKernel:
    """Make the complete directory `parts` the kernel called `name`.

    Raises KernelRefusedError if its program does not run here.
    """
    home = cache_directory() / name
    if home.exists():
        shutil.rmtree(home)  # half-written, or it would have been found
    parts.rename(home)
    version = kernel_version(home / BINARY)
    if version is None:
        raise KernelRefusedError(
            f"{home / BINARY}: does not run on this machine",
            fix=f"run '{home / BINARY} --version' to see why",
        )
    modules = [str(path.relative_to(home)) for path in (home / "modules").glob("*")]
    metadata = {
        "origin": origin,
        "version": version,
        "modules": modules[0] if modules else None,
        "missing": missing,
    }
    draft = home / f"{METADATA}.new"
    draft.write_text(json.dumps(metadata, indent=2) + "\n")
    draft.rename(home / METADATA)
    return next(kernel for kernel in list_kernels() if kernel.name == name)
