"""Verbs that say how labs are, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct, field

from vnetlab.kernel import services
from vnetlab.kernel.labdir import list_labs
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.lab.convergence import desired_state, observe_for, plan_for
from vnetlab.lab.host import seen_of_host
from vnetlab.lab.premises import cached_topology, existing_lab, require_node
from vnetlab.state.diff import Change
from vnetlab.state.links import named_links
from vnetlab.state.objects import Link, State, everything
from vnetlab.state.status import Status, node_statuses
from vnetlab.state.tables import Tables


class Snapshot(Struct, frozen=True, kw_only=True):
    """A lab at one moment: its tables, how it is meant to be, and where its objects are written.

    `changes` are what `up` would change. Of a lab that was never completed nothing is known but its
    tables.
    """

    tables: Tables
    meant: State = field(default_factory=State)
    changes: tuple[Change, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def labs(root: Path) -> tuple[str, ...]:
    """The names of the labs that are up, or partly so."""
    return list_labs(root)


def nodes(name: str, root: Path) -> tuple[str, ...]:
    """The names of the lab's nodes. Raises UsageError if there is no such lab."""
    return existing_lab(name, root).nodes()


def status(name: str, root: Path) -> Status:
    """Return how the lab is, and how it differs from its topology.

    Raises UsageError if there is no such lab, KernelRefusedError if it was never completed.
    """
    lab = existing_lab(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        topology = cached_topology(lab)
        desired = desired_state(topology, seen_of_host(topology, present))
        observed = observe_for(present, desired)
        return Status(
            name=name,
            source=topology.source,
            nodes=node_statuses(observed.state),
            drift=plan_for(desired, observed).changes,
        )


def links(name: str, root: Path) -> dict[str, Link]:
    """The lab's links by name. Raises UsageError if there is no such lab."""
    lab = existing_lab(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        return named_links(observe(present).state)


def logs(name: str, node: str, root: Path) -> dict[str, bytes]:
    """What each service of a node has written, by the service's name.

    Raises UsageError if there is no such lab or node.
    """
    lab = existing_lab(name, root)
    require_node(lab, node)
    return services.read_logs(lab, node)


def snapshot(name: str, root: Path, *, waiting: Callable[[], None] = lambda: None) -> Snapshot:
    """Read everything that decides where a lab's packets go; `waiting` as in `up`.

    Raises UsageError if there is no such lab.
    """
    from vnetlab.kernel.tables import read_tables

    lab = existing_lab(name, root)
    with lab.locked(shared=True, waiting=waiting), Nodes(lab) as present:
        if not lab.topology.exists():
            tables = read_tables(present, observe(present))
            return Snapshot(tables=tables)
        topology = cached_topology(lab)
        desired = desired_state(topology, seen_of_host(topology, present))
        observed = observe_for(present, desired)
        changes = plan_for(desired, observed).changes
        tables = read_tables(
            present, observed, suspects=frozenset(_suspects(changes, desired, observed.state))
        )
        return Snapshot(tables=tables, meant=desired, changes=changes, lines=topology.lines)


def _suspects(
    changes: Iterable[Change], desired: State, observed: State
) -> Iterator[tuple[type, Hashable]]:
    """Type and id of each object that is not as it is meant to be, not there, or too much."""
    touched = (item for change in changes for item in (change.old, change.new) if item)
    yield from ((type(item), item.id) for item in touched)
    wanted = {(type(item), item.id) for item in everything(desired)}
    yield from wanted.symmetric_difference((type(it), it.id) for it in everything(observed))
