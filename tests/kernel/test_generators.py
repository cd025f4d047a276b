"""What `vnetlab new` writes, built: switches with more ways than one between them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.topology.generators import fat_tree
from vnetlab.topology.load import load

LEAF_SPINE = Path(__file__).parents[2] / "topologies" / "leaf-spine.yaml"
needs_switches = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")


def arrives(bench: Bench, lab: str, source: str, destination: str) -> bool:
    """Whether packets get there and back, before long: STP takes seconds to find another way."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sent = verbs.probe(lab, source, destination, bench.root, options=verbs.ProbeOptions())
        if sent.replied:
            return True
    return False


@needs_switches
def test_a_leaf_spine_works_and_survives_the_loss_of_a_link(bench: Bench) -> None:
    """From leaf to leaf, through the router, and again when the link to the root is down."""
    topology = load(LEAF_SPINE)
    assert verbs.up(topology, bench.root).changes
    assert verbs.up(topology, bench.root).changes == ()
    assert arrives(bench, "leaf-spine", "vm1", "vm3")
    assert arrives(bench, "leaf-spine", "vm1", "vm4")
    verbs.set_link("leaf-spine", "leaf1.spine1.1", bench.root, up=False)
    assert arrives(bench, "leaf-spine", "vm1", "vm3")
    assert verbs.up(topology, bench.root).changes
    assert arrives(bench, "leaf-spine", "vm1", "vm3")


@needs_switches
def test_a_fat_tree_works_from_pod_to_pod(bench: Bench) -> None:
    """Of all the ways between two pods STP leaves one."""
    topology = bench.load(fat_tree("bench.yaml", k=4))
    assert verbs.up(topology, bench.root).changes
    assert verbs.up(topology, bench.root).changes == ()
    assert arrives(bench, "bench", "h1-1-1", "h4-2-2")
    assert arrives(bench, "bench", "h1-1-1", "h1-2-1")
