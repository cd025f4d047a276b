"""A lab's State as it should be, as it is, and how the one is made the other."""

from __future__ import annotations

import time
from collections.abc import Collection

from msgspec.structs import replace

from vnetlab.kernel import sysctls
from vnetlab.kernel.apply import apply
from vnetlab.kernel.carriers import tell_of_carriers
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states, namespaces_of
from vnetlab.state.guards import KEYS_OF_NEW_NAMESPACE, guard
from vnetlab.state.objects import State
from vnetlab.state.outside import HOST, NOWHERE, Outside
from vnetlab.state.plan import Plan, order_changes
from vnetlab.state.refusals import untaken
from vnetlab.state.running import Service
from vnetlab.state.settling import CARRIER_S, settling_time_s, unsettled_links
from vnetlab.topology.topology import Topology

_FIRST_PAUSE_S, _POLL_S = 0.005, 0.2
_ROUNDS = 3
"""How often `up` observes and applies: a second time only where a change undid another object."""


def desired_state(topology: Topology, outside: Outside | None = None) -> State:
    """What the kernel should have, as far as it knows the settings: some depend on modules."""
    given = sysctls.read_in_new_namespace(KEYS_OF_NEW_NAMESPACE)
    state = guard(compile_topology(topology, outside or NOWHERE), given)
    return replace(
        state,
        sysctls=frozenset(item for item in state.sysctls if item.given or sysctls.known(item.key)),
    )


def observe_for(
    nodes: Nodes,
    desired: State,
    *,
    namespaces: Collection[str] | None = None,
    before: Observed | None = None,
) -> Observed:
    """Observe the lab with what `desired` speaks of: its sysctls, and the host if it has a part.

    `namespaces` and `before` as in `observe`.
    """
    on_host = any(table.netns == HOST for table in desired.nft_tables)
    return observe(
        nodes,
        sysctl_keys=(item.id for item in desired.sysctls),
        outside=on_host or nodes.lab.knows_host,
        namespaces=namespaces,
        before=before,
    )


def plan_for(desired: State, observed: Observed) -> Plan:
    """Return the plan that makes `desired` of what was observed."""
    return order_changes(diff_states(desired=desired, observed=observed.state))


def converge(desired: State, nodes: Nodes) -> Plan:
    """Apply until nothing differs; return the first plan, which is all there was to do."""
    observed = observe_for(nodes, desired)
    first = todo = plan_for(desired, observed)
    for _ in range(_ROUNDS):
        if not todo.changes:
            break
        for part in todo.parts:  # read back while the network is still quiet
            apply(part, nodes, observed)
            touched = namespaces_of(part.changes, observed.state)
            observed = observe_for(nodes, desired, namespaces=touched, before=observed)
        todo = _without_failures(plan_for(desired, observed))
    if not todo.changes:
        if first.changes:
            settle(desired, nodes, observed)
        return first
    raise untaken(todo.changes)


def _without_failures(plan: Plan) -> Plan:
    """Leave out services that have failed just after their start: that is for their user to see."""
    return order_changes(
        change
        for change in plan.changes
        if not (isinstance(change.old, Service) and replace(change.old, failure=None) == change.new)
    )


def settle(desired: State, nodes: Nodes, observed: Observed | None = None) -> None:
    """Wait until carriers, spanning trees and LACP are settled, but no longer than needed.

    `observed` is what was observed last.
    """
    switches = {link.netns for link in desired.links if link.bridge.stp or link.bond}
    if _wait(nodes, observed or observe(nodes), switches, settling_time_s(desired)) and switches:
        from vnetlab.kernel.forget import forget_old_ways

        forget_old_ways(nodes)


def await_carriers(nodes: Nodes, namespaces: Collection[str]) -> None:
    """Wait until what the links of some namespaces have got, a carrier, is known to all of them."""
    _wait(nodes, observe(nodes, namespaces=namespaces), (), CARRIER_S)


def _wait(nodes: Nodes, observed: Observed, switches: Collection[str], limit_s: float) -> bool:
    """Wait until all is settled that was not, and `switches` are; say whether it was waited."""
    deadline = time.monotonic() + limit_s
    pause_s = 0.0
    waited = False
    while unsettled := unsettled_links(observed.state):
        if time.monotonic() > deadline:
            break
        time.sleep(pause_s)
        pause_s = min(2 * pause_s or _FIRST_PAUSE_S, _POLL_S)
        waited = True
        tell_of_carriers(nodes, unsettled, observed.indexes)
        observed = observe(nodes, namespaces={link.netns for link in unsettled}.union(switches))
    return waited
