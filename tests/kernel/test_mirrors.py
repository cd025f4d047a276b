"""What a promiscuous port sees."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.test_filters import converge
from tests.kernel.traffic import SO_RCVBUFFORCE, Traffic
from vnetlab.kernel.namespaces import entered
from vnetlab.state.compile import compile_topology
from vnetlab.state.mirrors import mirrors
from vnetlab.state.objects import LinkId, collect, everything

FILTERS = ("clsact", "flower", "mirred", "act-vlan", "gact")
VLANS = """\
networks: {web: {vlan: 10}, old: {vlan: 1}}
hypervisors: {hv1: , hv2: }
vms:
  a: {on: hv1, nics: [web]}
  p: {on: hv1, nics: [web]}
  q: {on: hv1, nics: [web]}
  b: {on: hv2, nics: [web]}
  c: {on: hv2, nics: [web]}
  x: {on: hv1, nics: [old]}
  y: {on: hv1, nics: [old]}
"""
FLAT = """\
networks: {web: {}}
vms: {a: , b: , p: , q: }
"""
_ETH_P_ALL = 3


class Sniffer:
    """Counts the frames that a node's eth0 receives, whatever they are for."""

    def __init__(self, tap: socket.socket) -> None:
        self._tap = tap

    @classmethod
    @contextmanager
    def on(cls, bench: Bench, node: str) -> Iterator[Sniffer]:
        """On one node."""
        with entered(bench.lab().namespace(node)):
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        with tap:
            tap.settimeout(0.5)
            tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20)
            yield cls(tap)

    def seen(self) -> list[int]:
        """The numbers of the datagrams seen that `Traffic` sent, in their order."""
        found = []
        try:
            while True:
                frame, (_, _, kind, *_) = self._tap.recvfrom(2000)
                is_datagram = frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP
                if is_datagram and kind != socket.PACKET_OUTGOING:
                    found.append(int.from_bytes(frame[42:46], "big"))
        except TimeoutError:
            return found


def watch(bench: Bench, text: str, *nodes: str) -> dict[str, str]:
    """Build the lab, and make ports of hv1 promiscuous; the address of each VM."""
    bench.up(text)
    topology = bench.load(text)
    state = compile_topology(topology)
    vnics = {vm.name: vm.nics[0] for vm in topology.vms}
    ports = {LinkId(netns="hv1", name=f"{node}.eth0"): vnics[node].mac for node in nodes}
    made = mirrors(tuple(everything(state)), ports)
    converge(bench, collect([*everything(state), *made]))
    return {name: str(vnic.addresses[0].ip) for name, vnic in vnics.items()}


@pytest.mark.needs("bridge-vlan-filtering", *FILTERS)
@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a"), ("a", "q")])
def test_a_promiscuous_port_sees_frames_of_others_once(bench: Bench, one: str, other: str) -> None:
    """Whether they come from a VM, or with a tag over the uplink."""
    address = watch(bench, VLANS, "p")
    with Traffic.between(bench, (one, address[one]), (other, address[other])) as between:
        assert between.send(1) == [0]  # all MACs are known then
        with Sniffer.on(bench, "p") as sniffer:
            assert between.send(3) == [0, 1, 2]
            assert sniffer.seen() == [0, 1, 2]


@pytest.mark.needs("bridge-vlan-filtering", *FILTERS)
def test_it_sees_nothing_of_another_vlan(bench: Bench) -> None:
    """Nor of what does not pass its vSwitch."""
    address = watch(bench, VLANS, "p")
    for one, other in (("x", "y"), ("b", "c")):
        with Traffic.between(bench, (one, address[one]), (other, address[other])) as between:
            assert between.send(1) == [0]
            with Sniffer.on(bench, "p") as sniffer:
                assert between.send(3) == [0, 1, 2]
                assert sniffer.seen() == []


@pytest.mark.needs("bridge-vlan-filtering", *FILTERS)
def test_what_is_for_itself_comes_once(bench: Bench) -> None:
    """And the other promiscuous port sees that too."""
    address = watch(bench, VLANS, "p", "q")
    for sender in ("a", "b"):
        with Traffic.between(bench, (sender, address[sender]), ("p", address["p"])) as between:
            assert between.send(1) == [0]
            with Sniffer.on(bench, "p") as own, Sniffer.on(bench, "q") as other:
                assert between.send(3) == [0, 1, 2]
                assert own.seen() == other.seen() == [0, 1, 2]


@pytest.mark.needs(*FILTERS)
def test_without_vlans_it_is_the_same(bench: Bench) -> None:
    """A bridge that does not filter is one VLAN."""
    address = watch(bench, FLAT, "p", "q")
    with Traffic.between(bench, ("a", address["a"]), ("b", address["b"])) as between:
        assert between.send(1) == [0]
        with Sniffer.on(bench, "p") as sniffer, Sniffer.on(bench, "q") as other:
            assert between.send(3) == [0, 1, 2]
            assert sniffer.seen() == other.seen() == [0, 1, 2]
