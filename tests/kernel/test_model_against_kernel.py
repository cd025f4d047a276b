"""The model of the datapath against the kernel: random labs, random faults, real probes."""

from __future__ import annotations

import random
from functools import partial
from itertools import permutations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.kernel.conftest import Bench
from tests.unit.lab_states import topologies
from vnetlab import lab as verbs
from vnetlab.errors import KernelRefusedError, UsageError
from vnetlab.faults.catalogue import CATALOGUE, named_places
from vnetlab.faults.fault import Fault, Place
from vnetlab.investigation import Investigation, investigate
from vnetlab.state.objects import Role, State
from vnetlab.topology.topology import Topology

pytestmark = pytest.mark.needs(
    *("bridge-vlan-filtering", "802.1q", "netem", "tbf", "bond", "vxlan", "vrf"),
    *("clsact", "flower", "police", "mirred", "act-vlan", "gact", "cgroup-cpu", "cgroup-memory"),
    *("nftables-inet", "nftables-bridge", "nftables-nat", "nftables-reject"),
    *("conntrack", "bridge-conntrack"),
)

FAULTS, PAIRS = 3, 3
CERTAIN = [fault for fault in CATALOGUE.values() if not fault.harms]


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # an example takes seconds: the failing one is told as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(topology=topologies(), seed=st.integers(0, 2**32))
def test_the_kernel_never_contradicts_the_model(
    bench: Bench, topology: Topology, seed: int
) -> None:
    """What the model says of a packet is what becomes of it, in labs that nobody thought of."""
    chance = random.Random(seed)
    named = replace(topology, name="bench", source="/bench.yaml")
    try:
        verbs.up(named, bench.root)
        state = verbs.snapshot("bench", bench.root).tables.state
        _compare(bench, chance, "healthy")
        for _ in range(FAULTS):
            fault = chance.choice(CERTAIN)
            places = list(named_places(fault, state).values())
            if places:
                place = chance.choice(places)
                try:
                    verbs.change("bench", bench.root, partial(_made, fault, place))
                except KernelRefusedError:
                    continue  # a kind that this lab's kernel objects cannot have
                verbs.forget("bench", bench.root)
                _compare(bench, chance, f"{fault.kind} at {place.object}")
    finally:
        if bench.lab().exists:
            bench.down()


def _made(fault: Fault, place: Place, state: State) -> State:
    return fault.change(state, place)


def _compare(bench: Bench, chance: random.Random, what: str) -> None:
    state = verbs.snapshot("bench", bench.root).tables.state
    ends = sorted(n.name for n in state.namespaces if n.role in (Role.VM, Role.HOST))
    pairs = list(permutations(ends, 2))
    for source, destination in chance.sample(pairs, min(PAIRS, len(pairs))):
        try:
            found = investigate(
                "bench", source, destination, bench.root, options=verbs.ProbeOptions(count=2)
            )
        except UsageError:  # no addresses of one family
            continue
        assert not found.verdict.contradiction, (what, source, destination, found.verdict)
        assert _is_explained(found), (what, source, destination, found.verdict)


def _is_explained(found: Investigation) -> bool:
    """A packet that got no answer is never a riddle, unless a cable may lose packets."""
    lost_all = found.trace.replied == 0
    return not lost_all or bool(found.verdict.causes)
