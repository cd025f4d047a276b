"""The kernel says which rules of nftables a probe's packets match; nothing of it stays."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_GETTABLE, nft_table_msg

from tests.kernel.conftest import Bench, until
from vnetlab.kernel import nft_messages as messages
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.nft_trace import RuleTrace, trace_rules
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.trace.traced_rule import TracedRule
from vnetlab.wire.marker import MASK, Marker

pytestmark = pytest.mark.needs(
    *("nftables-inet", "nftables-bridge", "nftables-reject", "conntrack", "bridge-conntrack")
)

LAB = """
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
hypervisors: {hv1: }
security_groups: {web: {ingress: [udp/53, udp/80]}}
vms:
  a: {nics: [{ipv4: 10.0.0.1, ipv6: "fd00::1"}]}
  b:
    nics: [{ipv4: 10.0.0.2, ipv6: "fd00::2", security_groups: web}]
    firewall: {input: [udp/53], default: deny}
"""
MARKER = Marker(0xABCDE)


@pytest.fixture
def nodes(bench: Bench) -> Iterator[Nodes]:
    """A VM and another one, which is protected at its port and by its own firewall."""
    bench.up(LAB)
    with Nodes(bench.lab()) as nodes:
        yield nodes


def send(bench: Bench, address: str, port: int, word: int) -> None:
    """Send a datagram from a with this word in front."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with entered(bench.lab().namespace("a")):
        out = socket.socket(family, socket.SOCK_DGRAM)
    with out:
        out.sendto(word.to_bytes(4) + bytes(8), (address, port))


def probe_tables(nodes: Nodes) -> list[str]:
    """The tables of probes, in all namespaces."""
    found = []
    for node in nodes.lab.nodes():
        channel = nodes.netfilter(node)
        assert channel is not None
        for raw in channel.dump_raw(messages.request(nft_table_msg, NFT_MSG_GETTABLE)):
            message = nft_table_msg(raw)
            message.decode()
            found.append(message.get_attr("NFTA_TABLE_NAME"))
    return [name for name in found if name.startswith(messages.TRACE_TABLE)]


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2"])
def test_each_decision_is_told_with_its_rule(bench: Bench, nodes: Nodes, address: str) -> None:
    """Allowed, dropped at the port, dropped by the guest: the rule, its place and the links."""
    observed = observe(nodes)
    with trace_rules(nodes, observed, ["a", "b", "hv1"], value=MARKER.value, mask=MASK) as trace:
        for sequence, port in enumerate((53, 80, 443)):
            send(bench, address, port, MARKER.word(sequence))
        send(bench, address, 443, 0x12345678)
        said = hear(trace, packets=3)
    assert ends(said) == {
        MARKER.word(0): ("b", "input", "firewall input 1: udp/53", "accept"),
        MARKER.word(1): ("b", "input", "firewall input: deny the rest", "drop"),
        MARKER.word(2): ("hv1", "b.eth0-ingress", "web ingress: nothing else", "drop"),
    }
    errors = {None}  # the guest's ICMP error quotes the first one
    assert {it.word for it in said} - errors == {MARKER.word(sequence) for sequence in range(3)}
    at_guest = next(it for it in said if it.netns == "b")
    assert (at_guest.iif, at_guest.oif) == ("eth0", None)
    at_port = next(it for it in said if it.verdict == "jump b.eth0-ingress")
    port_of = {
        it.peer: it.netns for it in observed.state.links if it.netns in ("a", "b") and it.peer
    }
    ports = {link.name: netns for link, netns in port_of.items()}
    assert (ports.get(at_port.iif or ""), ports.get(at_port.oif or "")) == ("a", "b")


def hear(trace: RuleTrace, packets: int) -> list[TracedRule]:
    """What the kernel says until so many packets have been decided."""
    said: list[TracedRule] = []

    def decided() -> bool:
        said.extend(trace.read())
        return len(ends(said)) == packets

    until(
        decided, lambda: [(it.netns, it.word, it.chain.name, it.number, it.verdict) for it in said]
    )
    return said


def ends(said: list[TracedRule]) -> dict[int | None, tuple[str, str, str, str]]:
    """Where each packet was decided for good: namespace, chain, rule and verdict."""
    return {
        it.word: (it.netns, it.chain.name, it.rule.name, it.verdict)
        for it in said
        if it.rule is not None
        and (it.verdict == "drop" or (it.netns, it.verdict) == ("b", "accept"))
    }


def test_a_trace_is_no_drift_and_leaves_nothing(bench: Bench, nodes: Nodes) -> None:
    """While a probe traces, the lab is as it was; afterwards its table is gone."""
    observed = observe(nodes)
    with trace_rules(nodes, observed, ["b", "hv1"], value=MARKER.value, mask=MASK):
        assert len(probe_tables(nodes)) == 2
        assert observe(nodes).state == observed.state
        assert not bench.plan(LAB).changes
    until(lambda: not probe_tables(nodes), lambda: probe_tables(nodes))


def test_two_probes_trace_at_once(bench: Bench, nodes: Nodes) -> None:
    """Each hears of its own packets alone, and of those of the other nothing is lost."""
    observed = observe(nodes)
    other = Marker(0x12345)
    with (
        trace_rules(nodes, observed, ["b"], value=MARKER.value, mask=MASK) as mine,
        trace_rules(nodes, observed, ["b"], value=other.value, mask=MASK) as theirs,
    ):
        for marker in (MARKER, other):
            send(bench, "10.0.0.2", 53, marker.word(0))
        for trace, marker in ((mine, MARKER), (theirs, other)):
            assert list(ends(hear(trace, packets=1))) == [marker.word(0)]


def test_a_killed_probe_leaves_nothing(nodes: Nodes) -> None:
    """The kernel removes the table with the socket of a process that was killed."""
    observed = observe(nodes)
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        with trace_rules(nodes, observed, ["b", "hv1"], value=MARKER.value, mask=MASK):
            os.write(writable, b"!")
            signal.pause()
    assert os.read(readable, 1) == b"!"
    assert len(probe_tables(nodes)) == 2
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    until(lambda: not probe_tables(nodes), lambda: probe_tables(nodes))
