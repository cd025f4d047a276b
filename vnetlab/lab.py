"""The verbs: what can be done with a lab. The command line calls these, and so may you.

Everything here happens in the kernel that the calling process runs on; how a command gets into
another one is the business of `vnetlab.realm`. `root` is the directory that holds this kernel's
labs (`vnetlab.realm.rundir`). Heavy libraries are imported by the verbs that use them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from vnetlab.errors import KernelRefusedError, MissingFeatureError, UsageError
from vnetlab.kernel import limits, processes, services, sysctls
from vnetlab.kernel.apply import apply
from vnetlab.kernel.features import missing_features
from vnetlab.kernel.labdir import LabDir, list_labs
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe, observe_host
from vnetlab.kernel.outside import survey
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change, diff_states, remove_namespace
from vnetlab.state.features import Feature, required_features
from vnetlab.state.guards import KEYS_OF_NEW_NAMESPACE, guard
from vnetlab.state.links import find_link, lost_when_down, named_links
from vnetlab.state.objects import Link, Object, Route, State, everything
from vnetlab.state.outside import HOST, NOWHERE, Outside, restored_settings, without_host
from vnetlab.state.plan import Plan, order_changes
from vnetlab.state.refusals import untaken
from vnetlab.state.running import Service
from vnetlab.state.settling import is_settled, settling_time_s
from vnetlab.state.show import describe
from vnetlab.state.status import Status, node_statuses
from vnetlab.state.tables import Tables
from vnetlab.topology.hosts import hosts_text
from vnetlab.topology.store import dump, parse
from vnetlab.topology.topology import Topology
from vnetlab.topology.wording import did_you_mean
from vnetlab.trace.request import ECHO_PORT, Protocol

if TYPE_CHECKING:
    from vnetlab.trace.matrix import MatrixObservation
    from vnetlab.trace.request import Endpoints, ProbeRequest
    from vnetlab.trace.trace import Trace

_POLL_S = 0.2
_ROUNDS = 3
"""How often `up` observes and applies: a second time only where a change undid another object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What a probe is made of; see `vnetlab.trace.request.ProbeRequest`.

    `version` is the IP version, 4 or 6; None takes what both ends have, 4 first. `raw` sends a
    frame out of the source's vNIC past its stack, with the 802.1Q tag `vlan` if that is given.
    """

    protocol: Protocol = Protocol.ICMP
    port: int = ECHO_PORT
    count: int = 1
    size: int | None = None
    version: int | None = None
    dscp: int = 0
    ttl: int | None = None
    dont_fragment: bool | None = None
    raw: bool = False
    vlan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A lab at one moment: its tables, how it is meant to be, and where its objects are written.

    `changes` are what `up` would change. Of a lab that was never completed nothing is known but its
    tables.
    """

    tables: Tables
    meant: State = field(default_factory=State)
    changes: tuple[Change, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def up(topology: Topology, root: Path, *, waiting: Callable[[], None] = lambda: None) -> Plan:
    """Build the lab of `topology`, or change the running one into it; return what was done.

    `waiting` is called where another command holds the lab's lock. What cannot be completed in
    a new lab is undone. Raises UsageError if the lab runs from another file or the calling process
    is inside it, MissingFeatureError before anything changes, KernelRefusedError with what the
    kernel would not do.
    """
    lab = LabDir(root, topology.name)
    _refuse_inside(lab, lab.nodes())
    desired = _desired(topology)
    with lab.locked(waiting=waiting):
        _refuse_another_file(lab, topology)
        _require_features(desired)
        _require_settings(topology)
        was_there = lab.live.exists()
        try:
            lab.create()
            _write_atomically(lab.topology, dump(topology))
            _write_in_place(lab.hosts, hosts_text(topology))
            with Nodes(lab) as nodes, _host_of(topology, nodes) as outside:
                return _converge(_desired(topology, outside) if outside else desired, nodes)
        except BaseException:
            if not was_there:
                _remove(lab)
            raise


def plan(topology: Topology, root: Path) -> Plan:
    """Return what `up` would do, and do nothing."""
    lab = LabDir(root, topology.name)
    with Nodes(lab) as nodes:
        if not lab.exists:
            desired = _desired(topology, _seen_of_host(topology, nodes))
            return _plan(desired, _observe(nodes, desired))
        with lab.locked(shared=True):
            _refuse_another_file(lab, topology)
            desired = _desired(topology, _seen_of_host(topology, nodes))
            return _plan(desired, _observe(nodes, desired))


def down(name: str, root: Path, *, waiting: Callable[[], None] = lambda: None) -> None:
    """Take everything of the lab away, complete or not; end the processes that run in it.

    Raises UsageError if it is not there, or if the calling process is inside it.
    """
    lab = _existing(name, root)
    _refuse_inside(lab, lab.nodes())
    with lab.locked(waiting=waiting):
        _remove(lab)


def labs(root: Path) -> tuple[str, ...]:
    """The names of the labs that are up, or partly so."""
    return list_labs(root)


def nodes(name: str, root: Path) -> tuple[str, ...]:
    """The names of the lab's nodes. Raises UsageError if there is no such lab."""
    return _existing(name, root).nodes()


def status(name: str, root: Path) -> Status:
    """Return how the lab is, and how it differs from its topology.

    Raises UsageError if there is no such lab, KernelRefusedError if it was never completed.
    """
    lab = _existing(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        topology = _cached(lab)
        desired = _desired(topology, _seen_of_host(topology, present))
        observed = _observe(present, desired)
        return Status(
            name=name,
            source=topology.source,
            nodes=node_statuses(observed.state),
            drift=_plan(desired, observed).changes,
        )


def restart(
    name: str, node: str, root: Path, *, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Make a node anew, and end the processes on it; return what was made.

    Raises UsageError if there is no such lab or node, or if the calling process is on it;
    KernelRefusedError with what the kernel would not do.
    """
    lab = _existing(name, root)
    _refuse_inside(lab, (node,) if node in lab.nodes() else ())
    with (
        lab.locked(waiting=waiting),
        Nodes(lab) as present,
        _host_of(topology := _cached(lab), present) as outside,
    ):
        desired = _desired(topology, outside)
        if node not in lab.nodes():  # it may have been deleted by hand
            _check_node(lab, node, sorted(item.name for item in desired.namespaces))
        else:
            processes.end(lab, (node,))
        observed = _observe(present, desired)
        apply(order_changes(remove_namespace(node, observed.state)), present, observed)
        return _converge(desired, present)


def links(name: str, root: Path) -> dict[str, Link]:
    """The lab's links by name. Raises UsageError if there is no such lab."""
    lab = _existing(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        return named_links(observe(present).state)


def set_link(
    name: str, link: str, root: Path, *, up: bool, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Set a link up or down, and return what was done: nothing where it was so.

    One that comes up gets back what it lost when it went down. Raises UsageError if there is no
    such lab or link, KernelRefusedError with what the kernel would not do.
    """
    lab = _existing(name, root)
    with lab.locked(waiting=waiting), Nodes(lab) as present:
        topology = _cached(lab)
        desired = _desired(topology, _seen_of_host(topology, present))
        observed = observe(present)
        found = find_link(observed.state, link)
        if found.up == up:
            return order_changes(())
        done = order_changes([Change(old=found, new=replace(found, up=up))])
        apply(done, present, observed)
        if up:
            observed = _observe(present, desired)
            lacking = diff_states(desired=desired, observed=observed.state)
            back = lost_when_down(found, observed.state, lacking)
            apply(order_changes(back), present, observed)
        _settle(desired, present)
        return done


def become(name: str, node: str, command: Sequence[str], root: Path) -> NoReturn:
    """Turn this process into `command` on `node`.

    Raises UsageError if there is no such lab, node or command.
    """
    lab = _existing(name, root)
    _require_node(lab, node)
    processes.become(lab, node, command)


def logs(name: str, node: str, root: Path) -> dict[str, bytes]:
    """What each service of a node has written, by the service's name.

    Raises UsageError if there is no such lab or node.
    """
    lab = _existing(name, root)
    _require_node(lab, node)
    return services.read_logs(lab, node)


def snapshot(name: str, root: Path) -> Snapshot:
    """Read everything that decides where a lab's packets go. Raises UsageError for no such lab."""
    from vnetlab.kernel.tables import read_tables

    lab = _existing(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        if not lab.topology.exists():
            tables = read_tables(present, observe(present))
            return Snapshot(tables=tables)
        topology = _cached(lab)
        desired = _desired(topology, _seen_of_host(topology, present))
        observed = _observe(present, desired)
        changes = _plan(desired, observed).changes
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


def change(name: str, root: Path, edit: Callable[[State], State]) -> Plan:
    """Make the kernel's State of a lab what `edit` makes of it; return what was done.

    Raises UsageError if there is no such lab, KernelRefusedError with what the kernel refused.
    """
    lab = _existing(name, root)
    with lab.locked(), Nodes(lab) as present, _while_changed(lab, present) as meant:
        observed = _observe(present, meant)
        todo = diff_states(desired=edit(observed.state), observed=observed.state)
        plan = order_changes(item for item in todo if not _makes_up_for(item, observed.state))
        apply(plan, present, observed)
        return plan


def _makes_up_for(change: Change, observed: State) -> bool:
    """Whether it only makes a route again that the kernel takes away with an address."""
    return change.old is None and isinstance(change.new, Route) and change.new in observed.routes


@contextmanager
def copied(name: str, root: Path) -> Iterator[str]:
    """Hold a copy of a running lab as it is now, and yield its name; it is gone afterwards.

    The same State under another name: nothing that runs in the lab is copied. Raises what `up`
    raises.
    """
    lab = _existing(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        topology = _cached(lab)
        desired = _desired(topology, _seen_of_host(topology, present))
        observed = _observe(present, desired).state
    copy = LabDir(root, f"{name}-copy-{os.getpid()}")
    state = without_host(replace(observed, services=frozenset(), limits=frozenset()))
    try:
        with copy.locked(), Nodes(copy) as present:
            copy.create()
            empty = observe(present)
            apply(order_changes(diff_states(desired=state, observed=empty.state)), present, empty)
            _settle(state, present)
        yield copy.name
    finally:
        with copy.locked():
            _remove(copy)


def repair(name: str, root: Path) -> Plan:
    """Make a lab again what its topology says; return what was done.

    Raises UsageError if there is no such lab, KernelRefusedError if it was never completed, or with
    what the kernel would not do.
    """
    lab = _existing(name, root)
    with (
        lab.locked(),
        Nodes(lab) as present,
        _host_of(topology := _cached(lab), present) as outside,
    ):
        return _converge(_desired(topology, outside), present)


def forget(name: str, root: Path) -> None:
    """Empty the neighbour caches of all nodes, and what bridges have learned."""
    from vnetlab.kernel.forget import forget_learned

    lab = _existing(name, root)
    with lab.locked(), Nodes(lab) as present:
        forget_learned(present)


def make_request(state: State, ends: Endpoints, options: ProbeOptions) -> ProbeRequest:
    """The probe that `options` describe, between two nodes of a lab whose State is `state`.

    Raises UsageError for options out of range, or that do not go together.
    """
    from vnetlab.trace.endpoints import frame_from
    from vnetlab.trace.request import ProbeRequest

    if options.vlan is not None and not options.raw:
        raise UsageError(
            f"vlan: got {options.vlan} for a packet of {ends.source}'s own stack, expected a raw "
            "frame: the stack tags what leaves by its VLAN interfaces, and nothing else",
            fix="add --raw",
        )
    return ProbeRequest(
        endpoints=ends,
        protocol=options.protocol,
        port=options.port,
        count=options.count,
        size=options.size,
        dscp=options.dscp,
        ttl=options.ttl,
        dont_fragment=options.dont_fragment,
        raw=frame_from(state, ends, options.vlan) if options.raw else None,
    )


def probe(
    name: str,
    source: str,
    destination: str,
    root: Path,
    *,
    options: ProbeOptions,
    state: State | None = None,
    meant: State | None = None,
    ends: Endpoints | None = None,
    also_watched: Collection[str] = (),
    to_application: bool = False,
) -> Trace:
    """Send a probe from one node to another (or to an address) and watch it at every hop.

    `state` is the lab's if it was observed just before, `meant` how it is meant to be; `ends` are
    the addresses if they have been chosen; `also_watched` are nodes where it may be seen besides
    those that are watched anyway; `to_application` as in `ProbeRequest`. Raises UsageError if there
    is no such lab, node or address, ProbeError if it cannot be watched.
    """
    from vnetlab.trace.endpoints import choose_endpoints
    from vnetlab.trace.path import expected_path, watched_namespaces
    from vnetlab.trace.trace import trace_probe
    from vnetlab.wire.probe import run_probe

    lab = _existing(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        state = state or observe(present).state
        ends = ends or choose_endpoints(state, source, destination, version=options.version)
        request = replace(make_request(state, ends, options), to_application=to_application)
        forward = expected_path(state, ends.source, ends.destination_address, meant)
        back = expected_path(state, ends.destination, ends.source_address, meant)
        watched = dict.fromkeys([*watched_namespaces(state, forward, back), *also_watched])
        seen = run_probe(request, tuple(watched), present.enter)
    return trace_probe(request, seen, state, forward, back)


def probe_pairs(name: str, requests: Sequence[ProbeRequest], root: Path) -> MatrixObservation:
    """Send many probes of one protocol and port in one pass of the taps, a packet of each.

    Raises UsageError if there is no such lab, ProbeError if it cannot be watched.
    """
    from vnetlab.kernel.neighbour_room import room_for_neighbours
    from vnetlab.wire.matrix import run_matrix

    lab = _existing(name, root)
    with (
        lab.locked(shared=True),
        Nodes(lab) as present,
        room_for_neighbours(2 * len(requests), present),
    ):
        return run_matrix(requests, lab.nodes(), present.enter)


def _refuse_inside(lab: LabDir, nodes: tuple[str, ...]) -> None:
    if processes.inside(lab, nodes):
        raise UsageError(
            f"this shell runs inside lab '{lab.name}'", fix="leave it first, with 'exit'"
        )


def _require_node(lab: LabDir, node: str) -> None:
    _check_node(lab, node, lab.nodes())


def _check_node(lab: LabDir, node: str, present: Collection[str]) -> None:
    if node not in present:
        raise UsageError(f"lab '{lab.name}' has no node '{node}'", fix=did_you_mean(node, present))


def _desired(topology: Topology, outside: Outside | None = None) -> State:
    """What the kernel should have, as far as it knows the settings: some depend on modules."""
    given = sysctls.read_in_new_namespace(KEYS_OF_NEW_NAMESPACE)
    state = guard(compile_topology(topology, outside or NOWHERE), given)
    return replace(
        state,
        sysctls=frozenset(item for item in state.sysctls if item.given or sysctls.known(item.key)),
    )


@contextmanager
def _while_changed(lab: LabDir, nodes: Nodes) -> Iterator[State]:
    """What a lab should be, while it is changed; nothing is known of a copy's intent."""
    if not lab.topology.exists():
        yield State()
        return
    topology = _cached(lab)
    with _host_of(topology, nodes) as outside:
        yield _desired(topology, outside)


def _observe(nodes: Nodes, desired: State) -> Observed:
    on_host = any(table.netns == HOST for table in desired.nft_tables)
    return observe(
        nodes,
        sysctl_keys=(item.id for item in desired.sysctls),
        outside=on_host or nodes.lab.knows_host,
    )


def _seen_of_host(topology: Topology, nodes: Nodes) -> Outside | None:
    """What the lab has to know of its host; None where it is not connected to it."""
    return survey(nodes) if nodes.lab.knows_host or _reaches_out(topology) else None


def _reaches_out(topology: Topology) -> bool:
    return any(router.external for router in topology.routers)


@contextmanager
def _host_of(topology: Topology, nodes: Nodes) -> Iterator[Outside | None]:
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


def _leave_host(lab: LabDir) -> None:
    """Take away what the lab has on its host, and restore what it changed there."""
    if lab.knows_host:
        with lab.host_locked(), Nodes(lab) as nodes:
            settings = frozenset(restored_settings(survey(nodes), ()))
            keys = [item.id for item in settings]
            observed = observe_host(nodes, sysctl_keys=keys)
            todo = diff_states(desired=State(sysctls=settings), observed=observed.state)
            apply(order_changes(todo), nodes, observed)


def _plan(desired: State, observed: Observed) -> Plan:
    return order_changes(diff_states(desired=desired, observed=observed.state))


def _converge(desired: State, nodes: Nodes) -> Plan:
    """Apply until nothing differs; return the first plan, which is all there was to do."""
    observed = _observe(nodes, desired)
    first = todo = _plan(desired, observed)
    for _ in range(_ROUNDS):
        if not todo.changes:
            break
        apply(todo, nodes, observed)
        observed = _observe(nodes, desired)
        todo = _without_failures(_plan(desired, observed))
    if not todo.changes:
        if first.changes:
            _settle(desired, nodes)
        return first
    raise untaken(todo.changes)


def _without_failures(plan: Plan) -> Plan:
    """Leave out services that have failed just after their start: that is for their user to see."""
    return order_changes(
        change
        for change in plan.changes
        if not (isinstance(change.old, Service) and replace(change.old, failure=None) == change.new)
    )


def _settle(desired: State, nodes: Nodes) -> None:
    """Wait until spanning trees and LACP have found their ways, but no longer than they need."""
    deadline = time.monotonic() + settling_time_s(desired)
    waited = False
    while time.monotonic() < deadline and not is_settled(observe(nodes).state):
        time.sleep(_POLL_S)
        waited = True
    if waited:
        from vnetlab.kernel.forget import forget_old_ways

        forget_old_ways(nodes)


def _require_features(desired: State) -> None:
    required = required_features(desired)
    lacking = missing_features(required)
    if lacking:
        raise MissingFeatureError(
            "this kernel has no " + ", no ".join(_with_need(f, required[f]) for f in lacking),
            fix="use --realm uml: 'vnetlab doctor' tells more",
        )


def _require_settings(topology: Topology) -> None:
    wanted = {vm.name: vm.sysctls for vm in topology.vms}
    wanted |= {host.name: host.sysctls for host in topology.hosts}
    wanted |= {router.name: router.sysctls for router in topology.routers}
    for name, settings in wanted.items():
        for key, _ in settings:
            if not sysctls.known(key):
                raise MissingFeatureError(
                    f"this kernel has no setting {key.replace('/', '.')} (wanted by {name})",
                    fix="leave it out, or use a kernel that has it",
                )


def _with_need(feature: Feature, example: Object | None) -> str:
    return f"{feature.label} (needed by {describe(example) if example else 'every lab'})"


def _refuse_another_file(lab: LabDir, topology: Topology) -> None:
    if lab.topology.exists() and (running := _cached(lab)).source != topology.source:
        raise UsageError(
            f"{topology.source}: lab '{lab.name}' is up already from {running.source}",
            fix=f"take it down with 'vnetlab down {lab.name}', or give this one another name",
        )


def _existing(name: str, root: Path) -> LabDir:
    lab = LabDir(root, name)
    if not lab.exists:
        raise UsageError(f"no lab '{name}' is up", fix=did_you_mean(name, list_labs(root)))
    return lab


def _cached(lab: LabDir) -> Topology:
    try:
        return parse(lab.topology.read_text())
    except FileNotFoundError:
        raise KernelRefusedError(
            f"lab '{lab.name}' was never completed",
            fix=f"run 'vnetlab up' on its file again, or 'vnetlab down {lab.name}'",
        ) from None


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


def _remove(lab: LabDir) -> None:
    processes.end(lab, lab.nodes())
    limits.release_all(lab)
    _leave_host(lab)
    lab.remove()
