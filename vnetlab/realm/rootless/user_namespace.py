"""EFFECT: a user namespace for this process, with a mount and a network namespace in it."""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from vnetlab import syscalls
from vnetlab.errors import KernelRefusedError
from vnetlab.realm.rootless.refusal import SETTINGS, Refusal, Step, Surroundings, explain
from vnetlab.realm.rundir import run_dir

_NAMED_NAMESPACES = Path("/run/netns")
_PROC_SYS = Path("/proc/sys")

NAMESPACES = (
    ("user", syscalls.CLONE_NEWUSER),  # first: it gives the right to join the others
    ("mnt", syscalls.CLONE_NEWNS),
    ("net", syscalls.CLONE_NEWNET),
)
"""Those of the realm, by their names in /proc/PID/ns, in the order in which they are joined."""

Answer = TypeVar("Answer")


def make(mounted_at: Path) -> Refusal | None:
    """Put this process into a user namespace, where it is root, and into others of its own.

    It must have one thread. A tmpfs is mounted at `mounted_at`, in there only. Returns what was
    refused; then the process is not good for anything any more.
    """
    uid, gid = os.geteuid(), os.getegid()
    steps: tuple[tuple[Step, Callable[[], None]], ...] = (
        (Step.NAMESPACE, lambda: syscalls.unshare(syscalls.CLONE_NEWUSER)),
        (Step.CAPABILITIES, lambda: _become_root(uid, gid)),
        (Step.OTHER_NAMESPACES, _leave_other_namespaces),
        (Step.JOINING, _join_as_a_command),
        (Step.MOUNTS, lambda: _mount(mounted_at)),
        (Step.SETTINGS, _require_writable_settings),
    )
    for step, take in steps:
        try:
            take()
        except OSError as error:
            return explain(step, error.errno or 0, _surroundings())
    return None


def call_in_new(function: Callable[[], Answer]) -> Answer | Refusal:
    """Return what `function` returns in a user namespace that is made for it and ends with it.

    It runs in a process of its own, so that the caller stays where it is.
    """
    place = run_dir()  # any directory that is there and not needed by the function
    readable, writable = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            refusal = make(place)
            os.write(writable, pickle.dumps(function() if refusal is None else refusal))
        except BaseException:  # it must not run the caller's code
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise KernelRefusedError("a process in a user namespace ended without an answer")
    return pickle.loads(answer)  # type: ignore[no-any-return]  # noqa: S301 - our own child's


def _become_root(uid: int, gid: int) -> None:
    """Map the user's ids, and no others, which needs no right; see user_namespaces(7)."""
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"0 {uid} 1")
    (own / "gid_map").write_text(f"0 {gid} 1")


def _leave_other_namespaces() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)


def _join_as_a_command() -> None:
    """Join the namespaces that this process is in, which changes nothing but its directory.

    It is an error with a user namespace, but not the one of a rule against it: setns(2).
    """
    for name, kind in NAMESPACES:
        fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(fd, kind)
        except OSError as error:
            if kind != syscalls.CLONE_NEWUSER or error.errno != errno.EINVAL:
                raise
        finally:
            os.close(fd)


def _mount(mounted_at: Path) -> None:
    """Take mounts from outside as they come, let none of ours out, and have named ones alone."""
    syscalls.mount("none", Path("/"), None, syscalls.MS_SLAVE | syscalls.MS_REC)
    if _NAMED_NAMESPACES.is_dir():
        syscalls.mount("vnetlab", _NAMED_NAMESPACES, "tmpfs", 0, "mode=0755")
    syscalls.mount("vnetlab", mounted_at, "tmpfs", syscalls.MS_NOSUID, "mode=0755")


def _require_writable_settings() -> None:
    (_PROC_SYS / "net/ipv4/ip_forward").write_text("0")


def _surroundings() -> Surroundings:
    settings = {}
    for name in SETTINGS:
        with suppress(OSError):  # only some kernels have it
            settings[name] = int((_PROC_SYS / name.replace(".", "/")).read_text())
    status = Path("/proc/self/status").read_text()
    return Surroundings(settings=settings, has_filter="\nSeccomp:\t2\n" in status)
