"""Plans as text (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vnetlab.state.objects import Namespace, Sysctl
from vnetlab.state.plan import Plan
from vnetlab.state.show import describe_change
from vnetlab.topology.topology import Topology

_SHOWN = 20
"""How many changes of a running lab `up` names one by one."""


def render_plan(plan: Plan) -> str:
    """A line per change, and their number."""
    if not plan.changes:
        return "nothing to change"
    return "\n".join([*_lines(plan), "", _count(plan)])


def _lines(plan: Plan) -> Iterator[str]:
    """A line per change; the many settings of a new node's kernel are one."""
    changes = plan.changes
    new = {c.new.name for c in changes if c.old is None and isinstance(c.new, Namespace)}
    settings = Counter(
        c.new.netns for c in changes if isinstance(c.new, Sysctl) and c.new.netns in new
    )
    for change in changes:
        subject = change.subject
        if change.new is not None and isinstance(subject, Namespace) and subject.name in settings:
            yield f"{describe_change(change)}, {settings[subject.name]} kernel settings"
        elif not (isinstance(subject, Sysctl) and subject.netns in new):
            yield describe_change(change)


def render_up(topology: Topology, done: Plan, *, seconds: float) -> str:
    """What `up` did: what a new lab consists of, or what changed in a running one."""
    if not done.changes:
        return f"{topology.name} is up already: nothing to change"
    if _is_new(topology, done):
        return f"{topology.name} is up: {count_nodes(topology)} in {seconds:.2f} s"
    lines = [f"{topology.name} is up, changed in {seconds:.2f} s:"]
    changes = list(_lines(done))
    lines += (f"  {change}" for change in changes[:_SHOWN])
    if len(changes) > _SHOWN:
        lines.append(f"  ... and {len(changes) - _SHOWN} more")
    return "\n".join(lines)


def count_nodes(topology: Topology) -> str:
    """How many nodes of each kind there are: `2 hypervisors, 4 VMs`."""
    counts = (
        ("physical switch", "physical switches", len(topology.physical_switches)),
        ("hypervisor", "hypervisors", len(topology.hypervisors)),
        ("VM", "VMs", len(topology.vms)),
        ("host", "hosts", len(topology.hosts)),
        ("router", "routers", len(topology.routers)),
    )
    return ", ".join(
        f"{count} {one if count == 1 else many}" for one, many, count in counts if count
    )


def _is_new(topology: Topology, done: Plan) -> bool:
    """Whether every node of the lab was made just now."""
    made = {c.new.name for c in done.changes if c.old is None and isinstance(c.new, Namespace)}
    return made.issuperset(
        (
            *(switch.name for switch in topology.physical_switches),
            *(hypervisor.name for hypervisor in topology.hypervisors),
            *(vm.name for vm in topology.vms),
            *(host.name for host in topology.hosts),
            *(router.name for router in topology.routers),
        )
    )


def _count(plan: Plan) -> str:
    added = sum(change.old is None for change in plan.changes)
    removed = sum(change.new is None for change in plan.changes)
    changed = len(plan.changes) - added - removed
    return f"{added} to add, {changed} to change, {removed} to remove"
