"""Links set down and up by their names, and nodes made anew, in a running lab."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.errors import UsageError
from vnetlab.kernel.namespaces import entered
from vnetlab.state.show import describe_change

THREE = FLAT + "  c: {on: hv2}\n"
PORT = 7777
NAMES = ["a.eth0", "hv1.a.eth0", "hv1.eno1", "hv1.vs0", "tor1.hv1.eno1", "tor1.br0"]


@pytest.mark.parametrize("name", NAMES)
def test_a_link_goes_down_and_comes_back(bench: Bench, name: str) -> None:
    """Down is drift that names the link, up again leaves none: addresses and routes are back."""
    bench.up(FLAT)
    assert verbs.set_link("bench", name, bench.root, up=False).changes
    drift = verbs.status("bench", bench.root).drift
    assert any(describe_change(c).endswith(f"{name}: state down -> up") for c in drift)
    assert not verbs.links("bench", bench.root)[name].up
    assert verbs.set_link("bench", name, bench.root, up=True).changes
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
@pytest.mark.parametrize("name", ["gw.eth0", "gw.web", "web1.eth0"])
def test_routes_and_sub_interfaces_come_back(bench: Bench, name: str) -> None:
    """A router's port takes its interfaces down, a VM's vNIC its default route: until it is up."""
    bench.up(ROUTED)
    verbs.set_link("bench", name, bench.root, up=False)
    verbs.set_link("bench", name, bench.root, up=True)
    assert verbs.status("bench", bench.root).drift == ()


def test_up_repairs_a_link_that_is_down(bench: Bench) -> None:
    """`up` on the same file brings back what `link down` took."""
    bench.up(FLAT)
    verbs.set_link("bench", "a.eth0", bench.root, up=False)
    assert bench.up(FLAT).changes
    assert verbs.status("bench", bench.root).drift == ()


def test_setting_a_link_as_it_is_does_nothing(bench: Bench) -> None:
    """Neither down twice nor up twice changes anything."""
    bench.up(FLAT)
    assert not verbs.set_link("bench", "a.eth0", bench.root, up=True).changes
    verbs.set_link("bench", "a.eth0", bench.root, up=False)
    assert not verbs.set_link("bench", "a.eth0", bench.root, up=False).changes


def test_a_link_that_is_not_there_is_told_with_what_may_be_meant(bench: Bench) -> None:
    """An unknown link, an unknown node, a node alone."""
    bench.up(FLAT)
    for name, message in (
        ("a.eth1", r"no link 'a\.eth1'; did you mean 'a\.eth0'\?"),
        ("hv3.eno1", r"no node 'hv3', expected NODE\.LINK; did you mean 'hv2'\?"),
        ("a", r"got the node 'a', expected NODE\.LINK; .*a\.eth0"),
    ):
        with pytest.raises(UsageError, match=message):
            verbs.set_link("bench", name, bench.root, up=False)


@pytest.mark.parametrize("node", ["c", "hv2", "tor1"])
def test_a_node_is_made_anew(bench: Bench, node: str) -> None:
    """The namespace is another one, and the lab is as its topology says."""
    bench.up(THREE)
    before = bench.lab().namespace(node).stat().st_ino
    verbs.restart("bench", node, bench.root)
    assert bench.lab().namespace(node).stat().st_ino != before
    assert verbs.status("bench", bench.root).drift == ()


def test_a_restart_changes_nothing_else(bench: Bench) -> None:
    """What is made are the node's own objects, and the other ends of its links."""
    bench.up(THREE)
    done = verbs.restart("bench", "c", bench.root)
    elsewhere = [
        describe_change(c) for c in done.changes if getattr(c.subject, "netns", "c") != "c"
    ]
    assert len(elsewhere) == 1
    assert elsewhere[0].startswith("+ vSwitch port hv2.c.eth0")


def test_a_restart_ends_what_runs_on_the_node_alone(bench: Bench) -> None:
    """A process on the node is gone, one on another node goes on."""
    bench.up(THREE)
    sleepers = {}
    for node in ("b", "c"):
        with entered(bench.lab().namespace(node)):
            sleepers[node] = subprocess.Popen(["sleep", "1000"])
    try:
        verbs.restart("bench", "c", bench.root)
        assert sleepers["c"].wait(timeout=10) != 0
        assert sleepers["b"].poll() is None
    finally:
        for sleeper in sleepers.values():
            sleeper.kill()
            sleeper.wait()


def test_two_other_vms_lose_no_packet(bench: Bench) -> None:
    """While c is made anew, every datagram from a to b, on the same hypervisor, is answered."""
    bench.up(THREE)
    (b,) = (vm for vm in bench.load(THREE).vms if vm.name == "b")
    with entered(bench.lab().namespace("b")):
        echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        echo.bind(("", PORT))
    with entered(bench.lab().namespace("a")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect((str(b.nics[0].addresses[0].ip), PORT))
    with closing(echo), closing(sender):
        sent, answered = _talk_during(sender, echo, lambda: verbs.restart("bench", "c", bench.root))
    assert sent > 20
    assert answered == sent


def _talk_during(
    sender: socket.socket, echo: socket.socket, work: Callable[[], object]
) -> tuple[int, int]:
    """Send one datagram after the other while `work` is done: how many, and how many came back."""
    sender.settimeout(2)
    done = threading.Event()
    counts = [0, 0]

    def answer() -> None:
        while message := echo.recvfrom(64):
            if message[0] == b"end":
                return
            echo.sendto(*message)

    def ask() -> None:
        after = 0
        while after < 20:  # some more when it is done
            after += done.is_set()
            counts[0] += 1
            sender.send(b"%d" % counts[0])
            try:
                counts[1] += sender.recv(64) == b"%d" % counts[0]
            except TimeoutError:
                continue

    threads = [threading.Thread(target=answer), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    work()
    done.set()
    threads[1].join()
    sender.send(b"end")
    threads[0].join()
    return counts[0], counts[1]


def test_a_node_deleted_by_hand_can_be_restarted(bench: Bench) -> None:
    """Its name is still the topology's."""
    bench.up(FLAT)
    bench.lab().remove_namespace("a")
    verbs.restart("bench", "a", bench.root)
    assert verbs.status("bench", bench.root).drift == ()


def test_a_restart_from_inside_or_of_nothing_is_refused(bench: Bench) -> None:
    """A shell on the node does not end itself; an unknown node is told."""
    bench.up(FLAT)
    with entered(bench.lab().namespace("a")), pytest.raises(UsageError, match="inside lab"):
        verbs.restart("bench", "a", bench.root)
    with pytest.raises(UsageError, match="has no node 'hv3'; did you mean 'hv2'"):
        verbs.restart("bench", "hv3", bench.root)


def test_the_shell_completes_links(bench: Bench) -> None:
    """`vnetlab link down hv1.<TAB>` offers the links of hv1, those of its VMs' vNICs too."""
    bench.up(FLAT)
    environment = os.environ | {
        "VNETLAB_RUN_DIR": str(bench.root.parent),
        "_VNETLAB_COMPLETE": "complete_bash",
        "COMP_WORDS": "vnetlab link down hv1.",
        "COMP_CWORD": "3",
    }
    command = [sys.executable, "-m", "vnetlab"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["hv1.a.eth0", "hv1.eno1", "hv1.vs0"], done.stderr
