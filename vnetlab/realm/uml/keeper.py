"""EFFECT: the daemon that holds a user's lab kernel and carries commands to it.

One keeper per user. It owns three things, all gone when it ends: the lab kernel (its child), the
serial line to the agent in it, and the Unix socket that commands connect to. `relay` is what it
does all the time.

Only standard library, and little of that: a keeper may stay for days.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from pathlib import Path

from vnetlab.realm.uml.boot import Guest, Program, choose_memory, command_line, write_init
from vnetlab.realm.uml.connection import SOCKET
from vnetlab.realm.uml.keeper_files import LOCK, forget_files
from vnetlab.realm.uml.relay import Booted, Relay


def main(arguments: list[str]) -> None:
    """Take over a directory, then go to the background and keep a lab kernel in it.

    The arguments are the directory, and JSON with `kernel` (a Program) and `guest` (a Guest).
    Standard output and error are the log, of the keeper and of the lab kernel's console.
    """
    directory = Path(arguments[0])
    values = json.loads(arguments[1])
    listener, lock = take_directory(directory)
    if os.fork():
        os._exit(0)
    os.setpgid(0, 0)
    kernel = Program(**values["kernel"])
    try:
        booted = boot(kernel, write_init(directory, kernel, Guest(**values["guest"])))
    except OSError as error:
        sys.stderr.write(f"{error}\n")  # into the log
        forget_files(directory, keep_log=True)
        return
    os.pwrite(lock, f"{os.getpid()} {booted.pid}\n".encode(), 0)
    Relay(booted, directory, listener).run()


def take_directory(directory: Path) -> tuple[socket.socket, int]:
    """Return a listening socket in the directory, and the lock that says whose it is."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.chdir(directory)  # a socket's address holds 107 bytes, a directory's path may be longer
    listener.bind(SOCKET)
    listener.listen(128)
    listener.setblocking(False)
    return listener, lock


def boot(kernel: Program, init: Path) -> Booted:
    """Start a lab kernel in a process group of its own. Raises OSError if it is no program."""
    memory_dir, memory_mib = choose_memory()
    line, far = socket.socketpair()
    line.setblocking(False)
    far.set_inheritable(True)
    with far:
        pid = os.posix_spawn(
            kernel.binary,
            command_line(kernel, init=init, memory_mib=memory_mib, line=far.fileno()),
            os.environ | {"TMPDIR": str(memory_dir)},
            setpgroup=0,
        )
    return Booted(name=kernel.name, pid=pid, line=line, started=time.time(), memory_mib=memory_mib)
