"""ARP requests as probes: who answers for an address, and why nobody does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.investigation import Investigation, explain, investigate
from vnetlab.lab import ProbeOptions
from vnetlab.matrix import probe_all
from vnetlab.trace.endpoints import NotNeighboursError
from vnetlab.trace.request import Protocol

InNode = Callable[..., str]
needs_vlans = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
ARP = ProbeOptions(protocol=Protocol.ARP)


def asked(bench: Bench, source: str, destination: str, count: int = 1) -> Investigation:
    """What a probe says; the model alone says the same."""
    options = ProbeOptions(protocol=Protocol.ARP, count=count)
    found = investigate("bench", source, destination, bench.root, options=options)
    foretold = explain("bench", source, destination, bench.root, options=options)
    assert found.verdict.contradiction == ""
    assert [it.code for it in foretold.causes][:1] == [it.code for it in found.verdict.causes][:1]
    return found


def causes(found: Investigation) -> list[tuple[str, str]]:
    """Code and object of each."""
    return [(cause.code, cause.object) for cause in found.verdict.causes]


def test_each_request_gets_its_own_answer(bench: Bench) -> None:
    """Each is seen at both ends, and answered by the vNIC that was asked for."""
    bench.up(FLAT)
    found = asked(bench, "a", "b", count=3)
    assert found.verdict.healthy
    assert [packet.sequence for packet in found.trace.packets] == [0, 1, 2]
    state = verbs.snapshot("bench", bench.root).tables.state
    macs = {link.netns: link.mac for link in state.links if link.name == "eth0"}
    for packet in found.trace.packets:
        assert {step.hop.netns for step in packet.forward} >= {"a", "hv1", "tor1", "hv2", "b"}
        assert packet.back[-1].sighting.source_mac == macs["b"]
        assert packet.back[-1].hop.netns == "a"


@pytest.mark.parametrize(
    ("node", "command", "cause"),
    [
        ("b", "sysctl -qw net.ipv4.conf.eth0.arp_ignore=8", ("guest.arp-ignored", "b")),
        ("b", "ip address flush dev eth0", ("guest.address-missing", "b")),
        ("b", "ip link set eth0 arp off", ("vnic.arp-off", "b.eth0")),
        ("a", "ip link set eth0 down", ("vnic.link-down", "a.eth0")),
        ("hv2", "ip link set eno1 down", ("pnic.link-down", "hv2.eno1")),
        (
            "hv2",
            "bridge link set dev b.eth0 bcast_flood off",
            ("vswitch.broadcast-flood-off", "b.eth0"),
        ),
    ],
)
def test_why_nobody_answers(
    bench: Bench, in_node: InNode, node: str, command: str, cause: tuple[str, str]
) -> None:
    """What is done by hand is what the verdict names."""
    bench.up(FLAT)
    in_node(node, *command.split())
    code, object_ = cause
    (found,) = causes(asked(bench, "a", "b"))
    assert found[0] == code
    assert found[1].endswith(object_)


def test_two_that_answer(bench: Bench, in_node: InNode) -> None:
    """Nobody lost anything, and still something is wrong: whose answer counts is chance."""
    bench.up(FLAT + "  c: {on: hv2}\n")
    held = verbs.snapshot("bench", bench.root).tables.state.addresses
    (address,) = (it.interface for it in held if it.netns == "b" and it.interface.version == 4)
    in_node("c", "ip", "address", "add", str(address), "dev", "eth0")
    assert ("guest.duplicate-address", "c") in causes(asked(bench, "a", "b"))


@needs_vlans
def test_no_router_passes_it_on(bench: Bench) -> None:
    """So that who is behind one cannot be asked."""
    bench.up(ROUTED)
    with pytest.raises(NotNeighboursError, match="no router passes ARP on"):
        asked(bench, "web1", "db1")
    assert asked(bench, "web1", "gw").verdict.healthy


@needs_vlans
def test_a_matrix_of_neighbours(bench: Bench, in_node: InNode) -> None:
    """Pairs with a router between them are left out; who does not answer fails with its cause."""
    bench.up(ROUTED)
    matrix = probe_all("bench", bench.root, options=ARP)
    assert {it.names for it in matrix.results} == {("web1", "web2"), ("web2", "web1")}
    assert not matrix.failures
    assert all(it.lost == 0 for it in matrix.results)
    assert {names for names, _ in matrix.left_out} == {
        ("web1", "db1"),
        ("web2", "db1"),
        ("db1", "web1"),
        ("db1", "web2"),
    }
    in_node("web2", "sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=8")
    (group,) = probe_all("bench", bench.root, options=ARP).groups
    assert group.cause is not None
    assert (group.cause.code, group.pairs) == ("guest.arp-ignored", (("web1", "web2"),))
