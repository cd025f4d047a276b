"""What the kernel itself says of a lost probe: its counters, the trace of nftables, its reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.kernel.conftest import INSIDE, Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.diagnosis.fixes import Intent
from vnetlab.diagnosis.judge import Case, judge
from vnetlab.diagnosis.verdict import Confidence, Source, Verdict
from vnetlab.investigation import investigate, walk_both_ways
from vnetlab.lab import ProbeOptions
from vnetlab.second_look import look_again
from vnetlab.state.show import describe_change
from vnetlab.trace.request import Protocol

InNode = Callable[..., str]
pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem", "nftables-inet")


def verdict_of(bench: Bench, source: str, destination: str, **options: object) -> Verdict:
    """What a probe in the lab `bench` says."""
    chosen = ProbeOptions(**options)  # type: ignore[arg-type] # the tests name them right
    return investigate("bench", source, destination, bench.root, options=chosen).verdict


def said(verdict: Verdict, source: Source) -> str:
    """The evidence of one kind."""
    return "\n".join(item.text for item in verdict.evidence if item.source is source)


def test_a_rule_that_drops_is_named_by_the_kernel(bench: Bench) -> None:
    """The trace of the packet and the cause name the same rule."""
    firewall = "firewall: {input: [deny udp/4242], default: allow}"
    bench.up(ROUTED.replace("nics: [db]", f"nics: [db], {firewall}"))
    verdict = verdict_of(bench, "web1", "db1", protocol=Protocol.UDP, port=4242)
    assert (verdict.cause, verdict.object) == ("guest.firewall-drop", "db1")
    assert verdict.causes[0].confidence is Confidence.PROVEN
    rule = "rule 4 'firewall input 1: deny udp/4242' drops it"
    trace = f"the kernel's trace of the packet: db1, chain inet vnetlab input: {rule}"
    assert trace in said(verdict, Source.OBSERVED)
    if INSIDE:
        assert "dropped in nft_do_chain, NETFILTER_DROP" in said(verdict, Source.OBSERVED)
    assert "deny udp/4242" in said(verdict, Source.CONFIGURED)


def test_a_filter_that_drops_is_proven_by_its_own_counter(bench: Bench, in_node: InNode) -> None:
    """The action's drops are those of the probe."""
    bench.up(ROUTED)
    in_node("hv2", *["tc", "qdisc", "add", "dev", "eno1", "clsact"])
    drop = "tc filter add dev eno1 ingress prio 7 matchall action drop"
    in_node("hv2", *drop.split())
    verdict = verdict_of(bench, "web1", "web2", count=2)
    assert verdict.cause == "hypervisor.filter-drop"
    assert verdict.causes[0].confidence is Confidence.PROVEN
    assert "filter 7 for what comes in on hv2.eno1" in said(verdict, Source.COUNTED)
    if INSIDE:
        assert "the kernel reports the packet dropped in" in said(verdict, Source.OBSERVED)


def test_what_the_protocols_count_proves_a_reverse_path_filter(
    bench: Bench, in_node: InNode
) -> None:
    """A guest that has no way back to the sender drops what comes from it, and counts it."""
    bench.up(ROUTED)
    in_node("db1", *["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"])
    in_node("db1", *["ip", "link", "add", "other", "type", "dummy"])
    in_node("db1", *["ip", "link", "set", "other", "up"])
    in_node("db1", *["ip", "route", "add", "10.10.0.0/24", "dev", "other"])
    verdict = verdict_of(bench, "web1", "db1")
    assert verdict.cause == "guest.reverse-path-filter"
    assert verdict.causes[0].confidence is Confidence.PROVEN
    assert "TcpExt:IPReversePathFilter +1 in db1" in said(verdict, Source.COUNTED)


@pytest.mark.parametrize(
    ("port", "counted"),
    [("hv2.eno1", "VLAN 10 on tor1.hv1.eno1: +1 rx_packets"), ("hv1.eno1", "")],
)
def test_the_vlans_of_a_port_count_what_they_let_through(
    bench: Bench, in_node: InNode, port: str, counted: str
) -> None:
    """A switch that keeps a frame back: as it should go out, or as it comes in."""
    bench.up(ROUTED)
    in_node("tor1", *f"bridge vlan del dev {port} vid 10".split())
    verdict = verdict_of(bench, "web1", "web2")
    assert (verdict.cause, verdict.object) == ("switch.vlan-not-allowed", f"tor1.{port}")
    assert verdict.causes[0].confidence is Confidence.PROVEN
    assert counted in said(verdict, Source.COUNTED)
    assert f"VLAN 10 on tor1.{port}: no packet in or out" in said(verdict, Source.COUNTED)


def test_a_change_while_the_probe_runs_is_told(bench: Bench, in_node: InNode) -> None:
    """The tables are read again after the probe; a change in a node off its way is none."""
    bench.up(FLAT)
    before = verbs.snapshot("bench", bench.root).tables.state
    in_node("hv2", *["ip", "link", "set", "eno1", "down"])
    in_node("b", *["ip", "link", "add", "new", "type", "dummy"])
    trace = verbs.probe("bench", "a", "b", bench.root, options=ProbeOptions())
    found = look_again("bench", bench.root, trace, before, ["a", "hv1", "tor1", "hv2"], way_ns=0)
    (change,) = found.changes
    assert "state up -> down" in describe_change(change)
    assert not found.passed


def test_a_probe_that_gets_through_the_second_time_proves_nothing(
    bench: Bench, in_node: InNode
) -> None:
    """What the model blames did not stop it: the cause is likely at most."""
    bench.up(FLAT)
    assert verdict_of(bench, "a", "b").healthy  # they know each other's MAC addresses
    in_node("hv2", *["ip", "link", "set", "eno1", "down"])
    tables = verbs.snapshot("bench", bench.root).tables
    trace = verbs.probe("bench", "a", "b", bench.root, options=ProbeOptions())
    in_node("hv2", *["ip", "link", "set", "eno1", "up"])
    found = look_again(
        "bench", bench.root, trace, tables.state, ["a", "hv1", "tor1", "hv2", "b"], way_ns=0
    )
    assert found.passed
    forward, back = walk_both_ways(tables, trace.request)
    intent = Intent(changes=(), lines={})
    case = Case(trace=trace, tables=tables, forward=forward, back=back, intent=intent)
    (cause,) = judge(case).causes
    (doubted,) = judge(replace(case, physical=found)).causes
    assert (cause.confidence, doubted.confidence) == (Confidence.PROVEN, Confidence.LIKELY)
