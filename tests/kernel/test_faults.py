"""Every kind of fault, made in real labs and taken away again."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.faults.catalogue import CATALOGUE, named_places
from vnetlab.faults.fault import Fault, Place
from vnetlab.kernel import namespaces
from vnetlab.kernel.features import missing_features
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.commands import commands
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change
from vnetlab.state.features import required_features
from vnetlab.state.objects import State
from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))
MENDED_BY_COMMANDS = 50
"""How many kinds of faults ip, bridge, tc and sysctl mend in that lab, at least."""


def _share_out() -> dict[Path, list[Fault]]:
    """Each kind for the first of the shipped labs where it has a place."""
    shares: dict[Path, list[Fault]] = {}
    states = {path: compile_topology(load(path)) for path in SHIPPED}
    for fault in CATALOGUE.values():
        first = next(path for path, state in states.items() if named_places(fault, state))
        shares.setdefault(first, []).append(fault)
    return shares


SHARES = _share_out()


@pytest.fixture(params=SHARES, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest, bench: Bench) -> Topology:
    """A shipped topology that this kernel can hold, up."""
    topology = load(request.param)
    lacking = missing_features(required_features(compile_topology(topology)))
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(feature.label for feature in lacking)}")
    verbs.up(topology, bench.root)
    return topology


def test_each_kind_can_be_made_and_cleared(shipped: Topology, bench: Bench) -> None:
    """Once each, in one of the labs; `up` would repair it, and clearing leaves nothing of it."""
    name = shipped.name
    with Nodes(bench.lab(name)) as nodes:
        state = observe(nodes).state
    for fault in SHARES[Path(shipped.source)]:
        place = next(iter(named_places(fault, state).values()))
        done = verbs.change(name, bench.root, partial(_made, fault, place))
        assert done.changes, fault.kind
        assert verbs.plan(shipped, bench.root).changes, fault.kind
        verbs.repair(name, bench.root)
        assert verbs.plan(shipped, bench.root).changes == (), fault.kind


@pytest.mark.needs(
    *("bridge-vlan-filtering", "802.1q", "netem", "tbf", "clsact", "flower", "gact"),
    *("nftables-inet", "nftables-bridge", "nftables-reject"),
)
def test_the_commands_of_a_repair_repair(bench: Bench) -> None:
    """What is printed as the fix of a fault mends it when it is typed on the node."""
    topology = load(next(path for path in SHIPPED if path.stem == "two-hypervisors"))
    verbs.up(topology, bench.root)
    with Nodes(bench.lab(topology.name)) as nodes:
        state = observe(nodes).state
    tried = set()
    for fault in CATALOGUE.values():
        for place in list(named_places(fault, state).values())[:1]:
            verbs.change(topology.name, bench.root, partial(_made, fault, place))
            todo = verbs.plan(topology, bench.root).changes
            lines = [(_node(change), line) for change in todo for line in commands(change)]
            if all(commands(it) for it in todo) and not any("nft" in line for _, line in lines):
                for node, line in lines:
                    with namespaces.entered(bench.lab(topology.name).namespace(node)):
                        subprocess.run(line, shell=True, check=True)
                left = verbs.plan(topology, bench.root).changes
                assert left == (), (fault.kind, lines)
                tried.add(fault.kind)
            verbs.repair(topology.name, bench.root)
    assert len(tried) >= MENDED_BY_COMMANDS


def _made(fault: Fault, place: Place, state: State) -> State:
    return fault.change(state, place)


def _node(change: Change) -> str:
    subject = change.subject
    return subject.netns
