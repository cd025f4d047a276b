"""EFFECT: how a lab kernel is started: its command line, its memory, its init.

The command line: `rootfstype=hostfs` makes the host's root file system the lab kernel's, read and
written with the rights of the user who started it. `ssl0` is the serial line to the agent. The
console goes to a log file. The lab kernel's memory is an unlinked file in TMPDIR that grows as it
is touched; it must lie where files can be executed and where there is room, which a container's
/dev/shm is not.
"""

from __future__ import annotations

import json
import mmap
import os
import shlex
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from vnetlab.realm.uml.keeper_files import INIT, SETTINGS, UML_DIR

_MIB = 1024 * 1024
_MEMORY_MIB = (2048, 1024, 512)
"""What a lab kernel is given: the first that some directory has room for."""

_INIT = (
    "import json, sys; "
    "settings = json.load(open(sys.argv[1])); "
    "sys.path[:] = settings['path']; "
    "from vnetlab.realm.uml.agent import main; "
    "main(settings)"
)


class Program(Struct, frozen=True, kw_only=True):
    """What is booted: its name for the user, its file, its modules' directory if it has any."""

    name: str
    binary: str
    modules: str | None = None


class Guest(Struct, frozen=True, kw_only=True):
    """What runs in a lab kernel; functions are given as module:function.

    `main` is what a command runs. `labs` returns the labs that are up there, a mapping of their
    names to their nodes' names: while there is one the lab kernel goes on. `preload` names the
    modules that are imported before the first command, `prewarm` those imported later, while no
    command runs.
    """

    main: str = "vnetlab.__main__:main"
    labs: str = "vnetlab.cli.whereabouts:labs_here"
    preload: tuple[str, ...] = ()
    prewarm: tuple[str, ...] = ()


def write_init(directory: Path, kernel: Program, guest: Guest) -> Path:
    """Write the lab kernel's first program, this very Python running the agent; return its path."""
    settings = directory / SETTINGS
    paths = [str(Path(entry).absolute()) for entry in sys.path]
    hostname = socket.gethostname()
    values = asdict(guest) | {"modules": kernel.modules, "path": paths, "hostname": hostname}
    settings.write_text(json.dumps(values))
    init = directory / INIT
    command = shlex.join([sys.executable, "-X", "utf8", "-c", _INIT, str(settings)])
    init.write_text(f"#!/bin/sh\nexec {command}\n")
    init.chmod(0o700)
    return init


def command_line(kernel: Program, *, init: Path, memory_mib: int, line: int) -> list[str]:
    """Return the arguments that boot a lab kernel.

    Making and removing namespaces waits for RCU grace periods: tens of milliseconds each with two
    CPUs and a timer of 100 Hz, unless they are expedited.

    Its own files go beside `init`, its first program. `line` is the descriptor of the serial line's
    far end; the console goes to standard output.
    """
    return [
        kernel.binary,
        f"mem={memory_mib}M",
        f"ncpus={min(2, os.cpu_count() or 1)}",
        "seccomp=auto",
        "rootfstype=hostfs",
        "rootflags=/",
        "rw",
        f'init="{init}"',
        "con=null",
        "con0=null,fd:1",
        f"ssl0=fd:{line}",
        f"uml_dir={init.parent}/{UML_DIR}",
        "umid=lab",
        "random.trust_cpu=on",
        "rcupdate.rcu_expedited=1",
        "panic=-1",
        "quiet",
    ]


def choose_memory() -> tuple[Path, int]:
    """Return a directory for the lab kernel's memory, and how many MiB it has room for.

    Where nothing has room for the least, the last directory that can be written is returned: the
    file grows only as memory is used.
    """
    candidates = [Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108 - unlinked at once
    usable = [path for path in candidates if _can_execute_in(path)]
    for memory_mib in _MEMORY_MIB:
        for path in usable:
            if shutil.disk_usage(path).free >= memory_mib * _MIB:
                return path, memory_mib
    return (usable or candidates)[-1], _MEMORY_MIB[-1]


def _can_execute_in(directory: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.truncate(mmap.PAGESIZE)
            mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError:
        return False
    return True
