"""The programs that compile a kernel: the machine's own, or fetched (effect: PATH, network).

How it works: a compiler and make must be there. The small ones that few machines have (flex,
bison, m4, bc) are unpacked from Debian's packages into the workshop if they are missing, with
the C library that they need, and started by a script that puts them together.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from vnetlab.errors import MissingFeatureError
from vnetlab.realm.kernels.apt import open_apt
from vnetlab.realm.kernels.command import CommandError, run_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress

_REQUIRED: Final = ("gcc", "make", "ld", "strip", "tar", "xz")
_REQUIRED_FIX: Final = "install Debian's packages gcc, make, libc6-dev and xz-utils"

_FETCHABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "bc": ("bc", "libreadline8t64", "libtinfo6"),
    "bison": ("bison",),
    "flex": ("flex",),
    "m4": ("m4",),
}
"""Each tool that we can do without the machine for, with the packages that it comes in."""

_LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
_SCRIPT: Final = """\
#!/bin/sh
export BISON_PKGDATADIR='{tools}/usr/share/bison' M4='{m4}'
exec '{libraries}/ld-linux-x86-64.so.2' --library-path '{libraries}' '{tools}/usr/bin/{name}' "$@"
"""


def require_compiler(shop: Path) -> None:
    """Raise MissingFeatureError unless C programs can be compiled here."""
    missing = [tool for tool in _REQUIRED if shutil.which(tool) is None]
    if missing:
        raise MissingFeatureError(
            f"kernel build: {', '.join(missing)} not found on PATH", fix=_REQUIRED_FIX
        )
    source = shop / "compiles.c"
    source.write_text("#include <stdio.h>\nint main(void) { return 0; }\n")
    try:
        run_command(["gcc", "-o", "compiles", source.name], cwd=shop)
    except CommandError as error:
        raise MissingFeatureError(
            f"kernel build: gcc cannot compile a C program: {error.tail}", fix=_REQUIRED_FIX
        ) from error


def tools_path(shop: Path, progress: Progress) -> str:
    """The value of PATH with which every tool is found; fetches into `shop` what is missing."""
    ours = shop / "tools" / "bin"
    missing = [tool for tool in _FETCHABLE if not (shutil.which(tool) or (ours / tool).exists())]
    if missing:
        _fetch_tools(missing, shop, progress)
    return f"{os.environ.get('PATH', os.defpath)}:{ours}"


def _fetch_tools(names: Sequence[str], shop: Path, progress: Progress) -> None:
    tools = shop / "tools"
    apt = open_apt(shop / "apt", progress)
    for package in ("libc6", *(package for name in names for package in _FETCHABLE[name])):
        apt.unpack(package, tools, progress)
    (tools / "bin").mkdir(exist_ok=True)
    m4 = shutil.which("m4") or tools / "bin" / "m4"
    for name in names:
        draft = tools / "bin" / f"{name}.new"
        draft.write_text(
            _SCRIPT.format(tools=tools, m4=m4, libraries=tools / _LIBRARIES, name=name)
        )
        draft.chmod(0o755)
        draft.rename(tools / "bin" / name)
