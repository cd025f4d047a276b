"""Overlay networks between hypervisors, and what of them somebody may change by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.talk import reaches
from vnetlab import lab as verbs
from vnetlab.state.show import describe_change
from vnetlab.trace.trace import Outcome

InNode = Callable[..., str]

pytestmark = pytest.mark.needs("vxlan", "bridge-vlan-filtering", "802.1q")

OVERLAY = """\
networks:
  under: {vlan: 100, ipv4: 10.100.0.0/24}
  tenant: {vxlan: 5001, underlay: under, ipv4: 10.50.0.0/24, ipv6: "fd00:50::/64"}
physical_switches: {tor1: }
hypervisors: {hv1: , hv2: , hv3: }
vms:
  a: {on: hv1, nics: [{network: tenant, ipv4: 10.50.0.11, ipv6: "fd00:50::11"}]}
  b: {on: hv2, nics: [{network: tenant, ipv4: 10.50.0.12, ipv6: "fd00:50::12"}]}
  c: {on: hv3, nics: [{network: tenant, ipv4: 10.50.0.13, ipv6: "fd00:50::13"}]}
"""
OVER_IPV6 = OVERLAY.replace("ipv4: 10.100.0.0/24", 'ipv6: "fd00:100::/64"')


@pytest.mark.parametrize("topology", [OVERLAY, OVER_IPV6], ids=["over IPv4", "over IPv6"])
def test_an_overlay_carries_its_network_between_hypervisors(bench: Bench, topology: str) -> None:
    """Every pair of VMs reaches each other in both families, in packets of the overlay's MTU."""
    bench.up(topology)
    largest = 1450 if topology == OVERLAY else 1430
    for source, node in permutations("abc", 2):
        number = " abc".index(node) + 10
        assert reaches(bench, source, node, f"10.50.0.{number}", size=largest)
        assert reaches(bench, source, node, f"fd00:50::{number}", size=largest)
    assert bench.up(topology).changes == ()
    bench.down()
    assert bench.leftovers() == []


def test_an_uplink_does_not_carry_the_overlay_itself(bench: Bench) -> None:
    """Without its VTEP, a VM reaches nobody on another hypervisor."""
    bench.up(OVERLAY)
    verbs.set_link("bench", "hv2.tenant.vtep", bench.root, up=False)
    assert not reaches(bench, "a", "b", "10.50.0.12", tries=2)
    verbs.set_link("bench", "hv2.tenant.vtep", bench.root, up=True)
    assert reaches(bench, "a", "b", "10.50.0.12")
    assert bench.plan(OVERLAY).changes == ()


def test_a_probe_follows_an_overlay(bench: Bench) -> None:
    """The path of a probe goes from VTEP to VTEP."""
    bench.up(OVERLAY)
    trace = verbs.probe("bench", "a", "b", bench.root, options=verbs.ProbeOptions())
    assert [packet.outcome for packet in trace.packets] == [Outcome.REPLIED]
    crossed = [str(hop) for span in trace.forward.spans for hop in span.hops]
    assert "hv1.tenant.vtep out" in crossed
    assert "hv2.tenant.vtep in" in crossed


EDITS = [
    pytest.param("vxlan: 5001", "vxlan: 5002", {"VTEP", "VLAN", "copy"}, id="the VNI"),
    pytest.param(
        "vxlan: 5001", "vxlan: {id: 5001, port: 8472}", {"VTEP", "VLAN", "copy"}, id="port"
    ),
    pytest.param(
        "vxlan: 5001", "mtu: 1400, vxlan: 5001", {"VTEP", "vNIC", "vSwitch"}, id="its MTU"
    ),
    pytest.param("vxlan: 5001", "vlan: 50, vxlan: 5001", {"VLAN"}, id="its VLAN"),
    pytest.param(
        "hv3: }",
        "hv3: {nics: [{network: under, ipv4: 10.100.0.9}]} }",
        {"VTEP", "VLAN", "copy", "address"},
        id="a VTEP's address",
    ),
    pytest.param("on: hv3", "on: hv2", None, id="the last VM of a hypervisor moves"),
]


@pytest.mark.parametrize(("old", "new", "kinds"), EDITS)
def test_an_edit_changes_that_alone(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    kinds: set[str] | None,
) -> None:
    """One round makes the lab what the file says now, and only what the edit is about changes."""
    bench.up(OVERLAY)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    edited = OVERLAY.replace(old, new)
    done = bench.up(edited)
    words = [describe_change(change) for change in done.changes]
    assert words
    assert kinds is None or {line.split()[1] for line in words} <= kinds, words
    assert bench.plan(edited).changes == ()
    assert reaches(bench, "a", "b", "10.50.0.12")
    assert reaches(bench, "a", "c", "10.50.0.13")


DRIFT = [
    (
        "bridge fdb del 00:00:00:00:00:00 dev tenant.vtep dst {hv2}",
        "+ copy of flooded frames from hv1.tenant.vtep to VTEP",
    ),
    (
        "bridge fdb append 00:00:00:00:00:00 dev tenant.vtep dst 10.100.0.99",
        "- copy of flooded frames from hv1.tenant.vtep to VTEP 10.100.0.99",
    ),
    (
        "bridge fdb add 02:00:00:00:00:12 dev eno1 master static vlan 100",
        "- static forwarding entry 02:00:00:00:00:12 in VLAN 100 on hv1.eno1",
    ),
    ("ip link del tenant.vtep", "+ VTEP hv1.tenant.vtep"),
    ("ip link set vmk0 mtu 1400", "~ hypervisor NIC hv1.vmk0: MTU 1400 -> 1500"),
    ("ip addr flush dev vmk0", "+ address"),
]


@pytest.mark.parametrize(("command", "words"), DRIFT)
def test_drift_is_told_and_repaired(
    bench: Bench, in_node: InNode, command: str, words: str
) -> None:
    """What was done by hand is in the words of `status`, and `up` repairs it."""
    bench.up(OVERLAY)
    held = in_node("hv2", "ip", "-4", "-o", "addr", "show", "vmk0").split()
    hv2 = held[held.index("inet") + 1].partition("/")[0]
    in_node("hv1", *command.format(hv2=hv2).split())
    drift = [describe_change(it) for it in verbs.status("bench", bench.root).drift]
    assert any(line.startswith(words) for line in drift), drift
    bench.up(OVERLAY)
    assert verbs.status("bench", bench.root).drift == ()
    assert reaches(bench, "a", "b", "10.50.0.12")
