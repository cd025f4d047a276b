"""EFFECT: a file of ours as /etc/hosts, in a mount namespace of the calling process alone.

How it works: the file is bind-mounted over /etc/hosts, or over what that is a symbolic link to. A
machine that has neither offers nothing to mount it over, and must not be given it: there, all of
/etc becomes a tmpfs in which each entry of the real one is mounted, and the file besides.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vnetlab import syscalls

_HOSTS = "hosts"
_READ_ONLY = (
    syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
)  # what the lab's tmpfs has: a bind mount may not drop it


def show_as_etc_hosts(file: Path, etc: Path = Path("/etc")) -> None:
    """Make `file` the hosts(5) file, read-only: it is shared by all nodes of a lab.

    Call it in a mount namespace of one's own, whose mounts do not propagate.
    """
    target = etc / _HOSTS
    if not target.exists():
        _rebuild(etc)
    syscalls.mount(str(file), target, None, syscalls.MS_BIND)
    flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | _READ_ONLY
    syscalls.mount("none", target, None, flags)


def _rebuild(etc: Path) -> None:
    """Cover `etc` by a directory that has all of its entries, and an empty file for ours."""
    real = os.open(etc, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syscalls.mount("vnetlab", etc, "tmpfs", 0, "mode=0755")
        source = Path(f"/proc/self/fd/{real}")
        for entry in source.iterdir():
            if entry.name != _HOSTS:
                _show(entry, etc / entry.name)
    finally:
        os.close(real)
    (etc / _HOSTS).touch()


def _show(source: Path, target: Path) -> None:
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(source.readlink())
        return
    if stat.S_ISDIR(mode):
        target.mkdir()
    else:
        target.touch()
    syscalls.mount(str(source), target, None, syscalls.MS_BIND | syscalls.MS_REC)
