from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.guards import KEYS_OF_NEW_NAMESPACE, given_rules, guard
from vnetlab.state.objects import (
    Address,
    Object,
    Route,
    RouteKind,
    State,
    Sysctl,
    collect,
    everything,
)
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.show import describe, describe_change
from vnetlab.topology.load import load

GIVEN = dict.fromkeys(KEYS_OF_NEW_NAMESPACE, "0")


@pytest.fixture
def state(tmp_path: Path) -> State:
    """Two VMs on one hypervisor, guarded."""
    file = tmp_path / "lab.yaml"
    file.write_text("networks: {lan: {mtu: 1000}}\nvms: {a: {}, b: {}}\n")
    return guard(compile_topology(load(file)), GIVEN)


def test_what_a_new_namespace_has_by_itself_needs_no_change(state: State) -> None:
    """No step of a new lab's plan is for a guarded setting or the kernel's own rules."""
    subjects = [change.subject for change in diff_states(desired=state, observed=State())]
    assert not [item for item in subjects if isinstance(item, PolicyRule)]
    assert not [item for item in subjects if isinstance(item, Sysctl) and item.given]


def test_a_guarded_setting_that_was_changed_is_set_back(state: State) -> None:
    """A value that no topology names is compared with a new namespace's."""
    setting = Sysctl(netns="a", key="net/ipv4/conf/eth0/rp_filter", value="1")
    others = [item for item in everything(state) if item.id != setting.id]
    (change,) = diff_states(desired=state, observed=collect([*others, setting]))
    assert describe_change(change) == "~ net.ipv4.conf.eth0.rp_filter in a: value 1 -> 0"


def test_a_rule_that_is_gone_comes_back(state: State) -> None:
    """Without its rule the main table is asked by nobody."""
    rule = next(rule for rule in given_rules("a") if rule.table == 254)
    observed = collect([item for item in everything(state) if item != rule])
    (change,) = diff_states(desired=state, observed=observed)
    assert change.new == rule


def test_a_link_too_small_for_ipv6_has_no_such_settings(state: State) -> None:
    """The kernel has no IPv6 settings for a link of less than 1280 bytes."""
    keys = {setting.key for setting in state.sysctls if setting.link == "eth0"}
    assert "net/ipv4/conf/eth0/rp_filter" in keys
    assert not [key for key in keys if "ipv6" in key]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            PolicyRule(
                netns="a", version=4, priority=9, table=7, source=ip_network("10.0.0.0/8"), mark=3
            ),
            "IPv4 rule 9: from 10.0.0.0/8 fwmark 3 lookup 7 in a",
        ),
        (
            PolicyRule(netns="a", version=6, priority=9, action="prohibit", iif="x", oif="y"),
            "IPv6 rule 9: from all iif x oif y prohibit in a",
        ),
        (
            Neighbour(
                netns="a", link="eth0", address=ip_address("10.0.0.9"), mac="02:00:00:00:00:09"
            ),
            "static neighbour 10.0.0.9 is 02:00:00:00:00:09 on a.eth0",
        ),
        (
            Route(
                netns="a",
                destination=ip_network("0.0.0.0/0"),
                via=None,
                link=None,
                kind=RouteKind.BLACKHOLE,
                table=9,
                metric=4,
            ),
            "blackhole route default metric 4 table 9 in a",
        ),
        (
            Address(netns="a", link="eth0", interface=ip_interface("10.0.0.1/24")),
            "address 10.0.0.1/24 on a.eth0",
        ),
    ],
)
def test_routing_in_words(item: Object, words: str) -> None:
    """Each object is named as ip(8) would, with its node."""
    assert describe(item) == words
