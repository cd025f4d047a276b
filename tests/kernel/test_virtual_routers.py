"""Routers on hypervisors, which reach overlays, and VRFs, which keep networks apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.talk import reaches
from vnetlab import lab as verbs
from vnetlab.state.show import describe_change
from vnetlab.trace.trace import Outcome

InNode = Callable[..., str]

pytestmark = pytest.mark.needs("vxlan", "vrf", "bridge-vlan-filtering", "802.1q")

LAB = """\
networks:
  under: {vlan: 100, ipv4: 10.100.0.0/24, mtu: 1600}
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  tenant: {vxlan: 5001, underlay: under, mtu: 1500, ipv4: 10.50.0.0/24, ipv6: "fd00:50::/64"}
  red: {vlan: 20, ipv4: 10.20.0.0/24, ipv6: "fd00:20::/64"}
  red2: {vlan: 21, ipv4: 10.21.0.0/24, ipv6: "fd00:21::/64"}
physical_switches: {tor1: }
hypervisors: {hv1: , hv2: , hv3: }
vms:
  a: {on: hv1, nics: [{network: tenant, ipv4: 10.50.0.11, ipv6: "fd00:50::11"}]}
  b: {on: hv2, nics: [{network: web, ipv4: 10.10.0.12, ipv6: "fd00:10::12"}]}
  r: {on: hv1, nics: [{network: red, ipv4: 10.20.0.13, ipv6: "fd00:20::13"}]}
  s: {on: hv2, nics: [{network: red2, ipv4: 10.21.0.14, ipv6: "fd00:21::14"}]}
routers:
  gw:
    on: hv3
    networks: [tenant, web, {network: red, vrf: cust}, {network: red2, vrf: cust}]
    vrfs: {cust: }
    routes: [{to: 10.99.0.0/16, via: 10.20.0.13, vrf: cust}]
"""
NO_VRF = LAB.replace(", vrf: cust}", "}").replace("    vrfs: {cust: }\n", "")
OTHER_HOST = LAB.replace("on: hv3", "on: hv2")


def test_a_virtual_router_joins_an_overlay_with_a_vlan(bench: Bench) -> None:
    """A VM in the overlay reaches one in a VLAN in both families, and the router's place moves."""
    bench.up(LAB)
    assert bench.plan(LAB).changes == ()
    assert reaches(bench, "a", "b", "10.10.0.12", size=1500)
    assert reaches(bench, "a", "b", "fd00:10::12", size=1500)
    bench.up(OTHER_HOST)
    assert bench.plan(OTHER_HOST).changes == ()
    assert reaches(bench, "a", "b", "10.10.0.12", size=1500)
    bench.down()
    assert bench.leftovers() == []


def test_a_vrf_keeps_networks_apart(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of one VRF reach each other, and no others, until the VRF goes; and again."""
    bench.up(LAB)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    for topology, apart in ((LAB, True), (NO_VRF, False), (LAB, True)):
        bench.up(topology)
        assert bench.plan(topology).changes == ()
        for address, other in (("10.21.0.14", "10.10.0.12"), ("fd00:21::14", "fd00:10::12")):
            assert reaches(bench, "r", "s", address)
            assert reaches(bench, "r", "b", other, tries=2 if apart else 8) is not apart


def test_a_probe_knows_vrfs(bench: Bench) -> None:
    """The path of a probe is that within the VRF; between two VRFs there is none."""
    bench.up(LAB)
    within = verbs.probe("bench", "r", "s", bench.root, options=verbs.ProbeOptions())
    assert [packet.outcome for packet in within.packets] == [Outcome.REPLIED]
    assert within.forward.complete
    across = verbs.probe("bench", "r", "b", bench.root, options=verbs.ProbeOptions())
    assert [packet.outcome for packet in across.packets] == [Outcome.REFUSED]
    assert not across.forward.complete


@pytest.mark.parametrize("node", ["gw", "hv3", "hv1"])
def test_a_node_is_made_anew_with_all_that_it_has(bench: Bench, node: str) -> None:
    """VRFs, routes and VTEPs are there again after a restart, and packets go through them."""
    bench.up(LAB)
    assert verbs.restart("bench", node, bench.root).changes
    assert bench.plan(LAB).changes == ()
    assert reaches(bench, "a", "b", "fd00:10::12")
    assert reaches(bench, "r", "s", "10.21.0.14")


EDITS = [
    pytest.param("{cust: }", "{cust: {table: 77}}", None, id="the table of a VRF"),
    pytest.param("10.99.0.0/16", "10.97.0.0/16", {"route"}, id="a route"),
    pytest.param(
        "{network: red2, vrf: cust}",
        "red2",
        {"router", "address", "route"},
        id="a network leaves its VRF",
    ),
]


@pytest.mark.parametrize(("old", "new", "kinds"), EDITS)
def test_an_edit_changes_that_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, old: str, new: str, kinds: set[str] | None
) -> None:
    """One round makes the lab what the file says now, and only what the edit is about changes."""
    bench.up(LAB)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 2)
    edited = LAB.replace(old, new)
    words = [describe_change(change) for change in bench.up(edited).changes]
    assert words
    assert kinds is None or {line.split()[1] for line in words} <= kinds, words
    assert bench.plan(edited).changes == ()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ip link set eth0.20 nomaster", "~ router interface gw.eth0.20: VRF none -> cust"),
        ("ip link del cust", "+ VRF gw.cust"),
        ("ip route del 10.99.0.0/16 vrf cust", "+ route 10.99.0.0/16 via 10.20.0.13 dev eth0.20"),
        ("ip route add 10.1.0.0/16 via 10.20.0.13 vrf cust", "- route 10.1.0.0/16"),
        ("ip route del unreachable default vrf cust", "+ unreachable route default"),
        ("ip rule del l3mdev", "+ IPv4 rule 1000: from all l3mdev in gw"),
        ("ip -6 rule del l3mdev", "+ IPv6 rule 1000: from all l3mdev in gw"),
        ("ip rule add l3mdev prio 7", "- IPv4 rule 7: from all l3mdev in gw"),
        ("ip neigh add proxy 10.20.0.77 dev eth0.20", "- answered for: 10.20.0.77 on gw.eth0.20"),
        ("ip link add blue type vrf table 5", "- link gw.blue"),
    ],
)
def test_drift_is_told_and_repaired(
    bench: Bench, in_node: InNode, command: str, words: str
) -> None:
    """What was done by hand is in the words of `status`, and `up` repairs it."""
    bench.up(LAB)
    in_node("gw", *command.split())
    drift = [describe_change(it) for it in verbs.status("bench", bench.root).drift]
    assert any(line.startswith(words) for line in drift), drift
    bench.up(LAB)
    assert verbs.status("bench", bench.root).drift == ()
    assert reaches(bench, "r", "s", "fd00:21::14")
