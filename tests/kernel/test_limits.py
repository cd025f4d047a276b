"""Limits of a node's processes, as the kernel has them and as they work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.test_crash import in_child, wait_for
from vnetlab import lab as verbs
from vnetlab.kernel import limits, processes
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.running import Limits
from vnetlab.views.plan import render_plan

pytestmark = pytest.mark.needs("cgroup-cpu", "cgroup-memory")

LIMITED = """\
vms:
  a: {limits: {cpu: 0.5, memory: 64mib}, run: [sleep 1000]}
  b: {limits: {memory: 32mib}}
  c:
"""
HUNGRY = "import os; x = bytearray(200 << 20); os._exit(0)"


def groups() -> list[Path]:
    """The groups of all labs, and of scratch ones."""
    return list(Path("/sys/fs/cgroup").glob("vnetlab.*"))


def limits_of(bench: Bench) -> dict[str, Limits]:
    """The limits that the kernel has."""
    with Nodes(bench.lab()) as nodes:
        return {item.netns: item for item in observe(nodes).state.limits}


def hungry(bench: Bench, node: str) -> int:
    """The exit code of a process that takes 200 MiB on a node."""
    command = ["python3", "-c", HUNGRY]
    return wait_for(in_child(lambda: verbs.become("bench", node, command, bench.root)))


def test_limits_are_the_kernels_and_go_with_the_lab(bench: Bench) -> None:
    """They are read back as asked for, a second `up` does nothing, `down` leaves no group."""
    bench.up(LIMITED)
    assert limits_of(bench) == {
        "a": Limits(netns="a", cpu_quota_us=50_000, memory_bytes=64 << 20),
        "b": Limits(netns="b", memory_bytes=32 << 20),
    }
    assert bench.plan(LIMITED).changes == ()
    bench.down()
    assert groups() == []


def test_a_process_cannot_take_more_memory(bench: Bench) -> None:
    """It is killed on a limited node, and on no other one."""
    bench.up(LIMITED)
    assert hungry(bench, "b") == -9
    assert hungry(bench, "c") == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpu: 0.5", "cpu: 0.25"),
        ("memory: 64mib", "memory: 65mib"),
        (", memory: 64mib", ""),
        ("cpu: 0.5, ", ""),
        ("{limits: {memory: 32mib}}", ""),
    ],
)
def test_one_value_is_changed_alone(bench: Bench, old: str, new: str) -> None:
    """An edit changes these limits, and goes on with what is under them."""
    bench.up(LIMITED)
    before = verbs.status("bench", bench.root)
    done = bench.up(LIMITED.replace(old, new))
    assert len(done.changes) == 1, render_plan(done)
    assert bench.plan(LIMITED.replace(old, new)).changes == ()
    assert verbs.status("bench", bench.root).nodes == before.nodes


def test_limits_that_are_added_take_in_what_runs(bench: Bench) -> None:
    """A service that runs already is under the new limits, and so is one started anew."""
    bench.up(LIMITED.replace("limits: {cpu: 0.5, memory: 64mib}, ", ""))
    bench.up(LIMITED)
    (group,) = groups()
    for _ in range(2):
        limited = (group / "a" / "cgroup.procs").read_text().split()
        assert limited
        assert set(map(int, limited)) == set(processes.on_node(bench.lab(), "a"))
        verbs.restart("bench", "a", bench.root)


def test_a_change_by_hand_is_seen_and_repaired(bench: Bench) -> None:
    """Another value, or a group that is gone."""
    bench.up(LIMITED)
    (group,) = groups()
    (group / "a" / "cpu.max").write_text("7000 100000")
    (group / "b").rmdir()
    text = render_plan(bench.up(LIMITED))
    assert "~ limits of a: cpu 0.07 -> 0.5" in text
    assert "+ limits of b: memory 32mib" in text
    assert bench.plan(LIMITED).changes == ()


def test_the_check_leaves_nothing(bench: Bench) -> None:  # noqa: ARG001 # for its clean-up
    """To ask for the feature makes no group that stays."""
    assert limits.has_controller("cpu")
    assert not limits.has_controller("no-such-controller")
    assert groups() == []
