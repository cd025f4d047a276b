"""Verbs that make a running lab, or a copy of it, something else than its topology says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from vnetlab.kernel.apply import apply
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.lab.building import remove_lab
from vnetlab.lab.convergence import await_carriers, desired_state, observe_for, settle
from vnetlab.lab.host import host_of, seen_of_host
from vnetlab.lab.premises import cached_topology, existing_lab
from vnetlab.state.diff import Change, diff_states, namespaces_of
from vnetlab.state.links import find_link, lost_when_down
from vnetlab.state.objects import Route, State
from vnetlab.state.outside import without_host
from vnetlab.state.plan import Plan, order_changes


def set_link(
    name: str, link: str, root: Path, *, up: bool, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Set a link up or down, and return what was done: nothing where it was so.

    One that comes up gets back what it lost when it went down. Raises UsageError if there is no
    such lab or link, KernelRefusedError with what the kernel would not do.
    """
    lab = existing_lab(name, root)
    with lab.locked(waiting=waiting), Nodes(lab) as present:
        topology = cached_topology(lab)
        desired = desired_state(topology, seen_of_host(topology, present))
        observed = observe(present)
        found = find_link(observed.state, link)
        if found.up == up:
            return order_changes(())
        done = order_changes([Change(old=found, new=replace(found, up=up))])
        apply(done, present, observed)
        if up:
            observed = observe_for(present, desired)
            lacking = diff_states(desired=desired, observed=observed.state)
            back = lost_when_down(found, observed.state, lacking)
            apply(order_changes(back), present, observed)
        settle(desired, present)
        return done


def change(
    name: str,
    root: Path,
    edit: Callable[[State], State],
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Plan:
    """Make the kernel's State of a lab what `edit` makes of it; return what was done.

    `waiting` as in `up`.

    Raises UsageError if there is no such lab, KernelRefusedError with what the kernel refused.
    """
    lab = existing_lab(name, root)
    with (
        lab.locked(waiting=waiting),
        Nodes(lab) as present,
        _while_changed(lab, present) as meant,
    ):
        observed = observe_for(present, meant)
        todo = diff_states(desired=edit(observed.state), observed=observed.state)
        plan = order_changes(item for item in todo if not _makes_up_for(item, observed.state))
        apply(plan, present, observed)
        await_carriers(present, namespaces_of(plan.changes, observed.state))
        return plan


@contextmanager
def copied(name: str, root: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Hold a copy of a running lab as it is now, and yield its name; it is gone afterwards.

    The same State under another name: nothing that runs in the lab is copied. `waiting` as in
    `up`. Raises what `up` raises.
    """
    lab = existing_lab(name, root)
    with lab.locked(shared=True, waiting=waiting), Nodes(lab) as present:
        topology = cached_topology(lab)
        desired = desired_state(topology, seen_of_host(topology, present))
        observed = observe_for(present, desired).state
    copy = LabDir(root, f"{name}-copy-{os.getpid()}")
    state = without_host(replace(observed, services=frozenset(), limits=frozenset()))
    try:
        with copy.locked(), Nodes(copy) as present:
            copy.create()
            empty = observe(present)
            apply(order_changes(diff_states(desired=state, observed=empty.state)), present, empty)
            settle(state, present)
        yield copy.name
    finally:
        with copy.locked():
            remove_lab(copy)


def forget(name: str, root: Path) -> None:
    """Empty the neighbour caches of all nodes, and what bridges have learned."""
    from vnetlab.kernel.forget import forget_learned

    lab = existing_lab(name, root)
    with lab.locked(), Nodes(lab) as present:
        forget_learned(present)


@contextmanager
def _while_changed(lab: LabDir, nodes: Nodes) -> Iterator[State]:
    """What a lab should be, while it is changed; nothing is known of a copy's intent."""
    if not lab.topology.exists():
        yield State()
        return
    topology = cached_topology(lab)
    with host_of(topology, nodes) as outside:
        yield desired_state(topology, outside)


def _makes_up_for(change: Change, observed: State) -> bool:
    """Whether it only makes a route again that the kernel takes away with an address."""
    return change.old is None and isinstance(change.new, Route) and change.new in observed.routes
