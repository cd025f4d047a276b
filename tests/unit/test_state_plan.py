"""The order of a plan's changes."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path

from hypothesis import given, settings

from tests.unit.lab_states import desired_states, drifted
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change, diff_states
from vnetlab.state.objects import Address, Kind, Link, Namespace, Object, State
from vnetlab.state.plan import CONFIGURING, Phase, Plan, order_changes
from vnetlab.topology.load import load

DEMO = Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"
STATES = desired_states()


def plan_of_demo() -> Plan:
    """What it takes to build the demo from nothing."""
    desired = compile_topology(load(DEMO))
    return order_changes(diff_states(desired=desired, observed=State()))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(desired=STATES, observed=drifted(STATES))
def test_a_plan_has_every_change_once_and_removals_first(desired: State, observed: State) -> None:
    """Nothing is forgotten, nothing is done twice, nothing is made before all is removed."""
    changes = diff_states(desired=desired, observed=observed)
    plan = order_changes(changes)
    assert len(plan.changes) == len(changes)
    assert set(plan.changes) == set(changes)
    for phase, some in plan.phases:
        removals = [change.new is None for change in some]
        if phase is Phase.NFTABLES:  # one transaction
            assert removals == sorted(removals, reverse=True)
        else:
            assert set(removals) == {phase < Phase.NAMESPACES}


def test_phases_are_in_their_order_and_none_is_empty() -> None:
    """A plan lists the phases that have work, from the first to the last."""
    phases = [phase for phase, _ in plan_of_demo().phases]
    assert phases == sorted(set(phases))
    assert all(changes for _, changes in plan_of_demo().phases)


def test_no_change_is_an_empty_plan() -> None:
    """Without changes there is no phase."""
    assert order_changes(()) == Plan(phases=())


def test_a_new_link_is_made_in_one_phase_and_set_in_a_later_one() -> None:
    """Each link of a new lab is in two phases, in this order."""
    where: dict[object, list[Phase]] = {}
    for phase, changes in plan_of_demo().phases:
        for change in changes:
            if isinstance(change.subject, Link):
                where.setdefault(change.subject.id, []).append(phase)
    assert where
    for making, configuring, *_ in where.values():
        assert making not in CONFIGURING
        assert configuring in CONFIGURING
        assert making < configuring


def test_new_bridges_come_up_when_all_addresses_are_there() -> None:
    """Else each guest's word of a group it joined goes to all others."""
    phases = dict(plan_of_demo().phases)
    made = {change.subject.id for change in phases[Phase.BRIDGES]}
    risen = {change.subject.id for change in phases[Phase.SWITCHES_UP]}
    assert made == risen
    assert Phase.ADDRESSES < Phase.SWITCHES_UP


def test_the_part_before_bridges_come_up_can_be_read_back_by_itself() -> None:
    """Both parts together are the plan; without a new bridge there is but one."""
    plan = plan_of_demo()
    before, after = plan.parts
    assert before.phases + after.phases == plan.phases
    assert after.phases[0][0] is Phase.SWITCHES_UP
    assert before.parts == (before,)


def test_a_new_bridge_that_routes_lead_out_of_is_up_before_they_are_made() -> None:
    """The kernel takes no route out of a link that is down."""
    bridge = next(it for it in plan_of_demo().changes if _is_bridge(it.new)).new
    assert isinstance(bridge, Link)
    address = Address(netns=bridge.netns, link=bridge.name, interface=ip_interface("10.9.0.1/24"))
    plan = order_changes([Change(old=None, new=bridge), Change(old=None, new=address)])
    assert Phase.BRIDGES_UP in dict(plan.phases)
    assert plan.parts == (plan,)
    assert Phase.ADDRESSES < Phase.BRIDGES_UP < Phase.ROUTES


def _is_bridge(item: Object | None) -> bool:
    return isinstance(item, Link) and item.kind is Kind.BRIDGE


def test_changes_of_one_namespace_stand_together() -> None:
    """Within a phase each namespace's changes can be sent in one go; bridges apart."""
    for phase, changes in plan_of_demo().phases:
        subjects = [change.subject for change in changes]
        nodes = [
            (isinstance(s, Link) and s.kind is Kind.BRIDGE, s.netns)
            for s in subjects
            if not isinstance(s, Namespace)
        ]
        assert nodes == sorted(nodes), phase
