"""Verbs that make a lab what its topology says, or take it away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vnetlab.kernel import limits, processes
from vnetlab.kernel.apply import apply
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.nodes import Nodes
from vnetlab.lab.convergence import converge, desired_state, observe_for, plan_for
from vnetlab.lab.host import host_of, leave_host, seen_of_host
from vnetlab.lab.premises import (
    cached_topology,
    check_node,
    existing_lab,
    refuse_another_file,
    refuse_inside,
    require_features,
    require_settings,
)
from vnetlab.state.diff import remove_namespace
from vnetlab.state.plan import Plan, order_changes
from vnetlab.topology.hosts import hosts_text
from vnetlab.topology.store import dump
from vnetlab.topology.topology import Topology


def up(topology: Topology, root: Path, *, waiting: Callable[[], None] = lambda: None) -> Plan:
    """Build the lab of `topology`, or change the running one into it; return what was done.

    `waiting` is called where another command holds the lab's lock. What cannot be completed in
    a new lab is undone. Raises UsageError if the lab runs from another file or the calling process
    is inside it, MissingFeatureError before anything changes, KernelRefusedError with what the
    kernel would not do.
    """
    lab = LabDir(root, topology.name)
    refuse_inside(lab, lab.nodes())
    desired = desired_state(topology)
    with lab.locked(waiting=waiting):
        refuse_another_file(lab, topology)
        require_features(desired)
        require_settings(topology)
        was_there = lab.live.exists()
        try:
            lab.create()
            _write_atomically(lab.topology, dump(topology))
            _write_in_place(lab.hosts, hosts_text(topology))
            with Nodes(lab) as nodes, host_of(topology, nodes) as outside:
                return converge(desired_state(topology, outside) if outside else desired, nodes)
        except BaseException:
            if not was_there:
                remove_lab(lab)
            raise


def plan(topology: Topology, root: Path) -> Plan:
    """Return what `up` would do, and do nothing."""
    lab = LabDir(root, topology.name)
    with Nodes(lab) as nodes:
        if not lab.exists:
            desired = desired_state(topology, seen_of_host(topology, nodes))
            return plan_for(desired, observe_for(nodes, desired))
        with lab.locked(shared=True):
            refuse_another_file(lab, topology)
            desired = desired_state(topology, seen_of_host(topology, nodes))
            return plan_for(desired, observe_for(nodes, desired))


def down(name: str, root: Path, *, waiting: Callable[[], None] = lambda: None) -> None:
    """Take everything of the lab away, complete or not; end the processes that run in it.

    Raises UsageError if it is not there, or if the calling process is inside it.
    """
    lab = existing_lab(name, root)
    refuse_inside(lab, lab.nodes())
    with lab.locked(waiting=waiting):
        remove_lab(lab)


def restart(
    name: str, node: str, root: Path, *, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Make a node anew, and end the processes on it; return what was made.

    Raises UsageError if there is no such lab or node, or if the calling process is on it;
    KernelRefusedError with what the kernel would not do.
    """
    lab = existing_lab(name, root)
    refuse_inside(lab, (node,) if node in lab.nodes() else ())
    with (
        lab.locked(waiting=waiting),
        Nodes(lab) as present,
        host_of(topology := cached_topology(lab), present) as outside,
    ):
        desired = desired_state(topology, outside)
        if node not in lab.nodes():  # it may have been deleted by hand
            check_node(lab, node, sorted(item.name for item in desired.namespaces))
        else:
            processes.end(lab, (node,))
        observed = observe_for(present, desired)
        apply(order_changes(remove_namespace(node, observed.state)), present, observed)
        return converge(desired, present)


def repair(name: str, root: Path, *, waiting: Callable[[], None] = lambda: None) -> Plan:
    """Make a lab again what its topology says; return what was done. `waiting` as in `up`.

    Raises UsageError if there is no such lab, KernelRefusedError if it was never completed, or with
    what the kernel would not do.
    """
    lab = existing_lab(name, root)
    with (
        lab.locked(waiting=waiting),
        Nodes(lab) as present,
        host_of(topology := cached_topology(lab), present) as outside,
    ):
        return converge(desired_state(topology, outside), present)


def remove_lab(lab: LabDir) -> None:
    """End what runs in the lab, and take away all that it has in the kernel and on its host."""
    processes.end(lab, lab.nodes())
    limits.release_all(lab)
    leave_host(lab)
    lab.remove()


def _write_atomically(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _write_in_place(path: Path, text: str) -> None:
    """Change the file itself, not what its path leads to: what runs on a node has it mounted."""
    if not path.exists() or path.read_text() != text:
        path.touch()
        path.chmod(0o644)  # for every user, whatever the umask
        with path.open("r+") as file:
            file.write(text)
            file.truncate()
