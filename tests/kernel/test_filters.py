"""Filters at the ports of a vSwitch, as the kernel has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT
from vnetlab.kernel.apply import apply
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change, diff_states
from vnetlab.state.filters import ETH_P_8021Q, Filter, action
from vnetlab.state.guards import with_given_rules
from vnetlab.state.hooks import clsact, mirror_to, on_ingress, storm_limits
from vnetlab.state.objects import LinkId, Object, Qdisc, State, collect, everything
from vnetlab.state.plan import order_changes
from vnetlab.state.show import describe_change

InNode = Callable[..., str]
PORT = LinkId(netns="hv1", name="a.eth0")
UPLINK = LinkId(netns="hv1", name="eno1")
pytestmark = pytest.mark.needs("clsact", "flower", "police", "mirred", "act-vlan", "gact")

MIRROR = on_ingress(
    UPLINK,
    10,
    action("vlan", mode="pop", then="pipe"),
    mirror_to("a.eth0", then="pipe"),
    action("vlan", mode="push", vid=10, then="pass"),
    protocol=ETH_P_8021Q,
    destination="00:00:00:00:00:00/01:00:00:00:00:00",
    vlan="10",
)
ALL: tuple[Qdisc | Filter, ...] = (
    clsact(PORT),
    *storm_limits(PORT, broadcast=1_000_000, multicast=100 * 10**9),
    clsact(UPLINK),
    *storm_limits(UPLINK, broadcast=None, multicast=8000),
    MIRROR,
)


def with_filters(bench: Bench, filters: Iterable[Object]) -> State:
    """What the lab is to be with these objects more."""
    state = compile_topology(bench.load(FLAT))
    return collect([*everything(state), *filters])


def converge(bench: Bench, desired: State) -> tuple[Change, ...]:
    """One round of changes; what it was for."""
    with Nodes(bench.lab()) as nodes:
        seen = observe(nodes, sysctl_keys=(item.id for item in desired.sysctls))
        plan = order_changes(diff_states(desired=with_given_rules(desired), observed=seen.state))
        apply(plan, nodes, seen)
        seen = observe(nodes, sysctl_keys=(item.id for item in desired.sysctls))
        left = diff_states(desired=with_given_rules(desired), observed=seen.state)
        assert [describe_change(change) for change in left] == []
    return plan.changes


def test_filters_are_read_as_they_were_made(bench: Bench) -> None:
    """Matches, actions, rates of any size and names of links."""
    bench.up(FLAT)
    assert len(converge(bench, with_filters(bench, ALL))) == len(ALL)
    assert converge(bench, with_filters(bench, ALL)) == ()
    assert len(converge(bench, with_filters(bench, ()))) == 2  # with their hooks


def test_another_limit_is_set_in_place(bench: Bench) -> None:
    """That filter changes, and no other is touched."""
    bench.up(FLAT)
    converge(bench, with_filters(bench, ALL))
    faster = tuple(storm_limits(PORT, broadcast=2_000_000, multicast=100 * 10**9))
    changes = converge(bench, with_filters(bench, (*ALL[:1], *faster, *ALL[3:])))
    assert [change.new for change in changes] == [faster[0]]
    assert [change.old for change in changes] == [ALL[1]]


DRIFT = {
    "a filter gone": "filter del dev a.eth0 ingress prio 1",
    "a filter more": "filter add dev a.eth0 ingress prio 7 protocol ip flower action drop",
    "one that matches more": "filter add dev eno1 ingress prio 3 protocol all handle 1 flower "
    "dst_mac ff:ff:ff:ff:ff:ff src_mac 02:00:00:00:00:01 action pass",
    "another action": "filter change dev a.eth0 ingress prio 1 protocol all handle 1 flower "
    "dst_mac ff:ff:ff:ff:ff:ff action drop",
    "two in one place": "filter add dev a.eth0 ingress prio 1 protocol all handle 9 flower "
    "dst_mac 02:00:00:00:00:01 action drop",
    "one for what goes out": "filter add dev a.eth0 egress matchall action drop",
    "another kind": "filter add dev a.eth0 ingress prio 9 u32 match u32 0 0 action drop",
    "one in a chain": "filter add dev a.eth0 ingress chain 5 prio 1 matchall action pass",
    "an action of another kind": "filter add dev a.eth0 ingress prio 8 matchall "
    "action skbedit priority 1",
    "the hooks gone": "qdisc del dev a.eth0 clsact",
    "other hooks": "qdisc add dev b2 ingress",
}


@pytest.mark.parametrize("drift", DRIFT)
def test_what_somebody_did_to_filters_is_seen_and_repaired(
    bench: Bench, in_node: InNode, drift: str
) -> None:
    """In one round, whatever stands in the place."""
    bench.up(FLAT)
    desired = with_filters(bench, ALL)
    converge(bench, desired)
    in_node("hv1", "tc", *DRIFT[drift].replace("b2", "vs0").split())
    changes = converge(bench, desired)
    assert changes
    assert all(describe_change(change) for change in changes)


def test_a_mirror_goes_on_when_its_link_comes_back(bench: Bench, in_node: InNode) -> None:
    """A link made anew has another index; the filter is set to that in the same round."""
    bench.up(FLAT)
    desired = with_filters(bench, ALL)
    converge(bench, desired)
    in_node("hv1", "ip", "link", "del", "a.eth0")
    changes = converge(bench, desired)
    assert MIRROR in [change.new for change in changes if isinstance(change.old, Filter)]


def test_a_mirror_whose_link_is_made_anew_follows_it(bench: Bench) -> None:
    """Where the plan itself takes the link away."""
    bench.up(FLAT)
    desired = with_filters(bench, ALL)
    converge(bench, desired)
    moved = FLAT.replace("a: {on: hv1}", "c: {on: hv1}\n  a: {on: hv1}")
    state = compile_topology(bench.load(moved))
    converge(bench, collect([*everything(state), *ALL]))
