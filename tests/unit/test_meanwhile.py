"""Work that a fork does meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.meanwhile import Meanwhile, in_halves, may_fork

_HAS_TWO_CPUS = len(os.sched_getaffinity(0)) > 1


def test_a_fork_does_the_work_where_there_is_a_cpu_for_it() -> None:
    """And what it returns arrives."""
    with Meanwhile(os.getpid, forked=True) as work:
        assert (work.result() != os.getpid()) == _HAS_TWO_CPUS


def test_without_a_fork_this_process_does_it_when_it_is_asked_for() -> None:
    """And not before."""
    done: list[int] = []
    with Meanwhile(lambda: done.append(1), forked=False) as work:
        assert not done
        work.result()
    assert done


def test_an_error_of_the_fork_is_raised_here_whole() -> None:
    """With its advice."""

    def fail() -> None:
        raise KernelRefusedError("no room", fix="make some")

    with Meanwhile(fail, forked=True) as work, pytest.raises(KernelRefusedError) as caught:
        work.result()
    assert str(caught.value) == "no room; make some"


def test_a_fork_that_is_killed_is_an_error() -> None:
    """It is said how it ended."""
    parent = os.getpid()

    def die() -> None:
        if os.getpid() == parent:
            raise KernelRefusedError(f"exit code -{signal.SIGKILL.value}")  # there is one CPU
        os.kill(os.getpid(), signal.SIGKILL)

    with Meanwhile(die, forked=True) as work, pytest.raises(KernelRefusedError, match="code -9"):
        work.result()


def test_a_fork_that_nobody_asks_is_waited_for(tmp_path: Path) -> None:
    """What it returns may be more than a pipe holds."""

    def work() -> bytes:
        (tmp_path / "done").touch()
        return bytes(1_000_000)

    with Meanwhile(work, forked=True):
        pass
    assert (tmp_path / "done").exists() == _HAS_TWO_CPUS


def test_halves_are_all(tmp_path: Path) -> None:
    """Every item is dealt with once, by two processes if there can be two."""

    def note(items: Sequence[int]) -> None:
        for item in items:
            with (tmp_path / str(item)).open("x") as file:
                file.write(str(os.getpid()))

    in_halves(note, range(7), forked=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(map(str, range(7)))
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 1 + _HAS_TWO_CPUS


def test_nothing_is_forked_beside_another_thread() -> None:
    """It may hold a lock that the fork would wait for."""
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    try:
        assert not may_fork()
        with Meanwhile(os.getpid, forked=True) as work:
            assert work.result() == os.getpid()
    finally:
        go_on.set()
        thread.join()
    assert may_fork() == _HAS_TWO_CPUS
