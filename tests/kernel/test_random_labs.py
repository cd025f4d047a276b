"""Any topology can be built, turned into any other, and taken away: tried in the real kernel."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace

from tests.kernel.conftest import Bench
from tests.unit.lab_states import topologies
from vnetlab import lab as verbs
from vnetlab.topology.topology import Topology

pytestmark = pytest.mark.needs(
    *("bridge-vlan-filtering", "802.1q", "netem", "tbf", "bond", "vxlan", "vrf"),
    *("clsact", "flower", "police", "mirred", "act-vlan", "gact", "cgroup-cpu", "cgroup-memory"),
    *("nftables-inet", "nftables-bridge", "nftables-nat", "nftables-reject"),
    *("conntrack", "bridge-conntrack"),
)


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # an example takes seconds: the failing one is told as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=topologies(), after=topologies())
def test_any_lab_becomes_any_other_and_goes(
    bench: Bench, before: Topology, after: Topology
) -> None:
    """Built, nothing differs; edited, nothing differs; taken down, nothing is left."""
    try:
        for topology in (before, after):
            named = replace(topology, name="bench", source="/bench.yaml")
            verbs.up(named, bench.root)
            assert verbs.plan(named, bench.root).changes == ()
    finally:
        if bench.lab().exists:
            bench.down()
    assert bench.leftovers() == []
