"""EFFECT: loads a lab kernel's modules (runs in the lab kernel).

Without kmod: the host need not have it, and one process is quicker than a modprobe per module.
That also means that the kernel cannot load a module by itself when a lab first needs it, so what
labs may need is loaded at the start.
"""

from __future__ import annotations

import ctypes
import errno
import os
from fnmatch import fnmatchcase
from pathlib import Path

WANTED = (
    "af_packet", "8021q", "bonding", "bridge", "dummy", "geneve", "ifb", "ipvlan", "macvlan",
    "tun", "veth", "vrf", "vxlan",
    "act_*", "cls_*", "sch_*",
    "nf_tables", "nft_*", "nf_conntrack_bridge", "nf_nat",
    "inet_diag", "tcp_diag", "udp_diag",
)  # fmt: skip
"""Modules (as patterns) that labs use: links, queueing, filters, and what `ss` reads."""

_SYS_FINIT_MODULE = 313  # x86-64, the only machine that User Mode Linux runs on

_libc = ctypes.CDLL(None, use_errno=True)


def load_modules(directory: Path, wanted: tuple[str, ...] = WANTED) -> list[str]:
    """Load every module that matches a wanted pattern, with those it depends on.

    `directory` is a kernel's modules directory, with modules.dep in it. Returns a message for each
    that could not be loaded.
    """
    needs = read_dependencies((directory / "modules.dep").read_text())
    problems = []
    for path in order_modules(needs, wanted):
        try:
            _load(directory / path)
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    return problems


def read_dependencies(text: str) -> dict[str, list[str]]:
    """Return what modules.dep says: for each module file those it needs, nearest first."""
    lines = (line.partition(":") for line in text.splitlines())
    return {path: needed.split() for path, _, needed in lines}


def order_modules(needs: dict[str, list[str]], wanted: tuple[str, ...]) -> list[str]:
    """Return the files to load so that each comes after all that it needs, each once."""
    order: dict[str, None] = {}
    for path in needs:
        name = Path(path).name.partition(".")[0].replace("-", "_")
        if any(fnmatchcase(name, pattern) for pattern in wanted):
            order.update(dict.fromkeys([*reversed(needs[path]), path]))
    return list(order)


def _load(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        failed = _libc.syscall(_SYS_FINIT_MODULE, fd, b"", 0)
    finally:
        os.close(fd)
    number = ctypes.get_errno()
    if failed and number != errno.EEXIST:
        raise OSError(number, os.strerror(number))
