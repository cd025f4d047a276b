"""EFFECT: the keeper: the process that the realm's namespaces live in.

A program of its own that imports little, since it stays for as long as there are labs.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from pathlib import Path

from vnetlab import syscalls
from vnetlab.realm.rootless.presence import KEEPER, LABS, forget
from vnetlab.realm.rootless.residents import guard
from vnetlab.realm.rootless.user_namespace import make

_EVENTS = 65536
_STDOUT, _STDERR = 1, 2


def main(directory: Path) -> None:
    """Keep the realm in `directory` until there is neither a lab nor a command in it.

    Runs in the background. When commands may join it, or never will, it says so by a pickle of
    what `make` returned on standard output, and closes that.
    """
    if os.fork():
        os._exit(0)
    commands = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    labs = directory / LABS
    guard(labs)
    refusal = make(labs)
    if refusal is None:
        changes = syscalls.watch(labs, syscalls.IN_DELETE)
        fcntl.lockf(os.open(directory / KEEPER, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
    os.write(_STDOUT, pickle.dumps(refusal))
    for stream in (_STDOUT, _STDERR):
        os.dup2(0, stream)
    if refusal is None:
        _wait_for_the_last(labs, commands, changes)
        syscalls.umount(labs, syscalls.MNT_DETACH)
        forget(directory)


def _wait_for_the_last(labs: Path, commands: int, changes: int) -> None:
    """Return with the commands' lock held when there is no lab."""
    while True:
        fcntl.flock(commands, fcntl.LOCK_EX)
        if not any(labs.iterdir()):
            return
        fcntl.flock(commands, fcntl.LOCK_UN)
        os.read(changes, _EVENTS)
