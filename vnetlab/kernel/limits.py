"""EFFECT: control groups (cgroups(7), version 2): one for the processes of each limited node.

How it works: a lab's groups lie below one of its own, `vnetlab.LAB.HASH` in the root of the
hierarchy; the hash is of the lab's directory, so that `down` finds it again from the kernel alone.
A limit that appears takes in what runs on the node already; `exec` and services join it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import processes
from vnetlab.kernel.labdir import LabDir
from vnetlab.state.running import Limits

CPU, MEMORY = "cpu", "memory"
_PERIOD_US = 100_000
_NO_LIMIT = "max"
_PATIENCE_S = 2.0
_FILES = {CPU: "cpu.max", MEMORY: "memory.max"}


def has_controller(name: str) -> bool:
    """Whether this process may limit others by a controller: found by making a group."""
    root = _root()
    try:
        if root is None or name not in (root / "cgroup.controllers").read_text().split():
            return False
        scratch = root / f"vnetlab.scratch.{os.getpid()}"
        scratch.mkdir()
        scratch.rmdir()
        return os.access(root / "cgroup.subtree_control", os.W_OK)
    except OSError:
        return False


def observe_limits(lab: LabDir, nodes: Collection[str]) -> Iterator[Limits]:
    """The limits of those of `nodes` that have a group."""
    group = _group(lab)
    for node in nodes if group and group.is_dir() else ():
        assert group is not None
        if (group / node).is_dir():
            yield Limits(
                netns=node,
                cpu_quota_us=_quota_us(_setting(group / node, CPU)),
                memory_bytes=_number(_setting(group / node, MEMORY)),
            )


def limit(lab: LabDir, limits: Limits) -> None:
    """Give a node limits, and its processes too. Raises KernelRefusedError."""
    group = _group(lab)
    if group is None:
        raise KernelRefusedError("there is no cgroup v2 any more")
    wanted = {
        CPU: None if limits.cpu_quota_us is None else f"{limits.cpu_quota_us} {_PERIOD_US}",
        MEMORY: None if limits.memory_bytes is None else str(limits.memory_bytes),
    }
    try:
        node = group / limits.netns
        node.mkdir(parents=True, exist_ok=True)
        for name, value in wanted.items():
            if value is not None:
                _enable(name, group.parent, group)
            if (node / _FILES[name]).exists():
                (node / _FILES[name]).write_text(value or _NO_LIMIT)
        for pid in processes.on_node(lab, limits.netns):
            _move(pid, node)
    except OSError as error:
        raise KernelRefusedError(
            f"the kernel refused to limit {limits.netns}: {error.filename}: {error.strerror}"
        ) from error


def join(lab: LabDir, node: str) -> None:
    """Put this process under the limits of the node, if it has any."""
    group = _group(lab)
    if group is not None and (group / node).is_dir():
        _move(os.getpid(), group / node)


def release(lab: LabDir, node: str) -> None:
    """Take the limits of a node away; what is under them goes on without."""
    group = _group(lab)
    if group is not None and (group / node).is_dir():
        for pid in (group / node / "cgroup.procs").read_text().split():
            _move(int(pid), _own(group.parent))
        _remove(group / node)
        with suppress(OSError):  # other nodes have groups
            group.rmdir()


def release_all(lab: LabDir) -> None:
    """Take all groups of a lab away, however many of its nodes are there still."""
    group = _group(lab)
    if group is not None and group.is_dir():
        for node in [entry.name for entry in group.iterdir() if entry.is_dir()]:
            release(lab, node)
        _remove(group)


def _root() -> Path | None:
    """Where the hierarchy is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def _group(lab: LabDir) -> Path | None:
    root = _root()
    mark = blake2b(bytes(lab.path.absolute()), digest_size=4).hexdigest()
    return root and root / f"vnetlab.{lab.name}.{mark}"


def _own(root: Path) -> Path:
    """The group of this process."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::/"):
            return root / line.removeprefix("0::/")
    return root


def _enable(controller: str, *groups: Path) -> None:
    for group in groups:
        control = group / "cgroup.subtree_control"
        if controller not in control.read_text().split():
            control.write_text(f"+{controller}")


def _move(pid: int, group: Path) -> None:
    with suppress(ProcessLookupError):
        (group / "cgroup.procs").write_text(str(pid))


def _remove(group: Path) -> None:
    """Remove a group, whose last processes may just be ending."""
    deadline = time.monotonic() + _PATIENCE_S
    while group.is_dir():
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _setting(group: Path, controller: str) -> str:
    try:
        return (group / _FILES[controller]).read_text().strip()
    except FileNotFoundError:  # this controller was not wanted
        return _NO_LIMIT


def _quota_us(text: str) -> int | None:
    """The quota in each 100 ms, from `cpu.max`: quota and period, in microseconds."""
    quota, _, period = text.partition(" ")
    return None if quota == _NO_LIMIT else int(quota) * _PERIOD_US // int(period)


def _number(text: str) -> int | None:
    return None if text == _NO_LIMIT else int(text)
