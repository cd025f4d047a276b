"""The kernel's reports of dropped packets: where, why, and which packet."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.kernel.conftest import INSIDE, Bench
from vnetlab.errors import MissingFeatureError
from vnetlab.kernel import namespaces
from vnetlab.kernel.drop_monitor import watched_drops
from vnetlab.trace.drops import Drop

InNode = Callable[..., str]

pytestmark = [
    pytest.mark.needs("nftables-inet"),
    pytest.mark.skipif(not INSIDE, reason="few kernels have a drop monitor; the lab kernel does"),
]

_LAB = """
networks: {n: {ipv4: 10.1.0.0/24}}
hypervisors: {h: }
vms:
  a: {on: h, nics: [{network: n, ipv4: 10.1.0.11}]}
  b:
    on: h
    nics: [{network: n, ipv4: 10.1.0.12}]
    firewall: {input: [deny udp/7777], default: allow}
"""


def _send(bench: Bench, port: int, content: bytes) -> tuple[Drop, ...]:
    """Send a datagram from a to b; return the drops of packets with its content."""
    with namespaces.entered(bench.lab().namespace("a")):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, watched_drops() as monitor:
        sender.sendto(content, ("10.1.0.12", port))
        return tuple(drop for drop in monitor.read(1.0) if content in drop.payload)


def test_drops_are_told_with_place_reason_and_packet(bench: Bench, in_node: InNode) -> None:
    """A rule that drops, a port without a listener, a bridge without a way; no drop, no report."""
    bench.up(_LAB)
    with namespaces.entered(bench.lab().namespace("b")):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with listener:
        listener.bind(("10.1.0.12", 7000))
        assert _send(bench, 7000, b"for a listener") == ()
        assert listener.recv(100) == b"for a listener"
    (by_rule,) = _send(bench, 7777, b"for the firewall")
    assert by_rule.reason == "NETFILTER_DROP"
    unheard = _send(bench, 9, b"for nobody")
    assert "NO_SOCKET" in [drop.reason for drop in unheard]
    assert any("udp" in drop.function for drop in unheard)
    in_node("h", "ip", "link", "set", "b.eth0", "down")
    (without_way, *_) = _send(bench, 7777, b"into the switch")
    assert without_way.function.startswith("br_")


def test_namespaces_other_than_the_first_hear_nothing(bench: Bench) -> None:
    """A node cannot watch the drops of others: it is told that there are no reports."""
    bench.up(_LAB)
    with (
        namespaces.entered(bench.lab().namespace("a")),
        pytest.raises(MissingFeatureError, match="no reports of dropped packets"),
        watched_drops(),
    ):
        pass
