"""EFFECT: what tells a process that it is on a node: a mount in its mount namespace.

A command on a node may forget its environment (env -i), not its mounts. Where everyone else sees
the lab's tmpfs, it sees a small one of another source, which holds what its environment should say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vnetlab import syscalls

_SOURCE = "vnetlab-node"
_ENVIRONMENT = "environment.json"
_OURS = "VNETLAB_"
_MOUNTS = Path("/proc/self/mountinfo")


def mark(live: Path) -> None:
    """Cover `live`, where the lab's tmpfs was, by the mark; our variables are written there."""
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount(_SOURCE, live, "tmpfs", flags, "mode=0755")
    ours = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    (live / _ENVIRONMENT).write_text(json.dumps(ours))


def is_marked(live: Path) -> bool:
    """Whether this process is on a node of the lab whose tmpfs is at `live` for others."""
    return live in _marks()


def remember() -> None:
    """Set those of our variables that this process, if it is on a node, has lost."""
    for live in _marks():
        with suppress(FileNotFoundError):
            told = json.loads((live / _ENVIRONMENT).read_text())
            for name, value in told.items():
                os.environ.setdefault(name, value)


def _marks() -> Iterator[Path]:
    """Where marks are mounted: proc_pid_mountinfo(5)."""
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[1] == _SOURCE:
            escaped = before.split()[4].encode()
            yield Path(escaped.decode("unicode_escape").encode("latin-1").decode())
