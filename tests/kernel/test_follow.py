"""Real traffic of real guests, followed hop by hop, with the verdict on what vanishes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from vnetlab.diagnosis.followed import Fate, Summary, Told
from vnetlab.following import follow
from vnetlab.kernel.namespaces import entered
from vnetlab.wire.pcap_filter import compile_filter

pytestmark = pytest.mark.needs(
    "bridge-vlan-filtering", "802.1q", "nftables-inet", "nftables-nat", "conntrack"
)

LAB = """
networks: {net: {vlan: 10, ipv4: 10.0.0.0/24}}
hypervisors: {hv1: , hv2: }
vms:
  a: {on: hv1, nics: [{network: net, ipv4: 10.0.0.1}]}
  b: {on: hv2, nics: [{network: net, ipv4: 10.0.0.2}]}
"""

NAT = """
networks:
  home: {vlan: 10, ipv4: 10.0.1.0/24}
  wan: {vlan: 20, ipv4: 10.0.2.0/24}
vms:
  a: {nics: [{network: home, ipv4: 10.0.1.10}]}
  c: {nics: [{network: wan, ipv4: 10.0.2.10}]}
routers: {gw: {nat: {masquerade: wan}}}
"""

Run = Callable[..., str]


def _follow(bench: Bench, text: str, traffic: Callable[[], None]) -> tuple[list[Told], Summary]:
    """Follow what `traffic` sends, all of it, and no longer."""
    summary, over = Summary(), []

    def send(_: int) -> None:
        traffic()
        over.append(True)

    told = follow(
        "bench",
        compile_filter(text),
        bench.root,
        summary,
        is_over=lambda: bool(over),
        ready=send,
    )
    return list(told), summary


def _datagrams(bench: Bench, *, count: int = 1, arriving: bool = True) -> None:
    """From a to b, the same bytes again and again: nothing but their order tells them apart."""
    with entered(bench.lab().namespace("b")):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with entered(bench.lab().namespace("a")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind(("", 7))
        for _ in range(count):
            sender.sendto(b"ping", ("10.0.0.2", 7))
        for _ in range(count if arriving else 0):
            receiver.recv(4)


def _talk(bench: Bench, client: str, server: str, address: str, port: int = 80) -> str:
    """A TCP connection, a word there and back; returns the address that the server saw."""
    with entered(bench.lab().namespace(server)):
        listening = socket.create_server((address, port))
    with entered(bench.lab().namespace(client)):
        calling = socket.socket()
    with listening, calling:
        calling.connect((address, port))
        accepted, (seen, _) = listening.accept()
        with accepted:
            calling.sendall(b"word")
            accepted.sendall(accepted.recv(4))
            assert calling.recv(4) == b"word"
        return str(seen)


def _hops(told: Told) -> list[str]:
    packet = told.trace.packets[0]
    steps = packet.back if told.flow.is_answer else packet.forward
    return [
        f"{step.hop.label} {step.hop.direction.value}" for step in steps if step.index is not None
    ]


def test_each_flow_is_told_once_at_every_hop_and_counted(bench: Bench) -> None:
    """Ten datagrams that look the same: one in full, all ten counted, each with its delay."""
    bench.up(LAB)
    told, summary = _follow(bench, "udp port 7", lambda: _datagrams(bench, count=10))
    assert [(it.flow.source, it.flow.destination, it.fate) for it in told] == [
        ("a", "b", Fate.ARRIVED)
    ]
    assert _hops(told[0]) == [
        *("a.eth0 out", "hv1.a.eth0 in", "hv1.eno1 out", "tor1.hv1.eno1 in"),
        *("tor1.hv2.eno1 out", "hv2.eno1 in", "hv2.b.eth0 out", "b.eth0 in"),
    ]
    (flow,) = summary.flows.values()
    assert (flow.packets, flow.bad, len(flow.delays_ns)) == (10, 0, 10)
    assert min(flow.delays_ns) > 0


def test_address_translation_is_followed_there_and_back(bench: Bench) -> None:
    """The filter names an address that the packets bear on half of their way only."""
    bench.up(NAT)
    told, summary = _follow(bench, "tcp and host 10.0.2.1", lambda: _check_masqueraded(bench))
    there, back = told
    assert (there.flow.source, there.flow.destination) == ("a", "c")
    assert _hops(there)[0] == "a.eth0 out"
    assert _hops(there)[-1] == "c.eth0 in"
    assert "gw.wan out" in _hops(there)
    assert (_hops(back)[0], _hops(back)[-1]) == ("c.eth0 out", "a.eth0 in")
    assert back.flow.is_answer
    assert summary.bad == 0


def _check_masqueraded(bench: Bench) -> None:
    assert _talk(bench, "a", "c", "10.0.2.10") == "10.0.2.1"


def test_what_vanishes_is_judged_like_a_probe(bench: Bench, in_node: Run) -> None:
    """A VLAN taken off a switch's port by hand: the row, the object, the fix; told once."""
    bench.up(LAB)
    _follow(bench, "", lambda: _datagrams(bench))  # all neighbours are known
    in_node("tor1", "bridge", "vlan", "del", "dev", "hv2.eno1", "vid", "10")
    told, summary = _follow(bench, "udp", lambda: _datagrams(bench, count=5, arriving=False))
    (lost,) = told
    assert lost.fate is Fate.LOST
    assert lost.verdict is not None
    assert (lost.verdict.cause, lost.verdict.object) == (
        "switch.vlan-not-allowed",
        "tor1.hv2.eno1",
    )
    assert _hops(lost)[-1] == "tor1.hv1.eno1 in"
    (flow,) = summary.flows.values()
    assert (flow.packets, flow.bad) == (5, 5)


def test_a_question_that_nobody_answers_is_judged(bench: Bench, in_node: Run) -> None:
    """No packet of the flow ever leaves: the ARP request that it waits for is all there is."""
    bench.up(LAB)
    in_node("tor1", "bridge", "vlan", "del", "dev", "hv2.eno1", "vid", "10")
    told, summary = _follow(bench, "arp", lambda: _datagrams(bench, arriving=False))
    assert {(it.flow.source, it.flow.destination, it.fate) for it in told} == {
        ("a", "b", Fate.LOST)
    }
    assert told[0].verdict is not None
    assert told[0].verdict.cause == "switch.vlan-not-allowed"
    assert summary.bad >= 1


def test_a_connection_that_a_firewall_swallows_is_unanswered(bench: Bench) -> None:
    """The SYN arrives at the vNIC, and no answer comes: the guest's rule is the cause."""
    bench.up(
        LAB.replace(
            "ipv4: 10.0.0.2}]", "ipv4: 10.0.0.2}], firewall: {input: [icmp], default: deny}"
        )
    )

    def call() -> None:
        with entered(bench.lab().namespace("a")):
            calling = socket.socket()
        calling.settimeout(0.5)
        with entered(bench.lab().namespace("b")):
            listening = socket.create_server(("10.0.0.2", 80))
        with calling, listening, pytest.raises(TimeoutError):
            calling.connect(("10.0.0.2", 80))

    told, _ = _follow(bench, "tcp", call)
    assert told[0].fate is Fate.UNANSWERED
    assert told[0].verdict is not None
    assert told[0].verdict.cause == "guest.firewall-policy"


def test_a_datagram_that_nobody_waits_for_is_refused(bench: Bench) -> None:
    """The ICMP error is followed back, from the node that sent it."""
    bench.up(LAB)

    told, _ = _follow(bench, "udp", lambda: _refused(bench))
    (refused,) = told
    assert refused.fate is Fate.REFUSED
    assert refused.verdict is not None
    assert refused.verdict.cause == "application.no-listener"
    assert "b answered with ICMP 3/3 port unreachable" in refused.verdict.summary
    back = refused.trace.packets[0].back
    assert (back[0].hop.label, back[-1].hop.label) == ("b.eth0", "a.eth0")


def test_an_error_about_what_the_filter_leaves_out_is_a_packet_like_others(bench: Bench) -> None:
    """On its own way, from the node that sent it."""
    bench.up(LAB)
    (error,), _ = _follow(bench, "icmp", lambda: _refused(bench))
    steps = error.trace.packets[0].forward
    assert error.fate is Fate.ARRIVED
    assert (steps[0].hop.label, steps[-1].hop.label) == ("b.eth0", "a.eth0")
    assert None not in {step.index for step in steps}


def _refused(bench: Bench) -> None:
    """A datagram from a to a port of b at which nobody waits."""
    with entered(bench.lab().namespace("a")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        sender.connect(("10.0.0.2", 7))
        sender.send(b"ping")
        with pytest.raises(ConnectionRefusedError):
            sender.recv(1)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_the_summary(bench: Bench, end: signal.Signals) -> None:
    """The command line, as JSON lines: what was under way is finished, the last line is the end."""
    bench.up(LAB)
    command = [sys.executable, "-m", "vnetlab", "trace", "--json", "udp", "port", "7"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"VNETLAB_RUN_DIR": str(bench.root.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "Ctrl-C ends it" in process.stderr.readline()
        _datagrams(bench, count=3)
        process.send_signal(end)
        events = [json.loads(line) for line in process.stdout]
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")
    assert [event["event"] for event in events] == ["packet", "flow", "end"]
    assert (events[1]["packets"], events[1]["fates"]) == (3, {"arrived": 3})
    assert len(events[0]["sightings"]) == 8


def test_a_lab_that_is_taken_down_ends_it(bench: Bench) -> None:
    """It does not wait for an interrupt then, and keeps nothing of the lab alive."""
    bench.up(LAB)
    summary = Summary()
    packets = follow(
        "bench",
        compile_filter(""),
        bench.root,
        summary,
        is_over=lambda: False,
        ready=lambda _: bench.down(),
    )
    assert list(packets) is not None
    assert summary.lab_is_gone
    assert bench.leftovers() == []
