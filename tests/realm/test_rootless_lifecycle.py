"""The keeper of realm `rootless`: started once, ended in order or not, and nothing left of it."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.realm.conftest import DEADLINE_S, PLAIN, Person, assert_it_ends, eventually

KILLED = "the keeper of realm rootless was killed, and its labs with it\n"


def test_it_ends_with_its_last_lab(person: Person) -> None:
    """It goes on while there is a lab, and leaves nothing behind."""
    person.write("other.yaml", PLAIN)
    person.does("up", "plain.yaml")
    (keeper,) = person.keepers()
    person.does("up", "other.yaml")
    person.does("down", "plain")
    assert person.keepers() == [keeper]
    assert "web1 reached web2" in person.does("probe", "web1", "web2")
    person.does("down")
    assert_it_ends(person)


def test_it_ends_if_no_lab_comes_up(person: Person) -> None:
    """A keeper that was started for a command which then failed does not stay."""
    person.write("strange.yaml", "networks: {web: {ipv4: 10.0.0.0/24, mtu: 65535}}\nvms: {web1: }")
    person.run("up", "strange.yaml", "--realm", "rootless")
    person.run("down")
    assert_it_ends(person)


def test_first_commands_at_once_start_one_keeper(person: Person) -> None:
    """Labs that are built at the same time share a realm, and are taken down at the same time."""
    names = [f"lab{number}" for number in range(4)]
    for name in names:
        person.write(f"{name}.yaml", PLAIN)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: person.does("up", f"{name}.yaml"), names))
        assert len(person.keepers()) == 1
        assert len(person.does("ls").splitlines()) == 5
        list(pool.map(lambda name: person.does("down", name), names))
    assert_it_ends(person)


def test_labs_that_come_and_go_at_once_always_find_a_realm(person: Person) -> None:
    """A command that meets a keeper which is just ending starts the next one."""

    def come_and_go(name: str) -> None:
        person.write(f"{name}.yaml", "vms: {web1: }")
        for _ in range(5):
            person.does("up", f"{name}.yaml")
            person.does("down", name)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(come_and_go, ("a", "b", "c")))
    assert_it_ends(person)


def test_down_ends_the_processes_in_a_lab(person: Person) -> None:
    """A server that was left on a node ends with the lab."""
    person.does("up", "plain.yaml")
    server = person.start("exec", "web1", "--", "sh", "-c", "echo up; exec sleep 1000")
    assert server.stdout is not None
    assert server.stdout.readline() == "up\n"
    person.does("down")
    assert server.wait(DEADLINE_S) == -signal.SIGTERM
    assert_it_ends(person)


def test_a_killed_keeper_is_told_once_and_its_files_go(person: Person) -> None:
    """`kill -9` takes the labs along; the next command says so, and the next lab comes up."""
    person.does("up", "plain.yaml")
    os.kill(person.keepers()[0], signal.SIGKILL)
    eventually(lambda: not person.keepers(), "its death")
    status = person.run("status")
    assert status.returncode == 2
    assert status.stderr == KILLED + "vnetlab: no lab is up; 'vnetlab up FILE' builds one\n"
    assert not person.realm_dir.exists()
    assert KILLED not in person.run("status").stderr
    person.does("up", "plain.yaml")
    assert "web1 reached web2" in person.does("probe", "web1", "web2")


def test_up_after_a_killed_keeper_says_why_it_builds_anew(person: Person) -> None:
    """`up` is no silent repair of what was lost."""
    person.does("up", "plain.yaml")
    os.kill(person.keepers()[0], signal.SIGKILL)
    eventually(lambda: not person.keepers(), "its death")
    up = person.run("up", "plain.yaml")
    assert up.stderr.startswith(KILLED)
    assert "plain is up: " in up.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_up_keeps_nobody(person: Person, number: signal.Signals) -> None:
    """However far it came, `down` leaves nothing, or there is nothing to take down."""
    up = person.start("up", "plain.yaml")
    eventually(lambda: bool(person.keepers()) or up.poll() is not None, "its keeper")
    up.send_signal(number)
    up.wait(DEADLINE_S)
    person.run("down")
    assert_it_ends(person)


@pytest.mark.parametrize("seed", range(12))
def test_a_lab_of_an_ordinary_user_survives_kills(person: Person, seed: int) -> None:
    """`up`, new or of an edit, or `down` is killed: `up` completes, `down` leaves nothing."""
    chance = random.Random(seed)
    words = [("up", "plain.yaml"), ("up", "plain.yaml"), ("down",)][seed % 3]
    if seed % 3:
        person.write("plain.yaml", PLAIN)
        person.does("up", "plain.yaml")
        person.write("plain.yaml", PLAIN.replace("100mbit", "200mbit"))
    command = person.start(*words)
    time.sleep(chance.uniform(0.1, 1.5))  # the moment itself is what is tested
    command.kill()
    command.communicate()
    person.does("up", "plain.yaml")
    assert "nothing to change" in person.does("up", "plain.yaml")
    person.does("down")
    assert_it_ends(person)


def test_the_keeper_finds_vnetlab_wherever_it_is_installed(person: Person) -> None:
    """An editable install is on no path: a hook finds it, which the keeper does not have."""
    without_path = (
        "import sys, vnetlab\n"
        "root = vnetlab.__path__[0].rpartition('/')[0]\n"
        "sys.path = [entry for entry in sys.path if entry not in ('', root)]\n"
        "sys.argv = ['vnetlab', 'up', 'plain.yaml']\n"
        "from vnetlab.__main__ import main\n"
        "main()\n"
    )
    done = person.run("-c", without_path, python=True)
    assert "plain is up" in done.stdout, done


SERVING = PLAIN + "\n  web3: {on: hv1, run: ['echo $$ > service.pid; exec sleep 1000']}\n"
DESERTERS = "setsid env -i sleep 1000 & echo $$ $!; exec sleep 1000"


def occupy(person: Person) -> list[int]:
    """A lab with a service, and a command with a child of its own session: their processes."""
    person.write("plain.yaml", SERVING)
    person.does("up", "plain.yaml")
    command = person.start("exec", "web1", "--", "sh", "-c", DESERTERS)
    assert command.stdout is not None
    pids = [int(word) for word in command.stdout.readline().split()]
    written = person.home / "service.pid"
    eventually(lambda: written.exists() and written.read_text().endswith("\n"), "the service")
    return [*pids, int(written.read_text())]


def network_namespaces(pids: list[int]) -> set[str]:
    """Those of processes that are alive."""
    return {str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in pids if alive(pid)}


def alive(pid: int) -> bool:
    """Whether a process is there, and no zombie whose parent has not asked for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("with_its_guard", [False, True])
def test_what_runs_on_nodes_ends_with_a_killed_keeper(
    person: Person, *, with_its_guard: bool
) -> None:
    """Commands, their children and services: at once; or, its guard dead, by the next command."""
    pids = occupy(person)
    lost = network_namespaces(pids)
    assert len(lost) == 2
    for pid in person.guards() + person.keepers() if with_its_guard else person.keepers():
        os.kill(pid, signal.SIGKILL)
    if with_its_guard:
        eventually(lambda: not person.keepers(), "their death")
        assert all(alive(pid) for pid in pids)
        assert person.run("down").stderr.startswith(KILLED)
    eventually(lambda: not any(alive(pid) for pid in pids), "the end of what ran there")
    assert not lost & all_network_namespaces()
    up = person.run("up", "plain.yaml")
    assert up.stderr.startswith(KILLED) is not with_its_guard
    assert "plain is up: " in up.stdout
    assert person.does("down") == "plain is down\n"
    assert_it_ends(person)


def all_network_namespaces() -> set[str]:
    """Those that a process is in."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.add(str((entry / "ns" / "net").readlink()))
    return found
