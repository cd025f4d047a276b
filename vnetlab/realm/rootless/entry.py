"""EFFECT: the way into the realm: its keeper found, started if need be, and joined."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import vnetlab
from vnetlab import syscalls
from vnetlab.errors import KernelRefusedError, MissingFeatureError, UsageError
from vnetlab.realm.choose import INSIDE, Realm
from vnetlab.realm.rootless.presence import LABS, forget, keeper_pid, realm_dir
from vnetlab.realm.rootless.user_namespace import NAMESPACES
from vnetlab.realm.rundir import RUN_DIR, run_dir_locked

_KEEPER = (
    "import json, sys; "
    "from pathlib import Path; "
    "sys.path[:] = json.loads(sys.argv[1]); "
    "from vnetlab.realm.rootless.keeper import main; "
    "main(Path(sys.argv[2]))"
)
_PACKAGES = str(Path(vnetlab.__file__).parents[1])


def enter(*, start: bool = False) -> bool:
    """Move this process, which must have one thread, into the user's realm for good.

    Returns False if there is no realm and none is to be started. Raises MissingFeatureError where
    the kernel allows no user namespace, KernelRefusedError if the keeper ends meanwhile.
    """
    directory = realm_dir()
    with run_dir_locked() if start else nullcontext():
        if not _hold(directory, make=start):
            return False
        if start and keeper_pid(directory) is None:
            _start_keeper(directory)
    pid = keeper_pid(directory)
    if pid is not None:
        _join(pid)
        if keeper_pid(directory) != pid:  # its guard may have seen to the others before we came
            raise KernelRefusedError("the keeper of realm rootless was killed")
        os.environ |= {INSIDE: Realm.ROOTLESS.value, RUN_DIR: str(directory)}
    return pid is not None


def _hold(directory: Path, *, make: bool) -> bool:
    """Keep the keeper from ending until this process ends, or becomes another program."""
    while True:
        if make:
            directory.mkdir(mode=0o700, exist_ok=True)
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if make:
                continue
            return False
        fcntl.flock(fd, fcntl.LOCK_SH)
        if directory.exists() and os.path.samestat(os.fstat(fd), directory.stat()):
            return True
        os.close(fd)  # the keeper has ended meanwhile, and removed it


def _start_keeper(directory: Path) -> None:
    (directory / LABS).mkdir(exist_ok=True)
    # an editable install is found by a hook, not by a path, and -S leaves hooks out
    paths = json.dumps([str(Path(entry).absolute()) for entry in (*sys.path, _PACKAGES)])
    command = [sys.executable, "-I", "-S", "-c", _KEEPER, paths, str(directory)]
    started = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        cwd="/", check=False,
    )  # fmt: skip
    if not started.stdout:
        raise KernelRefusedError("realm rootless: its keeper did not start")
    if refusal := pickle.loads(started.stdout):  # noqa: S301 - our own child's
        forget(directory)
        raise MissingFeatureError(refusal.reason, fix=refusal.remedy)


def _join(pid: int) -> None:
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current directory is gone", fix="change to another one") from None
    try:
        opened = [
            (os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind)
            for name, kind in NAMESPACES
        ]
        for fd, kind in opened:
            syscalls.setns(fd, kind)
            os.close(fd)
    except OSError as error:
        raise KernelRefusedError(f"cannot join realm rootless: {error}") from error
    try:
        os.chdir(cwd)  # to join a mount namespace is to stand in its root directory
    except OSError as error:
        raise UsageError(f"{cwd}: not in realm rootless: {error.strerror}") from None
