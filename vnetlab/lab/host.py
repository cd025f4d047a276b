"""What a lab has, and has to know, of the host that it runs on: only labs that reach out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vnetlab.kernel.apply import apply
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe_host
from vnetlab.kernel.outside import survey
from vnetlab.state.diff import diff_states
from vnetlab.state.objects import State
from vnetlab.state.outside import Outside, restored_settings
from vnetlab.state.plan import order_changes
from vnetlab.topology.topology import Topology


def seen_of_host(topology: Topology, nodes: Nodes) -> Outside | None:
    """What the lab has to know of its host; None where it is not connected to it."""
    return survey(nodes) if nodes.lab.knows_host or _reaches_out(topology) else None


@contextmanager
def host_of(topology: Topology, nodes: Nodes) -> Iterator[Outside | None]:
    """The same, for a change of the lab: meanwhile no other lab changes anything on the host."""
    lab = nodes.lab
    if _reaches_out(topology):
        lab.keep_host()
    if not lab.knows_host:
        yield None
        return
    with lab.host_locked():
        yield survey(nodes)
    if not _reaches_out(topology):
        lab.forget_host()


def leave_host(lab: LabDir) -> None:
    """Take away what the lab has on its host, and restore what it changed there."""
    if lab.knows_host:
        with lab.host_locked(), Nodes(lab) as nodes:
            settings = frozenset(restored_settings(survey(nodes), ()))
            keys = [item.id for item in settings]
            observed = observe_host(nodes, sysctl_keys=keys)
            todo = diff_states(desired=State(sysctls=settings), observed=observed.state)
            apply(order_changes(todo), nodes, observed)


def _reaches_out(topology: Topology) -> bool:
    return any(router.external for router in topology.routers)
