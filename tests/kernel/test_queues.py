"""Queues that others fill: a probe says which, and who."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.kernel.conftest import Bench, until
from vnetlab import lab as verbs
from vnetlab.diagnosis.verdict import Source, Verdict
from vnetlab.investigation import investigate
from vnetlab.kernel import namespaces
from vnetlab.kernel.backlogs import read_backlogs
from vnetlab.kernel.netlink import Channel
from vnetlab.lab import ProbeOptions

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "tbf")

SHARED_UPLINK = """\
networks: {lan: {ipv4: 10.0.0.0/24}}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1, out: {rate: 8mbit, queue: %s}}}}
vms: {a: {on: hv1}, loud: {on: hv1}}
hosts: {b: {to: tor1}, sink: {to: tor1}}
"""
FLOOD = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(30):
        s.sendto(bytes(1200), (sys.argv[1], 9000))
    time.sleep(0.01)
"""


_SOME = 10


@contextmanager
def _flooded(bench: Bench) -> Iterator[None]:
    """Three times as much as the uplink takes, from `loud` to `sink`."""
    lab = bench.lab()
    state = verbs.snapshot("bench", bench.root).tables.state
    address = next(str(it.interface.ip) for it in state.addresses if it.netns == "sink")
    with namespaces.entered(lab.namespace("loud")):
        sender = subprocess.Popen([sys.executable, "-c", FLOOD, address])
    try:
        until(lambda: _waiting(bench) > _SOME, lambda: _waiting(bench))
        yield
    finally:
        sender.kill()
        sender.wait()


def _waiting(bench: Bench) -> int:
    """Packets in the uplink's queue."""
    with namespaces.entered(bench.lab().namespace("hv1")), closing(Channel()) as channel:
        looks = read_backlogs(channel, socket.if_nametoindex("eno1"))
        return max(it.packets for it in looks)


def _probe(bench: Bench, count: int = 5) -> Verdict:
    options = ProbeOptions(count=count)
    return investigate("bench", "a", "b", bench.root, options=options).verdict


def _counted(verdict: Verdict) -> str:
    return "\n".join(it.text for it in verdict.evidence if it.source is Source.COUNTED)


@pytest.mark.parametrize("queue", ["200kb", "20kb"])
def test_a_full_queue_is_told_with_who_fills_it(bench: Bench, queue: str) -> None:
    """Whether its packets wait or are dropped there; nothing is said of a queue that is empty."""
    bench.up(SHARED_UPLINK % queue)
    assert _probe(bench).queues == ()
    with _flooded(bench):
        verdict = _probe(bench)
    (found,) = verdict.queues
    assert (found.netns, found.link, found.label) == ("hv1", "eno1", "hv1.eno1")
    assert found.backlog_packets > 0
    assert found.wait_ns
    assert found.flows[0].flow == "loud -> sink udp/9000"
    assert found.flows[0].share > 0.8
    assert "the queue of hv1.eno1 (tbf 8mbit) held up to" in _counted(verdict)
    assert "loud -> sink udp/9000" in verdict.summary
