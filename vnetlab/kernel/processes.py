"""EFFECT: the processes inside a lab's namespaces: one turned into a command, all of them ended."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from vnetlab import syscalls
from vnetlab.errors import UsageError
from vnetlab.kernel import namespaces
from vnetlab.kernel.etc_hosts import show_as_etc_hosts
from vnetlab.kernel.labdir import LabDir, list_labs

_PATIENCE_S = 2.0
_HOST_NAME_MAX = 64  # sethostname(2)
_SYS = Path("/sys")


def become(lab: LabDir, node: str, command: Sequence[str]) -> NoReturn:
    """Turn this process into `command` on `node`; it does not return.

    The command has the node's network, its /sys, the node's name as its host name, and the lab's
    names in /etc/hosts (not where `up` was killed before it wrote them). It holds no other
    namespace of any lab: those must be able to end without it. Raises UsageError if there is no
    such command.
    """
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
    try:
        os.execvp(command[0], list(command))  # noqa: S606 # the user's own command, by design
    except OSError as error:
        raise UsageError(f"{command[0]}: {error.strerror}") from None


def inside(lab: LabDir, nodes: Collection[str]) -> bool:
    """Whether this process itself is in one of those namespaces of the lab."""
    return namespaces.OWN.stat().st_ino in _inodes(lab, nodes)


def end(lab: LabDir, nodes: Collection[str]) -> None:
    """End every process on `nodes`: asked to (SIGTERM), and made to (SIGKILL) if it does not."""
    inodes = _inodes(lab, nodes)
    if not inodes:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE_S
        for pid in _pids(inodes):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while any(_pids(inodes)) and time.monotonic() < deadline:
            time.sleep(0.01)


def _inodes(lab: LabDir, nodes: Collection[str]) -> frozenset[int]:
    return frozenset(lab.namespace(node).stat().st_ino for node in nodes)


def _pids(inodes: frozenset[int]) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):  # it ended, or is none of ours
                if (entry / "ns" / "net").stat().st_ino in inodes:
                    yield int(entry.name)
