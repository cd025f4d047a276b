"""Which kernel features a state needs."""

from __future__ import annotations

from pathlib import Path

from vnetlab.state.compile import compile_topology
from vnetlab.state.features import Feature, required_features
from vnetlab.state.objects import State
from vnetlab.state.show import describe
from vnetlab.topology.load import load

DEMO = Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"
ALWAYS = {Feature.NETWORK_NAMESPACES, Feature.VETH, Feature.BRIDGE, Feature.IPV6}


def test_a_plain_lab_needs_what_every_lab_needs() -> None:
    """Without VLANs, rates and delays there is nothing that needs an example."""
    assert required_features(State()) == dict.fromkeys(ALWAYS)


def test_a_feature_comes_with_the_first_object_that_needs_it() -> None:
    """The demo needs VLANs, a sub-interface and shaping, each shown by the first by name."""
    required = required_features(compile_topology(load(DEMO)))
    examples = {feature: describe(item) for feature, item in required.items() if item}
    assert examples == {
        Feature.BRIDGE_VLAN_FILTERING: "vSwitch hv1.vs0",
        Feature.VLAN_8021Q: "router interface gw.eth0.10",
        Feature.TBF: "tbf on hv1.eno1",
        Feature.NETEM: "netem on hv1.eno1",
    }
    assert set(required) == ALWAYS | set(examples)


def test_every_feature_says_what_it_is_for() -> None:
    """Labels are unique: they are what tests and messages name a feature by."""
    assert len({feature.label for feature in Feature}) == len(Feature)
    assert all(feature.option.startswith("CONFIG_") and feature.needed_for for feature in Feature)
