"""What the kernel counts, and what real packets move."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.traffic import Traffic
from vnetlab.kernel.counters import read_counters
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.counters import Moved

InNode = Callable[..., str]

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "tbf", "clsact", "police", "nftables-inet")

_LAB = """
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/24}
hypervisors:
  hv1: {pnics: {eno1: {to: tor1}}}
  hv2: {pnics: {eno1: {to: tor1}}}
physical_switches: {tor1: }
vms:
  a: {on: hv1, nics: [{network: web, ipv4: 10.10.0.11}]}
  b:
    on: hv2
    nics: [{network: web, ipv4: 10.10.0.12}]
    firewall: {input: [deny udp/7777, udp/7778], default: allow}
"""
_ENDS = (("a", "10.10.0.11"), ("b", "10.10.0.12"))


class Watch:
    """What moved while the context lasted."""

    def __init__(self) -> None:
        self.moved: tuple[Moved, ...] = ()

    def words(self, *, of: str = "") -> list[str]:
        """In words, those that contain a text."""
        return [it.words for it in self.moved if of in it.words]


@contextmanager
def _watching(bench: Bench, *nodes: str) -> Iterator[Watch]:
    watch = Watch()
    with Nodes(bench.lab()) as present:
        observed = observe(present)
        before = read_counters(present, observed, nodes)
        yield watch
        watch.moved = read_counters(present, observed, nodes) - before


def test_nothing_moves_by_itself(bench: Bench) -> None:
    """Two looks at a lab where nothing happens differ in nothing."""
    bench.up(_LAB)
    with _watching(bench, *bench.lab().nodes()) as watch:
        pass
    assert not [it for it in watch.moved if it.counter.netns]


def test_links_vlans_and_protocols_count_what_passes(bench: Bench) -> None:
    """Five datagrams, on every link and VLAN of their way, and in the stacks at its ends."""
    bench.up(_LAB)
    with Traffic.between(bench, *_ENDS) as traffic:
        assert traffic.send(1) == [0]  # so that all know each other
        with _watching(bench, "a", "hv1", "b") as watch:
            assert traffic.send(5) == [0, 1, 2, 3, 4]
    said = watch.words()
    for expected in (
        "a.eth0: +5 tx_packets",
        "b.eth0: +5 rx_packets",
        "hv1.eno1: +5 tx_packets",
        "VLAN 10 on hv1.eno1: +5 tx_packets",
        "Udp:OutDatagrams +5 in a",
        "Udp:InDatagrams +5 in b",
    ):
        assert expected in said


def test_a_queue_that_is_too_short(bench: Bench, in_node: InNode) -> None:
    """Each datagram that finds no room is a drop of the queue's; its link counts nothing.

    Its VLAN has let it out before.
    """
    bench.up(_LAB)
    with Traffic.between(bench, *_ENDS) as traffic:
        assert traffic.send(1) == [0]
        queue = "root handle 9: tbf rate 8kbit burst 1500 limit 1"
        in_node("hv1", *f"tc qdisc add dev eno1 {queue}".split())
        with _watching(bench, "hv1") as watch:
            assert traffic.send(3) == []
    of_uplink = [it.words for it in watch.moved if it.counter.link == "eno1"]
    (*of_vlan, of_queue) = of_uplink
    assert of_queue == "tbf of hv1.eno1: +3 drops"
    assert of_vlan == [
        "VLAN 10 on hv1.eno1: +3000 tx_bytes",
        "VLAN 10 on hv1.eno1: +3 tx_packets",
    ]


def test_rules_limits_and_closed_ports(bench: Bench, in_node: InNode) -> None:
    """A rule counts by its name, a limit by its filter; so does a datagram without a listener."""
    bench.up(_LAB)
    in_node("a", *["tc", "qdisc", "add", "dev", "eth0", "clsact"])
    limit = "action police rate 8kbit burst 2000 conform-exceed drop/pass"
    added = f"tc filter add dev eth0 ingress prio 4 protocol ip matchall {limit}"
    in_node("a", *added.split())
    with Traffic.between(bench, *_ENDS) as traffic:
        assert traffic.send(1) == [0]
        with entered(bench.lab().namespace("a")):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender, _watching(bench, "a", "b") as watch:
            for port in (7777, 7777, 7777, 7778, 9):
                sender.sendto(bytes(100), ("10.10.0.12", port))
    said = watch.words()
    assert "rule 'firewall input 1: deny udp/7777' in b: +3 packets" in said
    assert "rule 'firewall input 2: udp/7778' in b: +1 packet" in said
    assert "Udp:NoPorts +2 in b" in said
    assert "police of filter 4 for what comes in on a.eth0: +2 packets" in said
