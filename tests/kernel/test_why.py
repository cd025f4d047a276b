"""Faults made by hand, and what a probe says of them; fixes tried in a copy, and applied."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.diagnosis.verdict import Confidence
from vnetlab.errors import KernelRefusedError
from vnetlab.faulting import inject
from vnetlab.investigation import Investigation, explain, investigate, mend, verify
from vnetlab.kernel import namespaces, services
from vnetlab.lab import ProbeOptions
from vnetlab.trace.request import ECHO_PORT, Protocol

LAB = """
networks: {net: {ipv4: 10.0.0.0/24}}
hypervisors: {hv1: }
vms:
  a: {on: hv1, nics: [net]}
  b: {on: hv1, nics: [net]}
"""

Run = Callable[[str, str], None]
BY_HAND = {
    "ip link set b.eth0 down": ("hv1", "vswitch.link-down", "hv1.b.eth0"),
    "ip link set vs0 down": ("hv1", "vswitch.bridge-down", "hv1.vs0"),
    "ip link set b.eth0 nomaster": ("hv1", "vswitch.not-in-bridge", "hv1.b.eth0"),
    "bridge link set dev b.eth0 state 0": ("hv1", "vswitch.port-disabled", "hv1.b.eth0"),
    "bridge link set dev b.eth0 bcast_flood off": (
        "hv1",
        "vswitch.broadcast-flood-off",
        "hv1.b.eth0",
    ),
    "ip address flush dev eth0": ("b", "guest.address-missing", "b"),
    "ip route add blackhole 10.0.0.128/25": ("a", "guest.blackhole-route", "a"),
    "sysctl -qw net.ipv4.icmp_echo_ignore_all=1": ("b", "guest.echo-ignored", "b"),
    "sysctl -qw net.ipv4.conf.all.arp_ignore=8": ("b", "guest.arp-ignored", "b"),
    "ip link set eth0 down": ("b", "vnic.link-down", "b.eth0"),
}


@pytest.fixture
def by_hand(bench: Bench) -> Run:
    """Runs a command on a node of the lab, which is up."""
    bench.up(LAB)

    def run(node: str, command: str) -> None:
        with namespaces.entered(bench.lab().namespace(node)):
            subprocess.run(command, shell=True, check=True)

    return run


def _probe(bench: Bench) -> Investigation:
    return investigate("bench", "a", "b", bench.root, options=ProbeOptions())


@pytest.mark.parametrize("command", BY_HAND)
def test_a_fault_made_by_hand_is_explained(command: str, bench: Bench, by_hand: Run) -> None:
    """Code, object and line; the model alone says the same; the printed fix mends it."""
    node, code, name = BY_HAND[command]
    by_hand(node, command)
    verbs.forget("bench", bench.root)
    found = _probe(bench).verdict
    assert (found.cause, found.object) == (code, name)
    assert found.causes[0].confidence is Confidence.PROVEN
    assert found.causes[0].fix.line.startswith(str(bench.files / "bench.yaml:"))
    assert found.contradiction == ""
    foretold = explain("bench", "a", "b", bench.root, options=ProbeOptions())
    assert [cause.code for cause in foretold.causes][:1] == [code]
    for line in found.causes[0].fix.commands:
        by_hand(found.causes[0].fix.node, line)
    verbs.forget("bench", bench.root)
    assert _probe(bench).verdict.healthy


def test_a_healthy_pair_has_no_cause(bench: Bench, by_hand: Run) -> None:
    """And the model says so, too."""
    del by_hand
    found = _probe(bench).verdict
    assert found.healthy
    assert found.causes == ()
    assert found.contradiction == ""
    assert explain("bench", "a", "b", bench.root, options=ProbeOptions()).passes


def test_a_fix_is_tried_in_a_copy_and_applied(bench: Bench, by_hand: Run) -> None:
    """The copy confirms the cause and is gone; the lab is as it was until the fix is applied."""
    by_hand("hv1", "ip link set b.eth0 down")
    found = _probe(bench)
    tried = verify("bench", found, bench.root, options=ProbeOptions())
    assert tried.verdict.is_confirmed
    assert verbs.labs(bench.root) == ("bench",)
    assert not _probe(bench).verdict.healthy
    mend("bench", tried.verdict, bench.root)
    assert _probe(bench).verdict.healthy


def test_two_faults_are_told_in_the_order_of_the_path(bench: Bench, by_hand: Run) -> None:
    """Mending the first alone would not help."""
    by_hand("hv1", "ip link set a.eth0 nomaster")
    by_hand("b", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1")
    verbs.forget("bench", bench.root)
    codes = [cause.code for cause in _probe(bench).verdict.causes]
    assert codes == ["vswitch.not-in-bridge", "guest.echo-ignored"]


ROUTED_LAB = """
networks: {left: {vlan: 10, ipv4: 10.1.0.0/24}, right: {vlan: 20, ipv4: 10.2.0.0/24}}
hypervisors: {hv1: }
routers: {gw: {on: hv1}}
vms:
  a: {on: hv1, nics: [left]}
  b: {on: hv1, nics: [{network: right, ipv4: 10.2.0.7}]}
"""


@pytest.mark.needs("bridge-vlan-filtering", "802.1q")
def test_an_address_that_moved_is_missing_where_it_was(bench: Bench, by_hand: Run) -> None:
    """The router's cache still leads there: the packet arrives, and nobody takes it."""
    bench.up(ROUTED_LAB)
    assert _probe(bench).verdict.healthy
    by_hand("b", "ip address del 10.2.0.7/24 dev eth0; ip address add 10.2.0.8/24 dev eth0")
    found = _probe(bench)
    assert {step.hop.netns for step in found.trace.packets[0].forward} == {"a", "hv1", "gw", "b"}
    codes = [cause.code for cause in found.verdict.causes]
    assert codes == ["guest.address-missing", "guest.no-default-route"]
    assert found.verdict.causes[0].confidence is Confidence.PROVEN


@pytest.mark.needs("bridge-vlan-filtering", "802.1q")
def test_a_gateway_that_routes_nothing_gives_way_to_the_right_one(
    bench: Bench, by_hand: Run
) -> None:
    """The packet goes to a guest, and would be routed on through where it has been before."""
    bench.up(ROUTED_LAB + "  c: {on: hv1, nics: [{network: left, ipv4: 10.1.0.9}]}\n")
    by_hand("a", "ip route replace default via 10.1.0.9")
    found = _probe(bench)
    cause = found.verdict.causes[0]
    assert (cause.code, cause.object) == ("guest.wrong-gateway", "a")
    assert [command.split()[2] for command in cause.fix.commands] == ["del", "add"]
    fixed = verify("bench", found, bench.root, options=ProbeOptions())
    assert fixed.verdict.causes[0].confidence is Confidence.CONFIRMED


@pytest.mark.parametrize(
    ("node", "command", "code"),
    [
        (
            "a",
            "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:99 dev eth0 nud stale",
            "stale-neighbour",
        ),
        (
            "hv1",
            "bridge fdb replace 02:00:00:00:00:0b dev a.eth0 master dynamic",
            "wrong-learned-fdb-entry",
        ),
    ],
)
def test_what_was_learned_is_deleted_not_written(
    bench: Bench, by_hand: Run, node: str, command: str, code: str
) -> None:
    """The file says nothing of it; the printed fix mends it."""
    nic = '{ipv4: 10.0.0.9, mac: "02:00:00:00:00:0b"}'
    bench.up(LAB.replace("b: {on: hv1, nics: [net]}", f"b: {{on: hv1, nics: [{nic}]}}"))
    assert _probe(bench).verdict.healthy
    by_hand(node, command)
    cause = _probe(bench).verdict.causes[0]
    assert cause.code.endswith(code)
    assert (cause.fix.line, cause.fix.drifted) == ("", False)
    by_hand(cause.fix.node, cause.fix.commands[0])
    assert _probe(bench).verdict.healthy


WITH_SERVICE = LAB.replace(
    "b: {on: hv1, nics: [net]}",
    'b: {on: hv1, nics: [net], run: ["exec python3 -m http.server 8080"]}',
)
LISTEN = "exec python3 -m http.server --bind {} {} >/dev/null 2>&1 & echo $! >{}"


@pytest.mark.parametrize(
    ("address", "port", "code"),
    [
        ("127.0.0.1", 8081, "application.wrong-bind-address"),
        ("0.0.0.0", 8081, None),
        (None, 8080, "application.no-listener"),
    ],
)
def test_what_listens_on_a_port(
    bench: Bench, tmp_path: Path, address: str | None, port: int, code: str | None
) -> None:
    """A probe of an application's port tells a wrong address, or that a service is gone."""
    bench.up(WITH_SERVICE)
    options = ProbeOptions(protocol=Protocol.TCP, port=port)
    process = tmp_path / "process"
    with namespaces.entered(bench.lab().namespace("b")):
        if address:
            subprocess.run(LISTEN.format(address, port, process), shell=True, check=True)
    if address is None:
        service = next(iter(verbs.snapshot("bench", bench.root).tables.state.services))
        services.stop(bench.lab(), service)
    else:
        _wait_for_listener(bench, port)
    try:
        verdict = investigate("bench", "a", "b", bench.root, options=options).verdict
    finally:
        if address:
            os.kill(int(process.read_text()), signal.SIGKILL)
    assert verdict.cause == code
    assert [cause.object for cause in verdict.causes] == (["b"] if code else [])
    assert not verdict.contradiction


BEHIND_RATES = """
networks: {net: {ipv4: 10.0.0.0/24}}
port_groups: {slow: {network: net, shaping: {from_vm: {average: 50mbit}}}}
hypervisors: {hv1: }
vms:
  a: {on: hv1, nics: [net]}
  b: {on: hv1, nics: [{port_group: slow}]}
"""


@pytest.mark.needs("tbf")
def test_a_rate_is_not_why_an_application_does_not_answer(bench: Bench) -> None:
    """No answer is seen behind the rate of the vNIC either."""
    bench.up(BEHIND_RATES)
    with namespaces.entered(bench.lab().namespace("b")):
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with silent:
        silent.bind(("0.0.0.0", ECHO_PORT))
        options = ProbeOptions(protocol=Protocol.UDP)
        verdict = investigate("bench", "a", "b", bench.root, options=options).verdict
    assert [(it.code, it.object) for it in verdict.causes] == [("application.no-answer", "b")]


def _wait_for_listener(bench: Bench, port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = verbs.snapshot("bench", bench.root).tables.listeners
        if any((it.netns, it.port) == ("b", port) for it in found):
            return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


def test_a_link_without_arp_and_a_neighbour_that_is_known(bench: Bench, by_hand: Run) -> None:
    """The answer goes to the link's own MAC address: it is seen behind the row that did it."""
    assert _probe(bench).verdict.healthy
    by_hand("b", "ip link set eth0 arp off")
    verdict = _probe(bench).verdict
    assert (verdict.cause, verdict.object) == ("vnic.arp-off", "b.eth0")
    assert not verdict.contradiction


def test_a_reply_that_its_receiver_does_not_take(bench: Bench) -> None:
    """The taps see it come in; that the sender's own stack drops it is told all the same."""
    bench.up(LAB)
    inject("bench", "guest-replies-drop", "a", bench.root)
    verdict = _probe(bench).verdict
    assert not verdict.healthy
    assert (verdict.cause, verdict.object) == ("guest.firewall-drop", "a")
    assert not verdict.contradiction


def test_a_lab_that_was_never_completed_is_not_repaired_away(bench: Bench, by_hand: Run) -> None:
    """What it should be is not known: it stays as it is."""
    del by_hand
    nodes = bench.lab().nodes()
    bench.lab().topology.unlink()
    with pytest.raises(KernelRefusedError, match="never completed"):
        verbs.repair("bench", bench.root)
    assert bench.lab().nodes() == nodes
