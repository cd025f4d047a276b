"""Whatever kills vnetlab, `up` completes and `down` leaves nothing."""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT
from vnetlab import lab as verbs
from vnetlab.errors import UsageError

DEADLINE_S = 60.0
MOMENTS = 25
"""Of each kind, in each realm: 100 in this machine's kernel, 100 in the lab kernel."""


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in a process of its own and return its pid; it exits with 0 if it succeeds."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def wait_for(pid: int) -> int:
    """The exit status of a child, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def duration(work: Callable[[], object]) -> float:
    """How long `work` takes in a child."""
    started = time.monotonic()
    assert wait_for(in_child(work)) == 0
    return time.monotonic() - started


def kill_after(work: Callable[[], object], delay_s: float) -> None:
    """Start `work` in a child and kill it after `delay_s`, if it still lives."""
    pid = in_child(work)
    time.sleep(delay_s)  # the moment itself is what is tested
    os.kill(pid, signal.SIGKILL)
    wait_for(pid)


def down_if_there(bench: Bench) -> None:
    """Take the lab away, if anything of it is there."""
    if bench.lab().exists:
        bench.down()


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_down_cleans_up_after_a_killed_up(bench: Bench, seed: int) -> None:
    """`up` is killed at a random moment: `down` leaves nothing."""
    topology = bench.load(FLAT)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.down()
    kill_after(lambda: verbs.up(topology, bench.root), random.Random(seed).uniform(0, whole))
    down_if_there(bench)
    assert bench.leftovers() == []


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_up_completes_what_a_killed_up_began(bench: Bench, seed: int) -> None:
    """`up` is killed at a random moment: the next one makes it whole."""
    topology = bench.load(FLAT)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.down()
    kill_after(lambda: verbs.up(topology, bench.root), random.Random(seed).uniform(0, whole))
    verbs.up(topology, bench.root)
    assert verbs.plan(topology, bench.root).changes == ()


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_up_completes_what_a_killed_up_of_an_edited_file_began(bench: Bench, seed: int) -> None:
    """`up` on an edited file is killed at a random moment: the next one makes it as edited."""
    edited = FLAT.replace("on: hv2", "on: hv1, run: [sleep 1000]").replace("1gbit", "2gbit")
    bench.up(FLAT)
    topology = bench.load(edited)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.up(FLAT)
    topology = bench.load(edited)
    kill_after(lambda: verbs.up(topology, bench.root), random.Random(seed).uniform(0, whole))
    verbs.up(topology, bench.root)
    assert verbs.plan(topology, bench.root).changes == ()
    bench.down()
    assert bench.leftovers() == []


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_down_completes_what_a_killed_down_began(bench: Bench, seed: int) -> None:
    """`down` is killed at a random moment: the next one finishes it."""
    bench.up(FLAT)
    whole = duration(bench.down)
    bench.up(FLAT)
    kill_after(bench.down, random.Random(seed).uniform(0, whole))
    down_if_there(bench)
    assert bench.leftovers() == []


def test_a_killed_holder_frees_the_lock(bench: Bench) -> None:
    """A command that was killed with the lab's lock in its hands stops nobody."""
    reading, writing = os.pipe()

    def hold() -> None:
        with bench.lab().locked():
            os.write(writing, b"!")
            time.sleep(DEADLINE_S)  # killed long before

    pid = in_child(hold)
    os.read(reading, 1)
    os.kill(pid, signal.SIGKILL)
    wait_for(pid)
    assert bench.up(FLAT).changes


def test_a_lock_of_a_lab_that_went_does_not_touch_the_next_one(bench: Bench) -> None:
    """Who removed a lab leaves alone the directory that another command made in its place."""
    lab = bench.lab()
    with ExitStack() as next_command:
        with lab.locked():
            lab.path.rmdir()
            next_command.enter_context(lab.locked())
        assert lab.path.is_dir()


def test_two_ups_at_once_take_turns(bench: Bench) -> None:
    """Both succeed, and the lab is whole: one built it, the other found nothing to do."""
    topology = bench.load(FLAT)
    children = [in_child(lambda: verbs.up(topology, bench.root)) for _ in range(2)]
    assert [wait_for(pid) for pid in children] == [0, 0]
    assert verbs.plan(topology, bench.root).changes == ()


def test_ups_and_downs_at_once_leave_all_or_nothing(bench: Bench) -> None:
    """Twenty commands on one lab: afterwards it is whole or gone, never half."""
    topology = bench.load(FLAT)

    def down() -> None:
        with suppress(UsageError):  # it may not be up just then
            bench.down()

    children = [
        in_child((lambda: verbs.up(topology, bench.root)) if i % 2 else down) for i in range(20)
    ]
    assert [wait_for(pid) for pid in children] == [0] * 20
    if bench.lab().exists:
        assert verbs.plan(topology, bench.root).changes == ()
        bench.down()
    assert bench.leftovers() == []


def test_an_interrupted_up_takes_its_new_lab_away(bench: Bench) -> None:
    """Ctrl-C in the middle of `up` of a new lab: nothing of it stays."""
    topology = bench.load(FLAT)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.down()

    def up_until_interrupted() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            verbs.up(topology, bench.root)
        except KeyboardInterrupt:
            os._exit(130)

    pid = in_child(up_until_interrupted)
    time.sleep(whole / 2)
    os.kill(pid, signal.SIGINT)
    status = wait_for(pid)
    assert status in (0, 130)
    if status == 130:
        assert bench.leftovers() == []


def test_down_ends_what_runs_in_the_lab(bench: Bench) -> None:
    """A process that was started on a node does not outlive the lab."""
    bench.up(FLAT)
    pid = in_child(lambda: verbs.become("bench", "a", ["sleep", "1000"], bench.root))
    deadline = time.monotonic() + DEADLINE_S
    inode = bench.lab().namespace("a").stat().st_ino
    while Path(f"/proc/{pid}/ns/net").stat().st_ino != inode:
        assert time.monotonic() < deadline, "the command never came to be in the node"
        time.sleep(0.01)
    bench.down()
    assert wait_for(pid) == -signal.SIGTERM
    assert bench.leftovers() == []
