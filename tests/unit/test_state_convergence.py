"""A plan turns whatever there is into what is desired: tried on a kernel in a dictionary."""

from __future__ import annotations

from hypothesis import given, note, settings
from msgspec.structs import replace

from tests.unit.lab_states import desired_states, drifted
from tests.unit.model_kernel import ModelKernel
from vnetlab.state.diff import diff_states
from vnetlab.state.losses import key_of
from vnetlab.state.objects import State, everything
from vnetlab.state.plan import order_changes
from vnetlab.views.plan import render_plan

STATES = desired_states()
some = settings(max_examples=200, deadline=None, derandomize=True)


def seen_from(desired: State, observed: State) -> State:
    """`observed` with those settings alone that are read: the desired ones."""
    read = {setting.id for setting in desired.sysctls}
    return replace(observed, sysctls=frozenset(s for s in observed.sysctls if s.id in read))


@some
@given(state=STATES)
def test_a_state_does_not_differ_from_itself(state: State) -> None:
    """Where all is as desired there is nothing to do."""
    assert diff_states(desired=state, observed=state) == ()


@some
@given(desired=STATES, observed=drifted(STATES))
def test_one_plan_turns_any_lab_into_any_other(desired: State, observed: State) -> None:
    """Whatever somebody did to whatever lab, one plan makes it the desired one."""
    kernel = ModelKernel(observed)
    seen = seen_from(desired, observed)
    plan = order_changes(diff_states(desired=desired, observed=seen))
    note(render_plan(plan))
    kernel.carry_out(plan)
    left = diff_states(desired=desired, observed=seen_from(desired, kernel.state))
    assert left == ()


@some
@given(desired=STATES)
def test_a_plan_builds_a_lab_from_nothing(desired: State) -> None:
    """In an empty kernel each desired object is made once, and nothing else."""
    changes = diff_states(desired=desired, observed=State())
    kernel = ModelKernel(State())
    kernel.carry_out(order_changes(changes))
    assert kernel.state == desired
    assert sorted(str(key_of(c.subject)) for c in changes) == sorted(
        str(key_of(item)) for item in everything(desired)
    )


@some
@given(observed=drifted(STATES))
def test_a_lab_that_is_not_desired_at_all_goes_by_its_namespaces(observed: State) -> None:
    """To take everything away takes one step per namespace."""
    changes = diff_states(desired=State(), observed=observed)
    assert {change.old for change in changes} == observed.namespaces
    assert all(change.new is None for change in changes)
