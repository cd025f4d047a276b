"""EFFECT: the services of nodes: commands in the background, found again from the kernel.

How it works::

    live/run/NODE/SERVICE/service.json   what was started, and where
    live/run/NODE/SERVICE/log            what it wrote
    live/run/NODE/SERVICE/exit           its exit code, once it has ended

A small shell stays with each command, and writes that code when the command ends. As long as it
lives it holds a lock (fcntl) on that file: a free lock and no code mean that it was killed. The
processes of a service, also those that went into the background, have its name in their
environment, and are in the namespace of its node.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NoReturn

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import processes
from vnetlab.kernel.labdir import LabDir
from vnetlab.state.running import Service

_NAME = "VNETLAB_SERVICE"
_EXIT = 3
"""The file descriptor in the wrapper's script."""

_SCRIPT = f'(exec sh -c "$1" {_EXIT}>&-); echo $? >&{_EXIT}'
"""In a subshell, since dash closes the descriptor for a while itself otherwise."""

_WRAPPER = ("/bin/sh", "-c", _SCRIPT, "vnetlab-service")
_FLOCK = "hhqqi"  # struct flock of fcntl(2): type, whence, start, length, process
_CHUNK = 65536


def observe_services(lab: LabDir, nodes: Collection[str]) -> Iterator[Service]:
    """The services that were started on `nodes`, and how they are."""
    for node in nodes:
        for path in _listed(lab.services / node):
            try:
                told = json.loads((path / "service.json").read_text())
            except (FileNotFoundError, ValueError):  # killed before it was started
                told = {"command": "", "directory": ""}
            failure, ended = _fate(path / "exit")
            yield Service(netns=node, name=path.name, failure=failure, ended=ended, **told)


def start(lab: LabDir, service: Service) -> None:
    """Start a service, anew if it runs. Raises KernelRefusedError where it cannot."""
    stop(lab, service)
    path = lab.services / service.netns / service.name
    path.mkdir(parents=True, exist_ok=True)
    (path / "exit").write_bytes(b"")
    told = {"command": service.command, "directory": service.directory}
    (path / "service.json").write_text(json.dumps(told))
    readable, writable = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _run(lab, service, path, writable)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        problem = pipe.read().decode()
    os.waitpid(child, 0)
    if problem:
        raise KernelRefusedError(f"service {service.netns}.{service.name}: {problem}")


def stop(lab: LabDir, service: Service) -> None:
    """End the processes of a service, and forget it with its log."""
    mark = f"{_NAME}={service.name}".encode()
    processes.end(lab, (service.netns,), lambda pid: mark in _environment(pid))
    shutil.rmtree(lab.services / service.netns / service.name, ignore_errors=True)


def forget(lab: LabDir, node: str) -> None:
    """Forget all services of a node, which have ended with it."""
    shutil.rmtree(lab.services / node, ignore_errors=True)


def read_logs(lab: LabDir, node: str) -> dict[str, bytes]:
    """What each service of a node has written, by its name."""
    return {path.name: _read(path / "log") for path in _listed(lab.services / node)}


def _run(lab: LabDir, service: Service, path: Path, problems: int) -> NoReturn:
    """Become the wrapper of a service, whose parent is not this process's (never returns)."""
    try:
        problems = fcntl.fcntl(problems, fcntl.F_DUPFD_CLOEXEC, _EXIT + 1)
        os.setsid()
        if os.fork():
            os._exit(0)
        _take_streams(path)
        processes.move_to(lab, service.netns)
        os.chdir(service.directory)
        os.environ[_NAME] = service.name
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.execv(_WRAPPER[0], [*_WRAPPER, service.command])  # noqa: S606 # the user's own command
    except BaseException as error:  # it must not run the caller's code
        os.write(problems, str(error).encode())
    finally:
        os._exit(1)


def _take_streams(path: Path) -> None:
    """Take nothing as input, the log as output, and the locked file of the exit code."""
    for name, flags, targets in (
        (os.devnull, os.O_RDONLY, (0,)),
        (path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, (1, 2)),
        (path / "exit", os.O_WRONLY | os.O_APPEND, (_EXIT,)),
    ):
        opened = os.open(name, flags, 0o644)
        fd = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _EXIT + 1)
        os.close(opened)  # it may be one of the targets
        for target in targets:
            os.dup2(fd, target)
        os.close(fd)
    fcntl.lockf(_EXIT, fcntl.LOCK_EX)


def _fate(file: Path) -> tuple[str | None, bool]:
    """How a service failed, None where it did not; and whether it has ended."""
    code = _read(file).decode().strip()
    if code:
        return (None if code == "0" else f"exit code {code}"), True
    if _is_locked(file):
        return None, False
    return "killed", True


def _is_locked(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, *_ = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, question))
    finally:
        os.close(fd)
    return bool(kind != fcntl.F_UNLCK)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []


def _listed(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
