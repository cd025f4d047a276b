"""The verb that probes all pairs of a lab's nodes at once, and says what failures share.

It puts together what `vnetlab.lab` observes and probes, and what the model of the datapath says of
the pairs that failed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path

from vnetlab import lab as verbs
from vnetlab.diagnosis.alike import Alike
from vnetlab.diagnosis.common_cause import (
    Failure,
    Matrix,
    Names,
    describe_end,
    group_failures,
    refutes,
)
from vnetlab.diagnosis.judge import explain_walks
from vnetlab.diagnosis.verdict import Cause
from vnetlab.errors import UsageError
from vnetlab.investigation import intent_of, request_of, walk_both_ways
from vnetlab.state.objects import State
from vnetlab.trace.endpoints import NotNeighboursError, choose_endpoints
from vnetlab.trace.forwarding.ip import index_world
from vnetlab.trace.forwarding.journey import World
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.matrix import MatrixObservation, PairResult, choose_nodes, order_pairs
from vnetlab.trace.request import Endpoints, ProbeRequest
from vnetlab.trace.wiring import index_wiring

_TABLE_FULL = "ENOBUFS"


def probe_all(
    name: str,
    root: Path,
    *,
    options: verbs.ProbeOptions,
    sources: str | None = None,
    destinations: str | None = None,
) -> Matrix:
    """Probe every pair of `sources` and `destinations`, patterns of names; None are all guests.

    Raises UsageError if there is no such lab or node, and what `vnetlab.lab.probe` raises.
    """
    snapshot = verbs.snapshot(name, root)
    state = snapshot.tables.state
    rows, columns = choose_nodes(state, sources), choose_nodes(state, destinations)
    requests: list[ProbeRequest] = []
    left_out: list[tuple[Names, str]] = []
    for pair, ends in _all_endpoints(snapshot, rows, columns, options.version):
        if not isinstance(ends, Endpoints):
            left_out.append((pair, ends))
            continue
        try:
            requests.append(request_of(snapshot, ends, options))
        except NotNeighboursError:
            left_out.append((pair, "the two are no neighbours: ARP does not pass routers"))
    seen = verbs.probe_pairs(name, requests, root)
    failures = tuple(_explain(snapshot, [it for it in seen.results if not it.reached]))
    return Matrix(
        sources=rows,
        destinations=columns,
        results=tuple(sorted(seen.results, key=lambda result: result.names)),
        failures=failures,
        groups=group_failures(failures),
        left_out=tuple(left_out),
        cautions=tuple(_cautions(seen)),
    )


def _all_endpoints(
    snapshot: verbs.Snapshot, rows: tuple[str, ...], columns: tuple[str, ...], version: int | None
) -> Iterator[tuple[Names, Endpoints | str]]:
    """The addresses that each pair is meant to have, or else has; or why there are none."""
    states: list[State] = [snapshot.meant, snapshot.tables.state]
    indexed = [(state, index_wiring(state)) for state in states]
    for pair in order_pairs(rows, columns):
        why = ""
        for state, wiring in indexed:
            try:
                yield pair, choose_endpoints(state, *pair, version=version, wiring=wiring)
                break
            except UsageError as error:
                why = str(error).removeprefix("probe: ")
        else:
            yield pair, why


def _explain(snapshot: verbs.Snapshot, failed: list[PairResult]) -> Iterator[Failure]:
    """What the model says of each failed pair, unless the taps refute it."""
    tables = snapshot.tables
    world = index_world(tables)
    labels = {(link.netns, link.name): link.label for link in tables.state.links if link.label}
    alike = Alike(tables, world.index, snapshot.changes)
    known: dict[Hashable, tuple[Cause, ...]] = {}
    for result in sorted(failed, key=lambda result: result.names):
        key, causes = alike.key(result), None
        if key is not None:
            causes = known.get(key)
        if causes is None:
            stop, causes = _judge(snapshot, result, world)
            if key is not None and stop is not None and alike.stops_all(result, stop):
                known[key] = causes
        yield Failure(result=result, causes=causes, end=describe_end(result, labels))


def _judge(
    snapshot: verbs.Snapshot, result: PairResult, world: World
) -> tuple[Finding | None, tuple[Cause, ...]]:
    """What stops a pair first, and all of its causes; nothing where the taps refute it."""
    forward, back = walk_both_ways(snapshot.tables, result.request, world=world)
    walks = (forward, back) if back else (forward,)
    stop = next((stop for walk in walks for stop in walk.stops), None)
    if stop is None or refutes(frozenset(result.seen), forward, back, stop):
        return None, ()
    return stop, explain_walks(snapshot.tables, intent_of(snapshot), *walks)


def _cautions(seen: MatrixObservation) -> Iterator[str]:
    for netns, lost in seen.lost_by_tap:
        yield f"the tap in {netns} lost {lost} packets: not seen there does not mean not there"
    if seen.truncated:
        yield "listening was ended after too many sightings: is there a loop?"
    if any(result.send_error == _TABLE_FULL for result in seen.results):
        yield (
            "the kernel's table of neighbours is full: raise net.ipv4.neigh.default.gc_thresh3 "
            "and net.ipv6.neigh.default.gc_thresh3 of the host"
        )
