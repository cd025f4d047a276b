"""Probes through real labs: who saw the packet, in which order, and where it was lost."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.diagnosis.locate import locate
from vnetlab.diagnosis.verdict import Layer, Verdict
from vnetlab.lab import ProbeOptions
from vnetlab.trace.request import Protocol
from vnetlab.trace.trace import PacketTrace, Trace
from vnetlab.views.probe_pcapng import render_pcapng

InNode = Callable[..., str]
needs_vlans = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
PROTOCOLS = [
    ProbeOptions(protocol=protocol, version=version, port=4242)
    for protocol in (Protocol.ICMP, Protocol.UDP, Protocol.TCP)
    for version in (4, 6)
]


def probe(bench: Bench, source: str, destination: str, **options: object) -> Trace:
    """Send a probe in the lab `bench`."""
    chosen = ProbeOptions(**options)  # type: ignore[arg-type] # the tests name them right
    return verbs.probe("bench", source, destination, bench.root, options=chosen)


def places(packet: PacketTrace) -> list[str]:
    """Where the packet was seen on its path, there and back: `hv1.eno1 out 10`."""
    return [
        " ".join([str(step.hop), *([str(tag)] if (tag := step.sighting.vlan) else [])])
        for step in packet.steps
        if step.index is not None
    ]


def lost(trace: Trace) -> tuple[str, str, Verdict]:
    """After and before which hop the only packet was lost, and the verdict."""
    (packet,) = trace.packets
    assert packet.loss is not None, f"it was not lost: {places(packet)}"
    return str(packet.loss.after), str(packet.loss.before), locate(trace)


@pytest.mark.parametrize("options", PROTOCOLS, ids=lambda o: f"{o.protocol.value}-{o.version}")
def test_a_probe_is_seen_at_every_hop_there_and_back(bench: Bench, options: ProbeOptions) -> None:
    """Every link of the path shows it once in each direction, in the order of the path."""
    bench.up(FLAT)
    trace = verbs.probe("bench", "a", "b", bench.root, options=options)
    (packet,) = trace.packets
    there = [
        "a.eth0 out",
        "hv1.a.eth0 in",
        "hv1.eno1 out",
        "tor1.hv1.eno1 in",
        "tor1.hv2.eno1 out",
        "hv2.eno1 in",
        "hv2.b.eth0 out",
        "b.eth0 in",
    ]
    turned = {" out": " in", " in": " out"}
    back = [hop.rsplit(" ", 1)[0] + turned[" " + hop.rsplit(" ", 1)[1]] for hop in reversed(there)]
    assert places(packet) == [*there, *back]
    assert locate(trace).healthy


@needs_vlans
def test_a_routed_probe_shows_tags_and_hop_limits(bench: Bench) -> None:
    """Trunks carry the tag, access ports do not, and the router takes one off the TTL."""
    bench.up(ROUTED)
    trace = probe(bench, "web1", "db1")
    (packet,) = trace.packets
    assert places(packet)[:14] == [
        "web1.eth0 out",
        "hv1.web1.eth0 in",
        "hv1.eno1 out 10",
        "tor1.hv1.eno1 in 10",
        "tor1.gw.eth0 out 10",
        "gw.eth0 in 10",
        "gw.web in",
        "gw.db out",
        "gw.eth0 out 20",
        "tor1.gw.eth0 in 20",
        "tor1.hv2.eno1 out 20",
        "hv2.eno1 in 20",
        "hv2.db1.eth0 out",
        "db1.eth0 in",
    ]
    assert [step.sighting.ttl for step in packet.forward] == [64] * 7 + [63] * 7
    assert locate(trace).healthy


@needs_vlans
def test_the_delay_of_an_uplink_is_where_it_was_configured(bench: Bench) -> None:
    """The time between coming in at a switch and leaving it is at least the port's delay."""
    bench.up(ROUTED)
    (packet,) = probe(bench, "web1", "web2").packets
    seen = {str(step.hop): step.sighting.time_ns for step in packet.forward}
    assert seen["hv1.eno1 out"] - seen["hv1.web1.eth0 in"] >= 200_000
    assert seen["tor1.hv2.eno1 out"] - seen["tor1.hv1.eno1 in"] >= 1_000_000


@needs_vlans
def test_a_vlan_missing_on_a_trunk_is_located(bench: Bench) -> None:
    """The packet comes in at the switch, is flooded elsewhere, and never leaves to hv2."""
    bench.up(ROUTED)
    bench.up(ROUTED.replace("delay: 1ms", "delay: 1ms, vlans: [20]"))
    after, before, verdict = lost(probe(bench, "web1", "web2"))
    assert (after, before) == ("tor1.hv1.eno1 in", "tor1.hv2.eno1 out")
    assert (verdict.layer, verdict.object) == (Layer.PHYSICAL_NETWORK, "tor1")


def test_a_guest_whose_vnic_is_down_is_located(bench: Bench, in_node: InNode) -> None:
    """The question for its MAC address gets no further than the hypervisor of the guest."""
    bench.up(FLAT)
    in_node("b", "ip", "link", "set", "eth0", "down")
    in_node("a", "ip", "neigh", "flush", "all")
    after, _, verdict = lost(probe(bench, "a", "b", version=4))
    assert after == "hv2.eno1 in"
    assert not verdict.healthy


def test_an_uplink_that_is_down_is_located(bench: Bench, in_node: InNode) -> None:
    """A pNIC without carrier: the frame reaches the vSwitch and never leaves it."""
    bench.up(FLAT)
    in_node("hv1", "ip", "link", "set", "eno1", "down")
    after, before, _ = lost(probe(bench, "a", "b"))
    assert (after, before) == ("hv1.a.eth0 in", "hv1.eno1 out")


def test_a_reply_that_is_lost_is_told_from_a_lost_request(bench: Bench, in_node: InNode) -> None:
    """The way back is judged apart from the way there."""
    bench.up(FLAT)
    assert locate(probe(bench, "a", "b")).healthy
    in_node("b", "ip", "route", "add", "blackhole", "10.0.0.0/25")
    in_node("b", "ip", "route", "add", "blackhole", "10.0.0.128/25")
    trace = probe(bench, "a", "b", version=4)
    (packet,) = trace.packets
    assert "b.eth0 in" in places(packet)
    assert "b.eth0 out" not in places(packet)
    assert not locate(trace).healthy


def test_many_packets_are_timed_one_by_one(bench: Bench) -> None:
    """`count` packets are each seen at every hop, and none is taken for another."""
    bench.up(FLAT)
    trace = probe(bench, "a", "b", count=20)
    assert [packet.sequence for packet in trace.packets] == list(range(20))
    assert trace.replied == 20
    assert {len(places(packet)) for packet in trace.packets} == {16}


def test_the_capture_has_an_interface_per_tap(bench: Bench) -> None:
    """The pcapng file names every tapped link and holds each sighting once."""
    bench.up(FLAT)
    trace = probe(bench, "a", "b", version=4)
    content = render_pcapng(trace)
    blocks, at = [], 0
    while at < len(content):
        kind, length = struct.unpack_from("<II", content, at)
        blocks.append(kind)
        at += length
    assert blocks.count(1) >= 8
    assert blocks.count(6) >= len(trace.packets[0].steps) == 16
    assert b"tor1.hv1.eno1" in content
