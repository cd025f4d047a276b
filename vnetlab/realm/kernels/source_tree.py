"""The kernel's source, as much of it as User Mode Linux needs (effect: network, files).

How it works: Debian's `linux-source` is 1.7 GB unpacked, most of it drivers and other machines.
A kernel without them still reads their build descriptions, so those are taken from everywhere
and code only from `_CODE`: 290 MB. The tree gets its final name when it is complete.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.kernels.apt import open_apt
from vnetlab.realm.kernels.command import CommandError, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress

_PACKAGE: Final = r"linux-source-7\.\d+"
_PREFIX: Final = "linux-"

_DESCRIPTIONS: Final = ("*/Kconfig*", "*/Makefile*", "*/Kbuild*")
_CODE: Final = (
    *("arch/um", "arch/x86", "block", "certs", "crypto", "fs", "include", "init", "io_uring"),
    *("ipc", "kernel", "lib", "mm", "net", "scripts", "security", "usr", "virt"),
    *("drivers/base", "drivers/char", "drivers/net", "drivers/pci", "drivers/tty"),
    *("tools/arch/x86", "tools/build", "tools/include", "tools/lib", "tools/scripts"),
)
_HARDWARE: Final = ("drivers/net/ethernet/*.[ch]", "drivers/net/wireless/*.[ch]")


def unpacked_source(shop: Path) -> Path | None:
    """The source tree that an earlier run left in `shop`; named `linux-VERSION`."""
    return next(iter(sorted(shop.glob(f"{_PREFIX}[0-9]*"), reverse=True)), None)


def fetch_source(shop: Path, progress: Progress) -> Path:
    """Download Debian's newest kernel source and unpack what we need of it below `shop`."""
    apt = open_apt(shop / "apt", progress)
    package = apt.newest(_PACKAGE)
    home = shop / f"{_PREFIX}{apt.version(package)}"
    apt.unpack(package, shop / "source", progress)
    archive = shop / "source" / "usr" / "src" / f"{package}.tar.xz"
    progress(f"unpacking {package}", None)
    draft = shop / "unpacking"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        run_command(["tar", "-xJf", archive, "-C", draft, *_wanted(package)], cwd=shop)
    except CommandError as error:
        raise KernelRefusedError(
            f"{package}: cannot unpack what we need of it: {error.tail}",
            fix=f"delete {shop} and run the command again",
        ) from error
    (draft / package).rename(home)
    shutil.rmtree(shop / "source")
    return home


def _wanted(package: str) -> list[str]:
    """The arguments that make tar take only the parts of the archive that we need."""
    code = [f"{package}/{directory}/*" for directory in _CODE]
    excluded = [f"--exclude={package}/{pattern}" for pattern in _HARDWARE]
    return ["--wildcards", *excluded, *_DESCRIPTIONS, *code]
