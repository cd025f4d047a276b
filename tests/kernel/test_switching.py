"""Teams, LAGs and spanning trees: built, used, and used when a cable fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.objects import State
from vnetlab.state.show import describe, describe_change
from vnetlab.state.switching import Activity

InNode = Callable[..., str]

pytestmark = pytest.mark.needs("bond", "bridge-vlan-filtering")

_SHIPPED = Path(__file__).parents[2] / "topologies"
TEAMING = (_SHIPPED / "teaming.yaml").read_text()
TREE = (_SHIPPED / "spanning-tree.yaml").read_text()
RING_CUT = ({"tor1.tor2.1"}, {"tor2.tor1.1"})
"""One end of the costly cable: whose switch has the higher MAC."""

_DEADLINE_S = 30


def observed(bench: Bench) -> State:
    """All that there is."""
    with Nodes(bench.lab()) as nodes:
        return observe(nodes).state


def reaches(bench: Bench) -> None:
    """Fail unless web1 and web2 reach each other before long.

    Both send: switches learn the new place of a VM from what it sends.
    """
    deadline = time.monotonic() + _DEADLINE_S
    while True:
        ends = (("web2", "web1"), ("web1", "web2"))
        for source, destination in ends:
            trace = verbs.probe(
                "bench", source, destination, bench.root, options=verbs.ProbeOptions()
            )
        if trace.replied:
            break
        assert time.monotonic() < deadline, trace.packets


def blocked(bench: Bench) -> set[str]:
    """The links that are backups, or cut off by a spanning tree."""
    links = observed(bench).links
    assert not [link.label for link in links if link.activity is Activity.SETTLING]
    return {link.label for link in links if link.activity is Activity.BLOCKED}


@pytest.mark.parametrize("mode", ["active-backup", "802.3ad", "balance-xor"])
def test_a_team_goes_on_when_a_pnic_fails(bench: Bench, mode: str) -> None:
    """Whichever of its pNICs it is, and whichever end of the cable."""
    bench.up(TEAMING.replace("teaming: 802.3ad", f"teaming: {mode}"))
    assert bench.up(TEAMING.replace("teaming: 802.3ad", f"teaming: {mode}")).changes == ()
    reaches(bench)
    for link in ("hv1.eno1", "tor1.hv1.eno2", "hv2.eno1", "tor2.hv2.eno2"):
        verbs.set_link("bench", link, bench.root, up=False)
        reaches(bench)
        verbs.set_link("bench", link, bench.root, up=True)
        reaches(bench)
    assert verbs.status("bench", bench.root).drift == ()


def test_a_lag_goes_on_when_a_member_fails(bench: Bench) -> None:
    """hv2's traffic comes over both switches."""
    bench.up(TEAMING)
    verbs.set_link("bench", "hv2.eno1", bench.root, up=False)
    for member in ("tor1.tor2.1.1", "tor2.tor1.1.2"):
        verbs.set_link("bench", member, bench.root, up=False)
        reaches(bench)
        verbs.set_link("bench", member, bench.root, up=True)


def test_up_waits_until_lacp_has_agreed(bench: Bench, in_node: InNode) -> None:
    """Each slave sends frames and is to go on doing so (IEEE 802.1AX-2020, 6.4.2.3)."""
    bench.up(TEAMING)
    slaves = [
        (node, link["ifname"], link["linkinfo"]["info_slave_data"])
        for node in ("hv1", "tor1", "tor2")
        for link in json.loads(in_node(node, "ip", "-d", "-j", "link", "show"))
        if link.get("linkinfo", {}).get("info_slave_kind") == "bond"
    ]
    of_lacp = [it for it in slaves if "ad_actor_oper_port_state" in it[2]]
    assert of_lacp
    for node, name, data in of_lacp:
        assert data["state"] == "ACTIVE", (node, name)
        assert data["ad_actor_oper_port_state"] & 0x30 == 0x30, (node, name)


def test_the_reserve_of_a_team_is_not_used(bench: Bench) -> None:
    """It is told, and the team takes it when it has to."""
    bench.up(TEAMING)
    assert blocked(bench) >= {"hv2.eno2"}
    verbs.set_link("bench", "hv2.eno1", bench.root, up=False)
    assert "hv2.eno2" not in blocked(bench)


TEAM_EDITS = {
    "mode": ("teaming: active-backup", "teaming: 802.3ad", None),
    "no team": ("pnics: {eno1: tor1, eno2: tor2}", "pnics: {eno1: tor1}", None),
    "members": ("members: 2", "members: 3", None),
    "lag": ("lag: balance-xor", "lag: 802.3ad", None),
    "rate": ("eno2: tor2", "eno2: {to: tor2, rate: 1gbit}", 2),
}


@pytest.mark.parametrize("edit", sorted(TEAM_EDITS))
def test_an_edit_of_a_team_converges_in_one_round(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    """There and back."""
    old, new, count = TEAM_EDITS[edit]
    text = TEAMING.replace(old, new)
    if edit == "mode":
        text = text.replace("eno2: tor2", "eno2: tor1")
    if edit == "no team":
        text = text.replace("{vs0: {teaming: active-backup}}", "{vs0: }")
    assert text != TEAMING
    bench.up(TEAMING)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 1)
    changes = bench.up(text).changes
    assert count in (None, len(changes))
    reaches(bench)
    bench.up(TEAMING)
    reaches(bench)
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.parametrize(
    ("node", "command", "words"),
    [
        ("hv2", "ip link set eno1 nomaster", "~ pNIC hv2.eno1: state down -> up"),
        ("hv2", "ip link del vs0.team", "+ team hv2.vs0.team"),
        ("hv2", "ip link set vs0.team down", "~ team hv2.vs0.team: state down -> up"),
        ("hv2", "bridge vlan del dev vs0.team vid 10", "+ VLAN 10 on hv2.vs0.team"),
        ("tor1", "bridge link set dev tor2.1 isolated on", "~ LAG tor1.tor2.1: port isolated"),
        ("tor1", "bridge link set dev hv1.vs0 cost 99", "~ LAG tor1.hv1.vs0: port cost 99 -> 2"),
    ],
)
def test_drift_of_a_team_is_told_and_repaired(
    bench: Bench, in_node: InNode, node: str, command: str, words: str
) -> None:
    """In words of the topology."""
    bench.up(TEAMING)
    in_node(node, *command.split())
    drift = [describe_change(change) for change in verbs.status("bench", bench.root).drift]
    assert any(line.startswith(words) for line in drift), drift
    bench.up(TEAMING)
    assert verbs.status("bench", bench.root).drift == ()
    reaches(bench)


def test_a_spanning_tree_cuts_the_ring_and_grows_anew(bench: Bench) -> None:
    """`up` and `link` end when it has grown."""
    bench.up(TREE)
    assert [describe_change(c) for c in bench.up(TREE).changes] == []
    assert blocked(bench) in RING_CUT
    reaches(bench)
    verbs.set_link("bench", "tor1.core.1", bench.root, up=False)
    reaches(bench)
    assert blocked(bench) == set()
    verbs.set_link("bench", "tor1.core.1", bench.root, up=True)
    reaches(bench)
    assert blocked(bench) in RING_CUT
    verbs.restart("bench", "core", bench.root)
    assert blocked(bench) in RING_CUT


_TREE_OF_ONE = "tor1: {stp: {hello_time: 1s, max_age: 6s, forward_delay: 2s}}"
LOOPS = {
    "without VLANs": f"""
physical_switches: {{{_TREE_OF_ONE}, tor2: {{links: [tor1, tor1]}}}}
hypervisors: {{hv1: {{pnics: {{eno1: tor1}}}}, hv2: {{pnics: {{eno1: tor2}}}}}}
vms: {{web1: {{on: hv1}}, web2: {{on: hv2}}}}
""",
    "in a native VLAN": f"""
networks: {{web: {{vlan: 10}}}}
defaults: {{links: {{native: 10}}}}
physical_switches: {{{_TREE_OF_ONE}, tor2: {{links: [tor1]}}, tor3: {{links: [tor1, tor2]}}}}
hypervisors: {{hv1: {{pnics: {{eno1: tor1}}}}, hv2: {{pnics: {{eno1: tor2}}}}}}
vms: {{web1: {{on: hv1}}, web2: {{on: hv2}}}}
""",
    "by a vSwitch": f"""
networks: {{web: {{vlan: 10}}, lan: {{vlan: 1}}}}
physical_switches: {{{_TREE_OF_ONE}}}
hypervisors:
  hv1: {{pnics: {{eno1: {{to: tor1, vlans: [10]}}}}}}
  hv2: {{pnics: {{eno1: {{to: tor1, vlans: [10]}}, eno2: {{to: tor1, vlans: [10]}}}}}}
vms: {{web1: {{on: hv1, nics: [web]}}, web2: {{on: hv2, nics: [web]}}}}
""",
}
"""Loops that only one switch is to break: its BPDUs come back to it."""


@pytest.mark.parametrize("loop", sorted(LOOPS))
def test_one_switch_breaks_a_loop_of_others_that_pass_its_bpdus_on(bench: Bench, loop: str) -> None:
    """It blocks one port, and everybody is reached."""
    bench.up(LOOPS[loop])
    assert len(blocked(bench)) == 1
    reaches(bench)


TREE_EDITS = {
    "priority": ("priority: 4096", "priority: 8192", ["physical switch core.br0"]),
    "no priority": ("priority: 4096, ", "", ["physical switch core.br0"]),
    "hello time": (
        "priority: 4096, forward_delay: 2s, max_age: 6s, hello_time: 1s",
        "priority: 4096, forward_delay: 2s, max_age: 6s, hello_time: 2s",
        ["physical switch core.br0"],
    ),
    "forward delay": (
        "priority: 4096, forward_delay: 2s",
        "priority: 4096, forward_delay: 3s",
        ["physical switch core.br0"],
    ),
    "hello time of another switch": (
        "tor1: {links: [core]}",
        "tor1: {links: [core], stp: {hello_time: 3s}}",
        ["physical switch tor1.br0"],
    ),
    "off": (
        "stp: {enabled: true, priority: 4096, forward_delay: 2s, max_age: 6s, hello_time: 1s}",
        "stp: false",
        ["physical switch core.br0"],
    ),
    "cost": ("cost: 100", "cost: 99", ["physical port tor1.tor2.1", "physical port tor2.tor1.1"]),
    "port priority": (
        "cost: 100",
        "cost: 100, priority: 1",
        ["physical port tor1.tor2.1", "physical port tor2.tor1.1"],
    ),
}


@pytest.mark.parametrize("edit", sorted(TREE_EDITS))
def test_an_edit_of_a_spanning_tree_changes_that_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    """In one round."""
    old, new, subjects = TREE_EDITS[edit]
    assert old in TREE
    bench.up(TREE)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 1)
    changes = bench.up(TREE.replace(old, new)).changes
    assert sorted(describe(change.subject) for change in changes) == subjects


def test_a_probe_goes_through_teams_and_around_what_is_blocked(bench: Bench) -> None:
    """It is replied, and expected on the ways in use."""
    bench.up(TREE)
    trace = verbs.probe("bench", "web1", "web2", bench.root, options=verbs.ProbeOptions())
    assert trace.replied == 1
    assert {"tor1.core.1", "core.tor2.1"} <= {hop.label for hop in trace.forward.hops}
    bench.up(TEAMING.replace("802.3ad", "active-backup"))
    reaches(bench)
    trace = verbs.probe("bench", "web1", "web2", bench.root, options=verbs.ProbeOptions())
    assert trace.replied == 1
    labels = [hop.label for hop in trace.forward.hops]
    assert labels.index("tor1.hv2.eno1") + 2 == labels.index("hv2.vs0.team")
