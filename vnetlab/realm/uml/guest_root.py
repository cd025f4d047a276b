"""EFFECT: turns the host's root file system into the lab kernel's own (runs in the lab kernel).

Files are the host's; processes, devices, kernel settings and run-time state are the lab kernel's.
So /proc, /sys and /dev are mounted afresh, and /run is a new tmpfs into which every entry of the
host's /run is bound, save those that name objects of the host's kernel.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_LINUX_REBOOT_CMD_POWER_OFF = 0x4321FEDC

_OURS_ALONE = ("vnetlab", "netns")
"""Entries of /run that describe a kernel's own objects."""

_libc = ctypes.CDLL(None, use_errno=True)


def mount_all() -> None:
    """Mount what a root file system needs beside the host's files.

    Raises OSError if /proc, /dev or /run could not be mounted.
    """
    _mount("proc", "/proc", "proc")
    _mount_if_there("sysfs", "/sys", "sysfs")
    _mount_dev()
    _mount_run()
    _mount_if_there("cgroup2", "/sys/fs/cgroup", "cgroup2")
    _mount_if_there("tracefs", "/sys/kernel/tracing", "tracefs")
    _mount_if_there("debugfs", "/sys/kernel/debug", "debugfs")
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)


def show_modules(directory: Path) -> None:
    """Let /lib/modules lead to a lab kernel's modules, where the host has such a directory."""
    place = Path("/lib/modules")
    if place.is_dir():
        _mount("tmpfs", str(place), "tmpfs")
        (place / os.uname().release).symlink_to(directory)


def configure(hostname: str) -> None:
    """Set the lab kernel's host name, bring its loopback up, keep bridges free of netfilter."""
    socket.sethostname(hostname)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    for setting in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        setting.write_text("0")


def power_off() -> None:
    """End the lab kernel at once."""
    _libc.sync()
    _libc.reboot(_LINUX_REBOOT_CMD_POWER_OFF)


def _mount_dev() -> None:
    if not os.path.ismount("/dev"):
        _mount("devtmpfs", "/dev", "devtmpfs")
    for name, options in (("pts", "ptmxmode=0666,mode=0620,gid=5"), ("shm", "mode=1777")):
        Path("/dev", name).mkdir(exist_ok=True)
        _mount(name, f"/dev/{name}", "devpts" if name == "pts" else "tmpfs", 0, options)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        with suppress(FileExistsError):
            Path("/dev", name).symlink_to(f"/proc/self/fd{target}")


def _mount_run() -> None:
    host = os.open("/run", os.O_PATH | os.O_DIRECTORY)
    entries = [path.name for path in Path("/run").iterdir() if path.name not in _OURS_ALONE]
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=0755")
    for name in entries:
        with suppress(OSError):  # one entry that cannot be shown is no reason not to start
            _show_entry(name, host)
    os.close(host)


def _show_entry(name: str, host: int) -> None:
    mode = os.stat(name, dir_fd=host, follow_symlinks=False).st_mode
    place = Path("/run", name)
    if stat.S_ISLNK(mode):
        place.symlink_to(os.readlink(name, dir_fd=host))
        return
    if stat.S_ISDIR(mode):
        place.mkdir()
    elif stat.S_ISREG(mode):
        place.touch()
    else:
        return  # sockets and pipes lead to processes of the host's kernel
    _mount(f"/proc/self/fd/{host}/{name}", str(place), "", _MS_BIND)


def _mount_if_there(source: str, target: str, kind: str) -> None:
    if not Path(target).is_dir():
        return
    with suppress(OSError):  # this lab kernel was built without it
        _mount(source, target, kind)


def _mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    arguments = (os.fsencode(text) for text in (source, target, kind))
    if _libc.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)
