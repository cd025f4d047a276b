"""The verbs of faults: inject one, clear them, and score the verdicts on them.

A fault is a change of a running lab's State, made by the same machinery as `up`: `up` and `clear`
see it as drift, and repair it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from vnetlab import lab as verbs
from vnetlab.errors import UsageError
from vnetlab.faults.catalogue import CATALOGUE, find_fault, find_place, named_places
from vnetlab.faults.fault import Fault, Flow, Place, flow_at
from vnetlab.faults.score import Result, accusations, truth_of
from vnetlab.investigation import investigate, walk_both_ways
from vnetlab.state.objects import Role, State
from vnetlab.state.plan import Plan
from vnetlab.state.tables import Tables
from vnetlab.topology.topology import Topology
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.walk import Walk, WalkStep
from vnetlab.trace.sighting import Direction
from vnetlab.trace.trace import Trace

_ENDS = (Role.VM, Role.HOST)
_STARTING_NS = 20_000_000_000
_PAIRS_TRIED = 3
"""How many pairs of nodes are probed at most, until one shows an effect of the fault."""
_PLACES_TRIED = 3
"""How many places are tried at most, for each that is asked for, until one shows an effect."""


def inject(
    name: str, kind: str, place: str, root: Path, *, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Make a fault of a kind at a place of a running lab, and return what was changed.

    `waiting` is called where another command holds the lab's lock. Raises UsageError if there is no
    such lab, kind or place; KernelRefusedError with what the kernel would not do.
    """
    fault = find_fault(kind)
    state = verbs.snapshot(name, root, waiting=waiting).tables.state
    return _inject(name, fault, find_place(fault, place, state), root, waiting=waiting)


def _inject(
    name: str,
    fault: Fault,
    place: Place,
    root: Path,
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Plan:
    return verbs.change(name, root, lambda state: fault.change(state, place), waiting=waiting)


def places(
    name: str, kind: str, root: Path, *, waiting: Callable[[], None] = lambda: None
) -> tuple[str, ...]:
    """Where a kind of fault can be in a running lab; `waiting` as in `inject`.

    Raises UsageError if there is no such lab or kind.
    """
    state = verbs.snapshot(name, root, waiting=waiting).tables.state
    return tuple(named_places(find_fault(kind), state))


class Sample(Struct, frozen=True, kw_only=True):
    """What is scored: `per_kind` places of each kind (None: all), pairs of faults, healthy probes.

    `kinds` are those asked for, all if empty; of these each lab has `drawn` (None: all). The same
    `seed` gives the same sample.
    """

    seed: int = 0
    per_kind: int | None = 1
    pairs: int = 0
    healthy: int = 0
    kinds: tuple[str, ...] = ()
    drawn: int | None = None


def score(
    topology: Topology, root: Path, sample: Sample, *, done: Iterable[Result] = ()
) -> Iterator[Result]:
    """Build the lab, try the faults one after the other, yield how each went.

    It is gone at the end. What is among `done` is left out.
    """
    known = {(r.kind, r.place): r for r in done if r.topology == topology.name}
    verbs.up(topology, root)
    try:
        yield from _Scorer(topology, root, sample).run(known)
    finally:
        verbs.down(topology.name, root)


class _Scorer:
    """One lab under test."""

    def __init__(self, topology: Topology, root: Path, sample: Sample) -> None:
        self._topology = topology
        self._root = root
        self._sample = sample
        self._tables = verbs.snapshot(topology.name, root).tables
        self._ways: dict[tuple[str, str, Flow], tuple[Walk, ...]] = {}

    def run(self, done: Mapping[tuple[str, str], Result]) -> Iterator[Result]:
        """Yield what is not among `done`, which has the results of this lab by kind and place."""
        for number, (source, destination) in enumerate(self._healthy_pairs()):
            if ("healthy", str(number)) not in done:
                yield self._probe("healthy", str(number), (), Flow(), source, destination)
        shown: list[tuple[Fault, Place]] = []
        for fault in self._kinds():
            wanted, effective = self._sample.per_kind, 0
            for name, place in self._candidates(fault):
                result = done.get((fault.kind, name))
                if result is None:
                    result = self._try([(fault, place)], fault.kind, name)
                    yield result
                if result.effective:
                    shown.append((fault, place))
                    effective += 1
                if effective == wanted:
                    break
        for first, second in self._doubles(shown):
            kind = f"{first[0].kind} + {second[0].kind}"
            name = f"{first[1].object} + {second[1].object}"
            if (kind, name) not in done:
                yield self._try([first, second], kind, name)

    def _kinds(self) -> list[Fault]:
        """The kinds of the sample that can be in this lab, in the catalogue's order."""
        asked = self._sample.kinds or tuple(CATALOGUE)
        faults = [fault for fault in CATALOGUE.values() if fault.kind in asked]
        if self._sample.drawn is None:
            return faults
        possible = [fault for fault in faults if self._candidates(fault)]
        drawn = self._random("kinds").sample(possible, min(self._sample.drawn, len(possible)))
        return [fault for fault in possible if fault in drawn]

    def _healthy_pairs(self) -> list[tuple[str, str]]:
        pairs = [pair for pair in self._pairs() if self._passes(*pair, Flow())]
        draw = self._random("healthy")
        return [draw.choice(pairs) for _ in range(self._sample.healthy)] if pairs else []

    def _random(self, about: str) -> random.Random:
        """What draws a part of the sample: the same one whatever was drawn before."""
        seed = f"{self._sample.seed} {self._topology.name} {about}"
        return random.Random(seed)  # noqa: S311 # chooses a sample, guards no secret

    def _candidates(self, fault: Fault) -> list[tuple[str, Place]]:
        """The places of a kind on the path of some pair, in the order to try them."""
        self._look()
        found = [
            (name, place)
            for name, place in named_places(fault, self._tables.state).items()
            if next(self._pairs_over(place, flow_at(fault, place)), None)
        ]
        if self._sample.per_kind is None:
            return found
        tried = min(self._sample.per_kind * _PLACES_TRIED, len(found))
        return self._random(fault.kind).sample(found, tried)

    def _look(self) -> None:
        """Read the tables again: the way through a team or a tree may have changed for good."""
        before, self._tables = self._tables, verbs.snapshot(self._topology.name, self._root).tables
        if (before.active_slaves, before.port_states) != (
            self._tables.active_slaves,
            self._tables.port_states,
        ):
            self._ways.clear()

    def _doubles(
        self, shown: Sequence[tuple[Fault, Place]]
    ) -> Iterator[tuple[tuple[Fault, Place], tuple[Fault, Place]]]:
        """Pairs of faults that had an effect, of one flow, not losing by chance, on one path."""
        singles = [(f, p) for f, p in shown if not f.harms and f.flow == Flow()]
        draw = self._random("pairs")
        wanted = self._sample.pairs if singles else 0
        over = [set(self._pairs_over(place, Flow())) for _, place in singles] if wanted else []
        for _ in range(wanted):
            chosen = draw.randrange(len(singles))
            first = singles[chosen]
            others = [
                it
                for it, pairs in zip(singles, over, strict=True)
                if pairs & over[chosen] and not _is_same_link(first[1], it[1])
            ]
            if others:
                yield first, draw.choice(others)

    def _pairs(self) -> list[tuple[str, str]]:
        ends = sorted(n.name for n in self._tables.state.namespaces if n.role in _ENDS)
        return list(permutations(ends, 2))

    def _pairs_over(self, place: Place, flow: Flow) -> Iterator[tuple[str, str]]:
        """Pairs whose packets or answers pass a place while the lab is healthy."""
        for pair in self._pairs():
            if place.port is not None and pair[1] != place.netns:
                continue
            if self._passes(*pair, flow):
                steps = (s for walk in self._walks(*pair, flow) for s in walk.steps)
                if any(_touches(step, place, self._tables.state) for step in steps):
                    yield pair

    def _length(self, source: str, destination: str, flow: Flow) -> int:
        """How long the way there and back is: on a long one a fault is in the way of more."""
        return sum(len(walk.steps) for walk in self._walks(source, destination, flow))

    def _passes(self, source: str, destination: str, flow: Flow) -> bool:
        walks = self._walks(source, destination, flow)
        return len(walks) == 2 and all(walk.passes for walk in walks)  # both ways

    def _walks(self, source: str, destination: str, flow: Flow) -> tuple[Walk, ...]:
        key = (source, destination, flow)
        if key not in self._ways:
            self._ways[key] = _walk(self._tables, source, destination, flow)
        return self._ways[key]

    def _try(self, faults: Sequence[tuple[Fault, Place]], kind: str, name: str) -> Result:
        """Inject, let caches run out, probe; another pair of nodes if this one noticed nothing."""
        lab, root = self._topology.name, self._root
        flow = flow_at(*faults[0])
        shared = [set(self._pairs_over(place, flow)) for _, place in faults]
        pairs = sorted(set.intersection(*shared))
        self._random(f"{kind} {name}").shuffle(pairs)
        pairs[1:] = sorted(pairs[1:], key=lambda it: -self._length(it[0], it[1], flow))
        truth = tuple(truth_of(fault, place.object) for fault, place in faults)
        concerned = pairs if len(faults) == 1 else self._concerned(faults, pairs, flow)
        if not concerned:
            return replace(self._probe(kind, name, faults, flow, *pairs[0]), truth=truth)
        try:
            for fault, place in faults:
                _inject(lab, fault, place, root)
                if fault.listens:
                    self._await_listener(place)
            for source, destination in concerned[:_PAIRS_TRIED]:
                verbs.forget(lab, root)
                result = self._probe(kind, name, faults, flow, source, destination)
                if result.effective:
                    break
        finally:
            verbs.repair(lab, root)
            verbs.forget(lab, root)
        return replace(result, truth=truth)

    def _concerned(
        self, faults: Sequence[tuple[Fault, Place]], pairs: Sequence[tuple[str, str]], flow: Flow
    ) -> list[tuple[str, str]]:
        """The pairs of nodes that notice each of the faults alone, as no verdict names others."""
        lab, root = self._topology.name, self._root
        found = list(pairs[:_PAIRS_TRIED])
        for fault, place in faults:
            alone, seen = [(fault, place)], []
            try:
                _inject(lab, fault, place, root)
                for pair in found:
                    verbs.forget(lab, root)
                    if self._probe(fault.kind, place.object, alone, flow, *pair).effective:
                        seen.append(pair)
            finally:
                verbs.repair(lab, root)
                verbs.forget(lab, root)
            found = seen
        return found

    def _await_listener(self, place: Place) -> None:
        """Wait until a socket waits on the place's port, for as long as starting one may take."""
        end_ns = time.monotonic_ns() + _STARTING_NS
        while time.monotonic_ns() < end_ns:
            found = verbs.snapshot(self._topology.name, self._root).tables.listeners
            if any((it.netns, it.port) == (place.netns, place.port) for it in found):
                return

    def _probe(
        self,
        kind: str,
        name: str,
        faults: Sequence[tuple[Fault, Place]],
        flow: Flow,
        source: str,
        destination: str,
    ) -> Result:
        found = investigate(
            self._topology.name, source, destination, self._root, options=_options(flow)
        )
        trace = found.trace
        return Result(
            topology=self._topology.name,
            kind=kind,
            place=name,
            source=source,
            destination=destination,
            truth=(),
            accused=accusations(found.verdict),
            healthy=found.verdict.healthy,
            effective=not faults
            or trace.replied < len(trace.packets)
            or not found.verdict.healthy
            or any(fault.harms and self._may_be_met(place, trace) for fault, place in faults),
            contradiction=found.verdict.contradiction,
        )

    def _may_be_met(self, place: Place, trace: Trace) -> bool:
        """Whether the probe may have met a harm: a tree or a bond may have led it another way.

        Where there are tunnels, taps do not see it at each link that it comes by.
        """
        if any(link.vxlan for link in self._tables.state.links):
            return True
        return any(
            (it.netns, it.ifname, it.direction) == (place.netns, place.link, Direction.OUT)
            for it in trace.observation.sightings
        )


def _is_same_link(one: Place, other: Place) -> bool:
    return (one.netns, one.link) == (other.netns, other.link)


def _walk(tables: Tables, source: str, destination: str, flow: Flow) -> tuple[Walk, ...]:
    try:
        ends = choose_endpoints(tables.state, source, destination, version=flow.version)
    except UsageError:  # they do not both speak that version of IP
        return ()
    request = verbs.make_request(tables.state, ends, _options(flow))
    forward, back = walk_both_ways(tables, request)
    return (forward, back) if back else (forward,)


def _options(flow: Flow) -> verbs.ProbeOptions:
    return verbs.ProbeOptions(
        protocol=flow.protocol,
        port=flow.port,
        size=flow.size,
        count=flow.count,
        version=flow.version,
    )


def _touches(step: WalkStep, place: Place, state: State) -> bool:
    if step.netns != place.netns or place.link not in (None, step.link):
        return False
    if place.vlan is None:
        return True
    untagged = any(
        (v.netns, v.link, v.vid) == (place.netns, place.link, place.vlan) and v.untagged
        for v in state.bridge_vlans
    )
    return step.packet.vlan == (None if untagged else place.vlan)
