"""Thousands of broken topology files: each is told what is wrong, and nothing else happens."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.broken_files import FILES, ROOT, broken_files
from vnetlab.errors import Problem, TopologyError
from vnetlab.state.compile import compile_topology
from vnetlab.state.features import required_features
from vnetlab.topology.load import load_with_warnings

SEEDS = range(12)
EACH = 300
LEAST_BROKEN = 200
"""Of EACH, so many at least are wrong: 12 * 200 is 2,400."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_EFFECTS = ("socket.", "subprocess.", "ctypes.", "os.", "shutil.", "fcntl.")
_HARMLESS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr"}
_watching: list[str] = []
_is_watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not _is_watching:
        return
    if event == "open":
        flags = arguments[2]
        if isinstance(flags, int) and flags & _WRITES:
            _watching.append(f"{event} {arguments}")
    elif event.startswith(_EFFECTS) and event not in _HARMLESS:
        _watching.append(f"{event} {arguments}")


sys.addaudithook(_watch)


@contextmanager
def without_effects() -> Iterator[None]:
    """Fail if anything is done to the world: a file written, a socket, a process, a system call."""
    global _is_watching  # an audit hook cannot be taken away again
    _watching.clear()
    _is_watching = True
    try:
        yield
    finally:
        _is_watching = False
    assert _watching == []


def problems_of(path: Path) -> tuple[Problem, ...]:
    """What is wrong with the file; what is right must be something that can be built."""
    try:
        topology, warnings = load_with_warnings(path)
    except TopologyError as error:
        return error.problems
    required_features(compile_topology(topology))
    for warning in warnings:
        check_place(warning, path)
    return ()


def check_place(problem: Problem, path: Path) -> None:
    """It has a text, and is in a line of the file, or of one that it includes."""
    assert problem.text
    file = Path(problem.file)
    text = file.read_bytes()
    last = text.count(b"\n") + text.count(b"\r") + 1
    assert 1 <= problem.line <= last, problem
    assert file.is_relative_to(path.parent), problem


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Copies of the folders of all files, with what they include beside them."""
    folder = tmp_path_factory.mktemp("broken")
    copies = {}
    for parent in {path.parent for path in FILES}:
        shutil.copytree(parent, folder / parent.relative_to(ROOT))
    for path in FILES:
        copies[path] = folder / path.parent.relative_to(ROOT) / "broken.yaml"
    for path in copies.values():
        path.write_text("vms: { {{ 'a' }}: }", encoding="utf-8")
        problems_of(path)  # so that everything is imported
        break
    return copies


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broken_file_is_told_what_is_wrong_and_nothing_else_happens(
    places: dict[Path, Path], seed: int
) -> None:
    """Every message has its line, no file ends in a traceback, and nothing is done by reading."""
    broken = 0
    for original, text in broken_files(seed, EACH):
        path = places[original]
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with without_effects():
            problems = problems_of(path)
        for problem in problems:
            check_place(problem, path)
        broken += bool(problems)
    assert broken >= LEAST_BROKEN


def test_the_watch_sees_what_is_done(tmp_path: Path) -> None:
    """A file that is made while nothing may be done is found out."""
    with pytest.raises(AssertionError), without_effects():
        (tmp_path / "new").touch()
