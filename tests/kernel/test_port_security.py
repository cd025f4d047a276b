"""Port groups' security and isolation with real frames: what a guest may not send or receive."""

from __future__ import annotations

import socket

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.kernel import namespaces
from vnetlab.state.nftables import NftChain, NftTable
from vnetlab.state.show import describe_change

pytestmark = pytest.mark.needs("veth", "bridge", "nftables-bridge")

_LOCAL_EXPERIMENT = 0x88B5  # IEEE 802, 9.2.3
_PATIENCE_S = 0.5
_STRANGER = "02:00:00:00:00:99"

_LAB = """
port_groups:
  guarded: {security: {forged_transmits: reject, mac_changes: reject}}
  open:
  private: {isolated: true}
hypervisors: {hv1: , hv2: }
vms:
  a: {on: hv1, nics: [{port_group: guarded}]}
  b: {on: hv1, nics: [{port_group: guarded}]}
  c: {on: hv2, nics: [{port_group: open}]}
  d: {on: hv1}
  p1: {on: hv1, nics: [{port_group: private}]}
  p2: {on: hv1, nics: [{port_group: private}]}
  p3: {on: hv2, nics: [{port_group: private}]}
"""


class Frames:
    """Frames between the guests of the lab `bench`."""

    def __init__(self, bench: Bench) -> None:
        self._lab = bench.lab()
        self.macs = {vm.name: vm.nics[0].mac for vm in bench.load(_LAB).vms}

    def arrives(self, source: str, to: str, *, sender: str = "", receiver: str = "") -> bool:
        """Whether `to` sees a frame of `source`, from and to their MACs or others."""
        frame = b"".join(
            bytes.fromhex(mac.replace(":", ""))
            for mac in (receiver or self.macs[to], sender or self.macs[source])
        )
        with self._open(source) as ours, self._open(to) as theirs:
            theirs.settimeout(_PATIENCE_S)
            ours.send(frame + _LOCAL_EXPERIMENT.to_bytes(2) + bytes(50))
            try:
                return theirs.recv(99)[:12] == frame
            except TimeoutError:
                return False

    def _open(self, node: str) -> socket.socket:
        with namespaces.entered(self._lab.namespace(node)):
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        opened.bind(("eth0", _LOCAL_EXPERIMENT))
        return opened


def test_a_forged_source_goes_no_further(bench: Bench) -> None:
    """A frame with another source MAC is dropped, and no vSwitch learns that address."""
    bench.up(_LAB)
    frames = Frames(bench)
    assert frames.arrives("a", "d")
    assert not frames.arrives("a", "d", sender=_STRANGER)
    assert frames.arrives("c", "d", sender=_STRANGER)
    assert frames.arrives("a", "c")
    assert not frames.arrives("a", "c", sender=frames.macs["d"])
    assert frames.arrives("c", "d")  # the frame in the name of d has not sent this one astray


def test_a_guest_gets_no_frames_for_another_mac(bench: Bench) -> None:
    """A flooded frame for an unknown address comes to all ports but guarded ones."""
    bench.up(_LAB)
    frames = Frames(bench)
    assert frames.arrives("c", "d", receiver=_STRANGER)
    assert not frames.arrives("c", "b", receiver=_STRANGER)
    assert frames.arrives("c", "b")
    assert frames.arrives("c", "b", receiver="ff:ff:ff:ff:ff:ff")
    assert frames.arrives("c", "b", receiver="33:33:00:00:00:01")


def test_isolated_ports_reach_others_but_not_each_other(bench: Bench) -> None:
    """On one vSwitch and over the uplink alike; no broadcast comes through either."""
    bench.up(_LAB)
    frames = Frames(bench)
    for source, to in (("p1", "p2"), ("p1", "p3"), ("p3", "p1")):
        assert not frames.arrives(source, to)
        assert not frames.arrives(source, to, receiver="ff:ff:ff:ff:ff:ff")
    for source, to in (("p1", "c"), ("c", "p1"), ("p3", "d"), ("d", "p3"), ("p1", "d")):
        assert frames.arrives(source, to)


@pytest.mark.needs("bridge-conntrack")
def test_a_port_group_gives_its_security_groups_to_its_vnics(bench: Bench) -> None:
    """They come before a vNIC's own."""
    text = """
port_groups: {web: {security_groups: web}}
security_groups: {web: {ingress: [icmp]}, ssh: {ingress: [tcp/22]}}
vms: {a: {nics: [{port_group: web, security_groups: [ssh, web]}]}}
"""
    assert bench.load(text).vms[0].nics[0].security_groups == ("web", "ssh")
    bench.up(text)
    assert not bench.up(text).changes


def test_every_value_of_port_security_can_be_edited(bench: Bench) -> None:
    """It converges at once, and back again, and touches rules alone."""
    bench.up(_LAB)
    assert not bench.up(_LAB).changes
    for old, new in (
        ("forged_transmits: reject, ", ""),
        (", mac_changes: reject", ""),
        ("{forged_transmits: reject, mac_changes: reject}", "{promiscuous: reject}"),
        ("  d: {on: hv1}", "  d: {on: hv1, nics: [{port_group: guarded}]}"),
    ):
        for text in (_LAB.replace(old, new), _LAB):
            changes = bench.up(text).changes
            assert {type(change.subject) for change in changes} <= {NftChain, NftTable}
            assert changes
            assert not bench.up(text).changes


def test_rules_taken_away_are_told(bench: Bench) -> None:
    """Security that is not there any more is drift, in words."""
    bench.up(_LAB.replace("forged_transmits: reject, ", ""))
    topology = bench.load(_LAB)
    words = [describe_change(change) for change in verbs.plan(topology, bench.root).changes]
    (told,) = words
    assert told == (
        "+ nftables chain bridge vnetlab prerouting in hv1: hook filter prerouting at priority "
        "-300, rules 'a.eth0 security: forged transmit', 'b.eth0 security: forged transmit'"
    )
