"""A plain `why` finds what lets small packets through only, and tells the two ways apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.diagnosis.verdict import Confidence, Verdict
from vnetlab.errors import UsageError
from vnetlab.investigation import explain, investigate_sizes
from vnetlab.lab import ProbeOptions
from vnetlab.topology.load import load
from vnetlab.trace.request import Protocol

InNode = Callable[..., str]
pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")


def why(bench: Bench, source: str, destination: str, **options: object) -> Verdict:
    """What a plain `why` says in the lab `bench`."""
    chosen = ProbeOptions(**options)  # type: ignore[arg-type] # the tests name them right
    return investigate_sizes("bench", source, destination, bench.root, options=chosen).verdict


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.UDP, Protocol.TCP])
@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_an_mtu_too_small_at_a_pnic_is_found(
    bench: Bench, in_node: InNode, node: str, protocol: Protocol, version: int
) -> None:
    """Small packets get through, those of the guest's MTU do not."""
    bench.up(FLAT)
    in_node(node, *["ip", "link", "set", "eno1", "mtu", "1400"])
    verdict = why(bench, "a", "b", protocol=protocol, version=version)
    assert (verdict.cause, verdict.object) == ("pnic.mtu-too-small", f"{node}.eno1")
    assert verdict.summary.startswith("Packets of ")
    assert "those of 1500 bytes have a fault. On the way there, the probe " in verdict.summary


def test_a_healthy_way_carries_both_sizes(bench: Bench) -> None:
    """And the summary says so."""
    bench.up(FLAT)
    verdict = why(bench, "a", "b")
    assert verdict.healthy
    assert verdict.summary.endswith("Packets of 1500 bytes get through as well.")


def test_a_size_that_is_asked_for_is_the_only_one(bench: Bench, in_node: InNode) -> None:
    """Small packets are all that matters then."""
    bench.up(FLAT)
    in_node("hv2", *["ip", "link", "set", "eno1", "mtu", "1400"])
    assert why(bench, "a", "b", size=1400).healthy
    assert not why(bench, "a", "b", size=1405).healthy  # the kernel leaves room for a tag


def test_a_router_that_tells_of_its_smaller_mtu_is_no_fault(bench: Bench, in_node: InNode) -> None:
    """Where it is meant to have it; if somebody made it so by hand, it is one."""
    smaller = ROUTED.replace("db: {vlan: 20,", "db: {vlan: 20, mtu: 1400,")
    bench.up(smaller)
    verdict = why(bench, "web1", "db1")
    assert verdict.healthy
    assert "1500 bytes are more than it is told to send" in verdict.summary
    bench.up(ROUTED)
    in_node("web1", *["ip", "route", "flush", "cache"])
    assert why(bench, "web1", "db1").healthy
    in_node("gw", *["ip", "link", "set", "eth0.20", "mtu", "1300"])
    in_node("web1", *["ip", "route", "flush", "cache"])
    assert why(bench, "web1", "db1").cause == "router.packet-too-big"


def test_a_fault_on_the_way_back_is_told_as_such(bench: Bench, in_node: InNode) -> None:
    """The request came in; what the reply met is the fault."""
    bench.up(FLAT)
    assert why(bench, "a", "b").healthy  # they know each other's MAC addresses
    in_node("hv2", *["tc", "qdisc", "add", "dev", "b.eth0", "clsact"])
    drop = "tc filter add dev b.eth0 ingress matchall action drop"
    in_node("hv2", *drop.split())
    verdict = why(bench, "a", "b")
    assert (verdict.cause, verdict.object) == ("hypervisor.filter-drop", "hv2.b.eth0")
    assert verdict.summary.startswith("On the way back, the reply came in at hv2.b.eth0")


SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_is_wrong_in_a_shipped_lab(bench: Bench, path: Path) -> None:
    """What passes by the model passes in the kernel in both sizes, without an accusation."""
    topology = load(path)
    verbs.up(topology, bench.root)
    name = topology.name
    nodes = sorted(vm.name for vm in topology.vms)
    tried = list(islice(zip(nodes, reversed(nodes), strict=True), len(nodes) // 2))[:3]
    for source, destination in tried:
        with suppress(UsageError):  # they have no addresses of one family
            options = ProbeOptions()
            if explain(name, source, destination, bench.root, options=options).passes:
                found = investigate_sizes(name, source, destination, bench.root, options=options)
                verdict = found.verdict
                sure = {it.confidence for it in verdict.causes} != {Confidence.CANDIDATE}
                accused = sure and not verdict.healthy  # what loses by design is a candidate
                assert (accused, verdict.contradiction) == (False, ""), verdict.summary
