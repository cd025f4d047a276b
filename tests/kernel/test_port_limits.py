"""What port groups let their vNICs send, receive and see."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.test_mirrors import Sniffer
from tests.kernel.traffic import Traffic
from vnetlab import lab as verbs
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.compile import compile_topology
from vnetlab.state.show import describe_change

InNode = Callable[..., str]
FILTERS = pytest.mark.needs("clsact", "flower", "police", "gact")
MIRRORS = pytest.mark.needs(
    "bridge-vlan-filtering", "clsact", "flower", "mirred", "act-vlan", "gact"
)
GROUP = """\
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
port_groups: {limited: {network: lan, %s}}
vms:
  a: {nics: [{network: lan, port_group: limited, ipv4: 10.0.0.5}]}
  b: {nics: [{network: lan, ipv4: 10.0.0.6}]}
"""
WATCHED = """\
networks: {web: {vlan: 10}, db: {vlan: 20}}
port_groups: {taps: {network: web, security: {promiscuous: %s}}}
hypervisors: {hv1: , hv2: }
vms:
  a: {on: hv1, nics: [{network: web, ipv4: 10.0.10.5}]}
  b: {on: hv2, nics: [{network: web, ipv4: 10.0.10.6}]}
  p: {on: hv1, nics: [{network: web, port_group: taps}]}
  x: {on: hv1, nics: [db]}
"""
EDITS = {
    "average": ("average: 100mbit", "average: 50mbit", ["tbf on a.eth0", "tbf on hv1.a.eth0"]),
    "peak": ("peak: 200mbit", "peak: 300mbit", ["tbf on a.eth0", "tbf on hv1.a.eth0"]),
    "burst": ("burst: 100kb", "burst: 101kb", ["tbf on a.eth0", "tbf on hv1.a.eth0"]),
    "to_vm": ("to_vm: {average: 20mbit}", "to_vm: {average: 30mbit}", ["tbf on hv1.a.eth0"]),
    "from_vm": ("from_vm: {burst: 50kb}", "from_vm: {burst: 51kb}", ["tbf on a.eth0"]),
    "broadcast": ("broadcast: 1mbit", "broadcast: 2mbit", ["filter 1 of hv1.a.eth0"]),
    "multicast": ("multicast: 3mbit", "multicast: 2mbit", ["filter 2 of hv1.a.eth0"]),
}
FULL = (
    "shaping: {average: 100mbit, peak: 200mbit, burst: 100kb%s}, "
    "storm_limit: {broadcast: 1mbit, multicast: 3mbit}"
)
EACH = FULL % ", to_vm: {average: 20mbit}, from_vm: {burst: 50kb}"


@FILTERS
@pytest.mark.parametrize("keys", [FULL % "", EACH, "storm_limit: {multicast: 8kbit}"])
def test_the_kernel_has_what_the_port_group_says(bench: Bench, keys: str) -> None:
    """Both ends of the vNIC, and nothing to do for a second `up`; all of it goes again."""
    text = GROUP % keys
    bench.up(text)
    with Nodes(bench.lab()) as nodes:
        state = observe(nodes).state
    desired = compile_topology(bench.load(text))
    assert (state.qdiscs, state.filters) == (desired.qdiscs, desired.filters)
    assert state.qdiscs
    assert bench.up(text).changes == ()
    bench.up(GROUP % "isolated: false")
    with Nodes(bench.lab()) as nodes:
        assert not observe(nodes).state.qdiscs


@FILTERS
@pytest.mark.parametrize("edit", EDITS)
def test_a_value_is_changed_in_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    """In one round, and nothing else is touched."""
    old, new, expected = EDITS[edit]
    keys = EACH if edit in ("to_vm", "from_vm") else FULL % ""
    bench.up(GROUP % keys)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    changes = bench.up((GROUP % keys).replace(old, new)).changes
    told = [describe_change(change).partition(": ")[0] for change in changes]
    assert told == [f"~ {it.replace(' of ', ' for what comes in on ')}" for it in expected]


def took_s(send: Callable[[int], list[int]]) -> float:
    """How long 100 packets of 1000 bytes take that all arrive."""
    started = time.monotonic()
    assert send(100) == [*range(100)]
    return time.monotonic() - started


@pytest.mark.parametrize("direction", ["from_vm", "to_vm"])
def test_a_vm_is_no_faster_than_its_average(bench: Bench, direction: str) -> None:
    """100 packets of 1000 bytes at 200 kbit/s take 4 s, but for those of the burst."""
    bench.up(GROUP % f"shaping: {{{direction}: {{average: 200kbit, burst: 2kb}}}}")
    with Traffic.between(bench, ("a", "10.0.0.5"), ("b", "10.0.0.6")) as between:
        limited = between.send if direction == "from_vm" else between.send_back
        assert took_s(limited) >= 3.75


@FILTERS
def test_a_storm_is_limited_and_the_rest_is_not(bench: Bench) -> None:
    """Of many broadcasts some arrive; unicasts all."""
    bench.up(GROUP % "storm_limit: {broadcast: 100kbit}")
    with Traffic.between(bench, ("a", "10.0.0.5"), ("b", "10.0.0.6")) as between:
        assert between.send(100) == [*range(100)]
    with Sniffer.on(bench, "b") as sniffer:
        Traffic.shout(bench, "a", "10.0.0.255", 100)
        assert 10 < len(sniffer.seen()) < 40
        Traffic.shout(bench, "a", "224.0.0.5", 100)
        assert len(sniffer.seen()) == 100


@FILTERS
@pytest.mark.parametrize(
    "deed",
    ["tc filter del dev a.eth0 ingress prio 1", "tc qdisc del dev a.eth0 root"],
)
def test_drift_at_a_port_is_told_and_repaired(bench: Bench, in_node: InNode, deed: str) -> None:
    """By `status`, in words, and by `up`."""
    bench.up(GROUP % (FULL % ""))
    in_node("hv1", *deed.split())
    (change,) = verbs.status("bench", bench.root).drift
    assert "hv1.a.eth0" in describe_change(change)
    bench.up(GROUP % (FULL % ""))
    assert verbs.status("bench", bench.root).drift == ()


@MIRRORS
def test_a_promiscuous_vnic_sees_its_network(bench: Bench) -> None:
    """Once what is for others, known or not; and nothing when it may no more."""
    bench.up(WATCHED % "accept")
    assert bench.plan(WATCHED % "accept").changes == ()
    with Traffic.between(bench, ("a", "10.0.10.5"), ("b", "10.0.10.6")) as between:
        with Sniffer.on(bench, "p") as sniffer:
            assert between.send(3) == [0, 1, 2]
            assert sniffer.seen() == [0, 1, 2]
            assert between.send_back(3) == [0, 1, 2]
            assert sniffer.seen() == [0, 1, 2]
        bench.up(WATCHED % "reject")
        with Sniffer.on(bench, "p") as sniffer:
            assert between.send(3) == [0, 1, 2]
            assert sniffer.seen() == []


@MIRRORS
def test_a_probe_keeps_to_its_path_beside_a_promiscuous_vnic(bench: Bench) -> None:
    """The copies are sightings elsewhere, and neither a loss nor a second way."""
    bench.up(WATCHED % "accept")
    trace = verbs.probe("bench", "a", "b", bench.root, options=verbs.ProbeOptions(count=3))
    assert [packet.loss for packet in trace.packets] == [None] * 3
    hops = [str(step.hop) for step in trace.packets[0].steps if step.index is not None]
    assert hops[:4] == ["a.eth0 out", "hv1.a.eth0 in", "hv1.eno1 out", "tor1.hv1.eno1 in"]
