"""Our own lab kernel, compiled from Debian's kernel source (effect: network, compiler, files).

How it works: source, tools and objects stay in the workshop until the kernel is there, so that
an interrupted build goes on where it was. Nothing of the result depends on when, where and by
whom it was built: the same source, configuration and compiler give the same file, byte for byte.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.kernels.apt import require_apt
from vnetlab.realm.kernels.build_tools import require_compiler, tools_path
from vnetlab.realm.kernels.command import CommandError, run_command
from vnetlab.realm.kernels.configuration import FRAGMENT, fingerprint, unmet_symbols
from vnetlab.realm.kernels.inventory import BINARY, LabKernel, list_kernels
from vnetlab.realm.kernels.source_tree import fetch_source, unpacked_source
from vnetlab.realm.kernels.store import publish, workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from vnetlab.realm.kernels.progress import Progress

_SPACE_MB: Final = 900
_OBJECTS: Final = 960
"""About as many object files as the kernel is made of: only the progress shown depends on it."""

_COMPLAINTS: Final = 5
"""How many of the compiler's complaints the user sees at once; all are in the log."""

_SAME_EVERYWHERE: Final = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "vnetlab",
    "KBUILD_BUILD_HOST": "vnetlab",
    "KBUILD_BUILD_VERSION": "1",
}
"""What the kernel would otherwise say of its own making."""

_UNUSED_TOOLS: Final = ("RUSTC=false", "PAHOLE=false")
"""Tools that leave their version in the configuration if they are there."""


def build(progress: Progress) -> LabKernel:
    """Compile our kernel; if one of the same configuration is there already, return it.

    Needs apt, a C compiler, the network and 900 MB of disk while it lasts, no root. Raises
    MissingFeatureError or KernelRefusedError, each of which says what to do.
    """
    configuration = FRAGMENT.read_text()
    with workshop("build", _SPACE_MB, progress) as shop:
        suffix = f"-{fingerprint(configuration)}"
        present = [kernel for kernel in list_kernels() if kernel.origin == "built"]
        same = next((kernel for kernel in present if kernel.name.endswith(suffix)), None)
        return same or _build(shop, configuration, progress)


def _build(shop: Path, configuration: str, progress: Progress) -> LabKernel:
    require_apt()
    require_compiler(shop)
    tree = unpacked_source(shop) or fetch_source(shop, progress)
    path = tools_path(shop, progress)
    environment = {**_SAME_EVERYWHERE, "PATH": path, "TMPDIR": str(shop)}
    progress("configuring the kernel", None)
    _configure(tree, configuration, environment)
    _compile(tree, environment, progress)
    parts = _assemble(tree, shop / "kernel")
    return publish(parts, _kernel_name(tree, configuration), origin="built", missing=())


def _configure(tree: Path, configuration: str, environment: Mapping[str, str]) -> None:
    """Write the tree's .config; raise KernelRefusedError if it lacks something asked for."""
    asked = {"KCONFIG_ALLCONFIG": str(FRAGMENT), **environment}
    _make(tree, ["allnoconfig"], asked)
    unmet = unmet_symbols(configuration, (tree / ".config").read_text())
    if unmet:
        raise KernelRefusedError(
            f"{FRAGMENT.name}: {tree.name} has no {', '.join(unmet)}, expected every symbol",
            fix=f"correct or remove the line in {FRAGMENT}, then run the command again",
        )


def _compile(tree: Path, environment: Mapping[str, str], progress: Progress) -> None:
    """Make the program `linux` in `tree`, going on from the objects that are there."""
    progress(step := f"compiling {tree.name}", None)
    report = _ObjectCount(step, progress, done=sum(1 for _ in tree.rglob("*.o")))
    _make(tree, [f"-j{len(os.sched_getaffinity(0))}", "linux"], environment, report)


class _ObjectCount:
    """Counts the objects that make says it makes, and reports their part of all."""

    def __init__(self, step: str, progress: Progress, *, done: int) -> None:
        self._step, self._progress, self._done = step, progress, done

    def __call__(self, line: str) -> None:
        if re.match(r"  (CC|AS|AR)\s+\S+\.o$", line):
            self._done += 1
            self._progress(self._step, min(self._done / _OBJECTS, 0.99))


def _make(
    tree: Path,
    targets: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run make in `tree`; what it prints goes to a log beside the tree."""
    command = ["make", "ARCH=um", *_UNUSED_TOOLS, *targets]
    try:
        run_command(command, cwd=tree, environment=environment, log=_log(tree), on_line=on_line)
    except CommandError as error:
        raise _build_failed(tree, error) from error


def _assemble(tree: Path, kernel: Path) -> Path:
    """Put the finished program and its configuration into the directory `kernel`."""
    shutil.rmtree(kernel, ignore_errors=True)
    kernel.mkdir()
    shutil.copy(tree / ".config", kernel / "config")
    try:
        run_command(["strip", "-o", kernel / BINARY, tree / "linux"], cwd=tree)
    except CommandError as error:
        raise _build_failed(tree, error) from error
    return kernel


def _build_failed(tree: Path, error: CommandError) -> KernelRefusedError:
    complaints = [line for line in error.output.splitlines() if "error:" in line or "***" in line]
    said = "\n".join(complaints[:_COMPLAINTS]) or error.tail
    return KernelRefusedError(
        f"kernel build: {error.program} failed in {tree}:\n{said}",
        fix=f"the whole log is {_log(tree)}; delete {tree.parent} to start afresh",
    )


def _log(tree: Path) -> Path:
    return tree.parent / "build.log"


def _kernel_name(tree: Path, configuration: str) -> str:
    """`vnetlab-7.2.13-1f0c77ad`: the source's version without Debian's revision, and the hash."""
    version = tree.name.split("-")[1]
    return f"vnetlab-{version}-{fingerprint(configuration)}"
