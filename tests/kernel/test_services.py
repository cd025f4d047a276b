"""Services: started with their node, seen, changed one at a time, and ended with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench, until
from vnetlab import lab as verbs
from vnetlab.state.running import Service
from vnetlab.views.plan import render_plan
from vnetlab.views.status import render_status

TWO = """\
vms:
  a:
    run:
      - "echo $VNETLAB_NODE $(hostname) $PWD; exec sleep 1000"
      - {name: second, command: "sleep 1000"}
  b:
"""
FIRST, SECOND = ("a", "echo"), ("a", "second")


@pytest.fixture
def services(bench: Bench) -> Callable[[], dict[tuple[str, str], Service]]:
    """The services of the lab as they are now."""

    def look() -> dict[tuple[str, str], Service]:
        nodes = verbs.status("bench", bench.root).nodes
        return {service.id: service for node in nodes for service in node.services}

    return look


def pids_of(bench: Bench, service: str) -> set[int]:
    """The processes of a service."""
    found, inode = set(), bench.lab().namespace("a").stat().st_ino
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
            there = (entry / "ns" / "net").stat().st_ino == inode
        except OSError:
            continue
        if there and f"VNETLAB_SERVICE={service}".encode() in words:
            found.add(int(entry.name))
    return found


def test_services_start_with_the_lab_and_end_with_it(bench: Bench) -> None:
    """They run as `exec` would run them, in the file's directory; a second `up` does nothing."""
    bench.up(TWO)
    assert bench.plan(TWO).changes == ()

    def logs() -> dict[str, bytes]:
        return verbs.logs("bench", "a", bench.root)

    until(lambda: logs()["echo"] == f"a a {bench.files}\n".encode(), logs)
    assert verbs.logs("bench", "b", bench.root) == {}
    pids = pids_of(bench, "echo") | pids_of(bench, "second")
    assert pids
    bench.down()
    assert not [pid for pid in pids if _command(pid)]
    assert bench.leftovers() == []


def test_a_changed_command_is_started_anew_alone(bench: Bench) -> None:
    """The other service of the node goes on; one that the file has no more is ended."""
    bench.up(TWO)
    first, second = pids_of(bench, "echo"), pids_of(bench, "second")
    done = render_plan(bench.up(TWO.replace("exec sleep 1000", "exec sleep 999")))
    assert "~ service a.echo: command" in done
    assert done.endswith("0 to add, 1 to change, 0 to remove")
    assert pids_of(bench, "second") == second
    assert not pids_of(bench, "echo") & first
    bench.up("vms:\n  a: {run: [{name: second, command: sleep 1}]}\n  b:\n")
    assert not second & pids_of(bench, "second")
    assert pids_of(bench, "echo") == set()


def test_a_restart_of_the_node_starts_them_anew(bench: Bench) -> None:
    """The node's old processes are gone, and the services run again."""
    bench.up(TWO)
    before = pids_of(bench, "echo")
    verbs.restart("bench", "a", bench.root)
    assert bench.plan(TWO).changes == ()
    until(lambda: bool(pids_of(bench, "echo")), lambda: "the service")
    assert not before & pids_of(bench, "echo")


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        ("true", None),
        ("exit 3", "exit code 3"),
        ("no-such-program", "exit code 127"),
        ("kill -9 $$", "exit code 137"),
        ("kill -9 $PPID; sleep 1000", "killed"),
    ],
)
def test_status_tells_how_a_service_ended(
    bench: Bench,
    services: Callable[[], dict[tuple[str, str], Service]],
    command: str,
    failure: str | None,
) -> None:
    """One that ended well is as it should be, one that failed is not, and `up` starts it again."""
    text = f'vms: {{a: {{run: [{{name: s, command: "{command}"}}]}}}}'
    bench.up(text)
    until(lambda: services()["a", "s"].ended, services)
    assert (services()["a", "s"].failure, services()["a", "s"].ended) == (failure, True)
    found = verbs.status("bench", bench.root)
    assert f"s {failure or 'ended'}" in render_status(found)
    assert len(found.drift) == (0 if failure is None else 1)
    assert len(bench.up(text).changes) == len(found.drift)


def test_a_killed_service_is_seen_and_started_again(
    bench: Bench, services: Callable[[], dict[tuple[str, str], Service]]
) -> None:
    """What it had started in the background ends before it is started again."""
    text = 'vms: {a: {run: [{name: s, command: "setsid sleep 1000 & exec sleep 1001"}]}}'
    bench.up(text)
    until(lambda: len(pids_of(bench, "s")) == 3, lambda: pids_of(bench, "s"))
    before = pids_of(bench, "s")
    (wrapper,) = [pid for pid in before if "vnetlab-service" in _command(pid)]
    os.kill(wrapper, signal.SIGKILL)
    until(lambda: services()["a", "s"].failure == "killed", services)
    bench.up(text)
    assert services()["a", "s"].failure is None
    assert not before & pids_of(bench, "s")


def _command(pid: int) -> str:
    """The command line of a process, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
