"""Cables: every key of them in a real kernel, and what they do to packets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.traffic import Traffic
from vnetlab import lab as verbs
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.compile import compile_topology
from vnetlab.state.show import describe, describe_change

InNode = Callable[..., str]
NETEM = pytest.mark.needs("netem")

CABLE = """\
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {%s}}}
  hv2: {pnics: {eno1: }}
vms:
  a: {on: hv1, nics: [{ipv4: 10.0.0.5, mac: "02:00:00:00:00:05"}]}
  b: {on: hv2, nics: [{ipv4: 10.0.0.6, mac: "02:00:00:00:00:06"}]}
"""
MISMATCH = """\
networks: {old: {vlan: 1}, db: {vlan: 20}}
hypervisors: {hv1: {pnics: {eno1: {native: 20}}}, hv2: }
vms:
  a: {on: hv1, nics: [{network: old, ipv4: 10.0.1.5}]}
  b: {on: hv2, nics: [{network: old, ipv4: 10.0.1.6}]}
  d: {on: hv2, nics: [db]}
"""
FULL = (
    "rate: 1gbit, burst: 64kb, queue: 200kb, delay: 200us, jitter: 20us, loss: 0.1%, "
    "corruption: 0.01%, duplication: 0.1%, reordering: 1%, mtu: 9000"
)
EDITS = {
    "rate": ("rate: 1gbit", "rate: 2gbit", "tbf"),
    "burst": ("burst: 64kb", "burst: 65kb", "tbf"),
    "queue": ("queue: 200kb", "queue: 201kb", "tbf"),
    "delay": ("delay: 200us", "delay: 300us", "netem"),
    "jitter": ("jitter: 20us", "jitter: 30us", "netem"),
    "loss": ("loss: 0.1%", "loss: 0.2%", "netem"),
    "no loss": ("loss: 0.1%, ", "", "netem"),
    "corruption": ("0.01%", "0.0001%", "netem"),
    "duplication": ("duplication: 0.1%", "duplication: 0", "netem"),
    "reordering": ("reordering: 1%", "reordering: 99.9999%", "netem"),
    "no reordering": ("reordering: 1%, ", "", "netem"),
}


@NETEM
def test_the_kernel_has_every_key_of_a_cable(bench: Bench) -> None:
    """Each direction as the topology says it, and nothing to do for a second `up`."""
    text = CABLE % f"{FULL}, out: {{delay: 1ms}}, in: {{rate: 100mbit, loss: 0}}"
    bench.up(text)
    with Nodes(bench.lab()) as nodes:
        state = observe(nodes).state
    assert state.qdiscs == compile_topology(bench.load(text)).qdiscs
    assert len(state.qdiscs) == 4
    assert {link.mtu for link in state.links if link.label.endswith("hv1.eno1")} == {9000}
    assert bench.up(text).changes == ()


@NETEM
@pytest.mark.parametrize("edit", EDITS)
def test_a_key_of_a_cable_is_changed_in_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    """Its qdisc alone, at both ends, in one round; no other is touched."""
    old, new, kind = EDITS[edit]
    bench.up(CABLE % FULL)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    changes = bench.up((CABLE % FULL).replace(old, new)).changes
    ends = {describe(change.subject) for change in changes if change.old and change.new}
    assert ends == {f"{kind} on hv1.eno1", f"{kind} on tor1.hv1.eno1"}
    assert len(changes) == 2


def test_the_mtu_of_a_cable_leaves_the_switches_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux would make a bridge's MTU that of its smallest port."""
    bench.up(CABLE % "")
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    for mtu in (1400, 9000):
        changes = [describe_change(c) for c in bench.up(CABLE % f"mtu: {mtu}").changes]
        assert [change.partition(":")[0] for change in changes] == [
            "~ pNIC hv1.eno1",
            "~ physical port tor1.hv1.eno1",
        ]
    assert bench.up(CABLE % "").changes


DRIFT = {
    "a distribution's correlation": "delay 1ms 200us 25% loss 10%",
    "a loss model": "delay 1ms loss gemodel 1% 10%",
    "a rate of netem's own": "delay 1ms loss 10% rate 1mbit",
    "slots": "delay 1ms loss 10% slot 10ms 20ms",
    "another loss": "delay 1ms loss 11%",
    "corruption": "delay 1ms loss 10% corrupt 1%",
    "reordering with a gap": "delay 1ms loss 10% reorder 10% gap 5",
    "ecn": "delay 1ms loss 10% ecn",
    "another limit": "delay 1ms loss 10% limit 50000",
}


@NETEM
@pytest.mark.parametrize("drift", DRIFT)
def test_another_netem_is_seen_and_set_right_in_place(
    bench: Bench, in_node: InNode, drift: str
) -> None:
    """Whatever option somebody gave it."""
    text = CABLE % "delay: 1ms, loss: 10%"
    bench.up(text)
    in_node("hv1", *f"tc qdisc change dev eno1 root handle 1: netem {DRIFT[drift]}".split())
    (change,) = verbs.status("bench", bench.root).drift
    assert describe_change(change).startswith("~ netem on hv1.eno1: ")
    assert len(bench.up(text).changes) == 1
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.parametrize("drift", ["peakrate 2mbit minburst 9000", "overhead 20", "mpu 64"])
def test_another_tbf_is_seen_and_set_right_in_place(
    bench: Bench, in_node: InNode, drift: str
) -> None:
    """A peak rate, and what is counted otherwise than on the wire."""
    text = CABLE % "rate: 1mbit, burst: 16kb, queue: 100kb"
    bench.up(text)
    shape = f"tbf rate 1mbit burst 16kb limit 100kb {drift}"
    in_node("hv1", *f"tc qdisc change dev eno1 root handle 2: {shape}".split())
    (change,) = verbs.status("bench", bench.root).drift
    assert describe_change(change).startswith("~ tbf on hv1.eno1: ")
    bench.up(text)
    assert verbs.status("bench", bench.root).drift == ()


def dropped(in_node: InNode, node: str, link: str) -> int:
    """How many packets the qdisc at the root of a link has dropped."""
    words = in_node(node, "tc", "-s", "qdisc", "show", "dev", link, "root")
    return int(words.partition("(dropped ")[2].partition(",")[0])


@pytest.fixture
def traffic(bench: Bench, in_node: InNode) -> Iterator[Callable[[str], Traffic]]:
    """Two VMs that know each other's MAC, with a cable of the given keys between them."""
    with ExitStack() as stack:

        def build(keys: str) -> Traffic:
            bench.up(CABLE % keys)
            for node, address, mac in (("a", "10.0.0.6", "06"), ("b", "10.0.0.5", "05")):
                lladdr = ("lladdr", f"02:00:00:00:00:{mac}", "dev", "eth0")
                in_node(node, "ip", "neigh", "replace", address, *lladdr)
            ends = (("a", "10.0.0.5"), ("b", "10.0.0.6"))
            return stack.enter_context(Traffic.between(bench, *ends))

        yield build


@NETEM
def test_a_cable_that_loses_everything_loses_it_in_its_direction(
    traffic: Callable[[str], Traffic], in_node: InNode
) -> None:
    """What leaves hv1 is dropped at hv1's end and counted there; what comes arrives."""
    between = traffic("out: {loss: 100%}")
    assert between.send(20) == []
    assert dropped(in_node, "hv1", "eno1") >= 20
    assert len(between.send_back(20)) == 20


@NETEM
def test_a_loss_of_some_is_counted(traffic: Callable[[str], Traffic], in_node: InNode) -> None:
    """Of 400 packets that may be lost with a chance of a half, about as many are."""
    arrived = len(traffic("out: {loss: 50%}").send(400))
    assert 120 < arrived < 280
    assert dropped(in_node, "hv1", "eno1") >= 400 - arrived


@NETEM
def test_delays_of_both_directions_add_up(traffic: Callable[[str], Traffic]) -> None:
    """No answer is there before the way there and the way back have been waited for."""
    assert traffic("out: {delay: 30ms}, in: {delay: 20ms}").fastest_answer_s(5) >= 0.05


@NETEM
def test_duplicates_arrive(traffic: Callable[[str], Traffic]) -> None:
    """A share of 100% gives every packet twice."""
    assert sorted(traffic("out: {duplication: 100%}").send(20)) == sorted([*range(20)] * 2)


@NETEM
def test_packets_overtake_others(traffic: Callable[[str], Traffic]) -> None:
    """Of those that are delayed."""
    arrived = traffic("out: {delay: 50ms, reordering: 50%}").send(100)
    assert sorted(arrived) == [*range(100)]
    assert arrived != sorted(arrived)


@NETEM
def test_corrupted_packets_are_not_taken_for_good_ones(traffic: Callable[[str], Traffic]) -> None:
    """A flipped bit is found by a checksum, unless it is in the sender's MAC."""
    assert len(traffic("out: {corruption: 100%}").send(50)) < 25


def test_a_rate_lets_no_more_pass(traffic: Callable[[str], Traffic]) -> None:
    """100 packets of 1000 bytes at 1 Mbit/s take 0.8 s, but for those of the burst."""
    between = traffic("out: {rate: 1mbit, burst: 2kb, queue: 1mb}")
    started = time.monotonic()
    assert between.send(100) == [*range(100)]
    assert time.monotonic() - started >= 0.75


def test_what_has_no_room_in_the_queue_is_dropped(
    traffic: Callable[[str], Traffic], in_node: InNode
) -> None:
    """And counted: what arrived and what was dropped is what was sent."""
    arrived = len(traffic("out: {rate: 100kbit, burst: 2kb, queue: 10kb}").send(100))
    assert 5 < arrived < 50
    assert dropped(in_node, "hv1", "eno1") >= 100 - arrived


@NETEM
def test_what_waits_in_a_queue_stays_there_while_rate_and_delay_are_edited(
    traffic: Callable[[str], Traffic], bench: Bench
) -> None:
    """Its tbf and netem are changed, not made anew: each packet arrives."""
    between = traffic("out: {rate: 100kbit, burst: 2kb, queue: 1mb, delay: 1ms}")
    with ThreadPoolExecutor() as pool:
        arriving = pool.submit(between.send, 100)
        edited = "out: {rate: 200kbit, burst: 2kb, queue: 1mb, delay: 2ms}"
        assert bench.up(CABLE % edited).changes
        assert arriving.result() == [*range(100)]


def test_packets_larger_than_the_mtu_of_the_cable_do_not_pass(
    traffic: Callable[[str], Traffic],
) -> None:
    """The switches know no fragments: they drop them."""
    between = traffic("mtu: 1000")
    assert len(between.send(1, size_bytes=900)) == 1
    assert between.send(1, size_bytes=1200) == []


@pytest.mark.needs("bridge-vlan-filtering")
def test_a_native_vlan_that_only_the_switch_has_takes_packets_to_another_network(
    bench: Bench,
) -> None:
    """What a hypervisor sends without a tag comes out in the switch's native VLAN."""
    bench.up(MISMATCH)
    everything = socket.htons(3)  # ETH_P_ALL
    with entered(bench.lab().namespace("d")):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, everything)
    with tap, Traffic.between(bench, ("a", "10.0.1.5"), ("b", "10.0.1.6")) as between:
        tap.settimeout(5)
        assert between.send(1) == []
        while socket.inet_aton("10.0.1.5") not in tap.recv(2000):  # in the ARP request
            pass
