"""EFFECT: the processes inside a lab's namespaces: one turned into a command, all of them ended."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from vnetlab import syscalls
from vnetlab.errors import CommandError
from vnetlab.kernel import limits, namespaces, open_files
from vnetlab.kernel.etc_hosts import show_as_etc_hosts
from vnetlab.kernel.labdir import LabDir, list_labs
from vnetlab.kernel.node_mark import is_marked, mark

_PATIENCE_S = 2.0
_HOST_NAME_MAX = 64  # sethostname(2)
NOT_FOUND, NOT_RUN = 127, 126
"""What a shell exits with where a command is not there, or cannot be run: sh(1p)."""

_SYS = Path("/sys")


def become(lab: LabDir, node: str, command: Sequence[str]) -> NoReturn:
    """Turn this process into `command` on `node`; it does not return.

    Raises CommandError if there is no such command, with the exit code that a shell has then.
    """
    move_to(lab, node)
    try:
        os.execvp(command[0], list(command))  # noqa: S606 # the user's own command, by design
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]}: {error.strerror}", exit_code=NOT_FOUND) from None
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}", exit_code=NOT_RUN) from None


def move_to(lab: LabDir, node: str) -> None:
    """Bring this process to `node`, for good: what runs there is a child of it, or replaces it.

    It has the node's network, its /sys, the node's name as its host name, and the lab's
    names in /etc/hosts (not where `up` was killed before it wrote them). It is under the
    node's limits. It holds no other namespace of any lab: those must be able to end without it.
    """
    limits.join(lab, node)
    namespaces.enter(lab.namespace(node))
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
    syscalls.mount("none", Path("/"), None, syscalls.MS_SLAVE | syscalls.MS_REC)
    if lab.hosts.exists():
        show_as_etc_hosts(lab.hosts)
    for name in list_labs(lab.path.parent):
        with suppress(OSError):
            syscalls.umount(LabDir(lab.path.parent, name).live, syscalls.MNT_DETACH)
    with suppress(OSError):
        syscalls.umount(_SYS, syscalls.MNT_DETACH)
    with suppress(PermissionError):  # in a user namespace, where the old one is partly covered
        syscalls.mount("sysfs", _SYS, "sysfs", 0)
    socket.sethostname(node[:_HOST_NAME_MAX])
    os.environ |= {"VNETLAB_LAB": lab.name, "VNETLAB_NODE": node}
    mark(lab.live)
    open_files.restore_limit()


def inside(lab: LabDir, nodes: Collection[str]) -> bool:
    """Whether this process itself is in one of those namespaces of the lab.

    What `move_to` brought there does not see them, but knows from its mark that it is on a node.
    """
    if is_marked(lab.live):
        return True
    return namespaces.OWN.stat().st_ino in _inodes(lab, nodes)


def on_node(lab: LabDir, node: str) -> Iterator[int]:
    """The processes on a node."""
    return _pids(_inodes(lab, (node,)))


def end(
    lab: LabDir, nodes: Collection[str], chosen: Callable[[int], bool] = lambda _: True
) -> None:
    """End the `chosen` processes on `nodes`: asked to (SIGTERM), or made to (SIGKILL)."""
    inodes = _inodes(lab, nodes)
    if not inodes:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE_S
        for pid in (pid for pid in _pids(inodes) if chosen(pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(chosen(pid) for pid in _pids(inodes)) and time.monotonic() < deadline:
            time.sleep(0.01)


def _inodes(lab: LabDir, nodes: Collection[str]) -> frozenset[int]:
    return frozenset(lab.namespace(node).stat().st_ino for node in nodes)


def _pids(inodes: frozenset[int]) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it ended, or is none of ours
                if (entry / "ns" / "net").stat().st_ino in inodes:
                    yield int(entry.name)
