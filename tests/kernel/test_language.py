"""Labs from several files, defaults and counts: what is said once is many objects in the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.state.objects import Qdisc
from vnetlab.state.plan import Plan
from vnetlab.topology.load import load

INCLUDES = Path(__file__).parents[2] / "topologies" / "includes.yaml"
NETWORKS = "networks: {web: {vlan: 10, ipv4: 10.10.0.0/24}, db: {vlan: 20, ipv4: 10.20.0.0/24}}\n"
LAB = """\
include: networks.yaml
defaults: {pnics: {delay: 1ms}}
hypervisors: {hv: {count: 2}, hw: {pnics: {eno1: {delay: 2ms}}}}
vms: {a: {count: 3, on: hv, nics: [web]}, b: {on: hw, nics: [db]}}
routers: {gw: }
"""
needs_vlans = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")


def nodes_of(plan: Plan) -> set[str]:
    """The namespaces in which something changes."""
    return {str(getattr(change.subject, "netns", "")) for change in plan.changes} - {""}


@needs_vlans
def test_a_lab_of_several_files_is_built_and_grows(bench: Bench) -> None:
    """`up` makes all of it and then nothing; a larger count makes the new ones and no other."""
    assert verbs.up(load(INCLUDES), bench.root).changes
    assert verbs.up(load(INCLUDES), bench.root).changes == ()
    more = verbs.up(load(INCLUDES, {"web": 5}), bench.root)
    assert nodes_of(more) == {"web5", "hv1"}
    assert all(change.old is None for change in more.changes)
    assert verbs.up(load(INCLUDES, {"web": 5}), bench.root).changes == ()
    less = verbs.up(load(INCLUDES), bench.root)
    assert all(change.new is None for change in less.changes)


@needs_vlans
def test_nodes_of_a_count_reach_each_other_across_files(bench: Bench) -> None:
    """Addresses, names and routes are those of any other node."""
    (bench.files / "networks.yaml").write_text(NETWORKS)
    bench.up(LAB)
    for name in ("a2", "a3", "b"):
        sent = verbs.probe("bench", "a1", name, bench.root, options=verbs.ProbeOptions())
        assert sent.replied == 1


@needs_vlans
def test_another_default_changes_what_has_it_and_nothing_else(bench: Bench) -> None:
    """The shaping of the two uplinks that do not say their own, at both ends."""
    (bench.files / "networks.yaml").write_text(NETWORKS)
    bench.up(LAB)
    changed = bench.up(LAB.replace("delay: 1ms", "delay: 3ms"))
    assert all(isinstance(change.subject, Qdisc) for change in changed.changes)
    assert len(changed.changes) == 4
    assert bench.plan(LAB.replace("delay: 1ms", "delay: 3ms")).changes == ()


@needs_vlans
def test_an_edit_of_an_included_file_is_an_edit(bench: Bench) -> None:
    """The network's MTU in the other file changes the links of that network."""
    (bench.files / "networks.yaml").write_text(NETWORKS)
    bench.up(LAB)
    (bench.files / "networks.yaml").write_text(
        NETWORKS.replace("vlan: 20,", "vlan: 20, mtu: 1400,")
    )
    changed = bench.up(LAB)
    assert changed.changes
    assert nodes_of(changed) <= {"b", "hw", "gw", "tor1"}
    assert bench.plan(LAB).changes == ()
