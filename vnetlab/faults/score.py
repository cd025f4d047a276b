"""How good the verdicts are: faults injected, verdicts given, and how they compare (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.diagnosis.verdict import Confidence, Layer, Verdict
from vnetlab.faults.fault import Fault
from vnetlab.topology.topology import Topology


class Mark(Enum):
    """How a verdict compares with the truth, best first."""

    EXACT = "exact"
    """The right object and the right code."""
    OBJECT = "right object"
    LAYER = "right layer"
    WRONG = "wrong accusation"
    NONE = "none"
    """No cause was named: the verdict says that it is unknown, or that all is well."""


class Accusation(Struct, frozen=True, kw_only=True):
    """What is accused, or what is to blame: a code, an object and its layer."""

    code: str
    object: str
    layer: Layer


class Result(Struct, frozen=True, kw_only=True):
    """One fault (or two, or none), one probe, one verdict.

    `truth` is empty for a healthy lab. `effective`: the fault did something to the probe.
    """

    topology: str
    kind: str
    place: str
    source: str
    destination: str
    truth: tuple[Accusation, ...]
    accused: tuple[Accusation, ...]
    healthy: bool
    effective: bool
    contradiction: str = ""

    @property
    def mark(self) -> Mark:
        """The worst mark over all truths; for a healthy lab, whether anything was accused."""
        if not self.truth:
            return Mark.WRONG if self.accused else Mark.EXACT
        marks = list(Mark)
        return max((_mark(it, self._left_for(it)) for it in self.truth), key=marks.index)

    def _left_for(self, truth: Accusation) -> list[Accusation]:
        """What is accused, but for what another truth explains."""
        others = {(it.code, it.object) for it in self.truth if it != truth}
        return [it for it in self.accused if (it.code, it.object) not in others]


def copy_to_score(topology: Topology) -> Topology:
    """The lab that faults are made in: of another name, with no way into the host's network."""
    return replace(
        topology,
        name=f"{topology.name}-score",
        routers=tuple(replace(router, external=False) for router in topology.routers),
    )


def truth_of(fault: Fault, place: str) -> Accusation:
    """What a verdict must say of a fault at a place."""
    return Accusation(code=fault.code, object=place, layer=fault.layer)


def accusations(verdict: Verdict) -> tuple[Accusation, ...]:
    """What a verdict says, but for what it says only as a possibility."""
    return tuple(
        Accusation(code=cause.code, object=cause.object, layer=cause.layer)
        for cause in verdict.causes
        if cause.confidence is not Confidence.CANDIDATE
    )


def _mark(truth: Accusation, accused: Sequence[Accusation]) -> Mark:
    if any((it.code, it.object) == (truth.code, truth.object) for it in accused):
        return Mark.EXACT
    if any(it.object == truth.object for it in accused):
        return Mark.OBJECT
    if any(it.layer is truth.layer for it in accused):
        return Mark.LAYER
    return Mark.WRONG if accused else Mark.NONE


class Row(Struct, frozen=True, kw_only=True):
    """How many of the verdicts on one layer got each mark."""

    name: str
    counts: tuple[tuple[Mark, int], ...]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(count for _, count in self.counts)


def tabulate(results: Iterable[Result]) -> tuple[Row, ...]:
    """A row for each layer of single faults, then pairs, healthy labs, and all single faults."""
    by_row: dict[str, Counter[Mark]] = {}
    singles: Counter[Mark] = Counter()
    for result in results:
        if result.truth and not result.effective:
            continue
        name = _row_name(result)
        by_row.setdefault(name, Counter())[result.mark] += 1
        if len(result.truth) == 1:
            singles[result.mark] += 1
    order = [layer.value for layer in Layer] + [_PAIRS, _HEALTHY]
    rows = [_row(name, by_row[name]) for name in order if name in by_row]
    return (*rows, _row(_SINGLES, singles)) if singles else tuple(rows)


_PAIRS, _HEALTHY, _SINGLES = "two faults at once", "healthy", "all single faults"


def _row_name(result: Result) -> str:
    if not result.truth:
        return _HEALTHY
    return result.truth[0].layer.value if len(result.truth) == 1 else _PAIRS


def _row(name: str, counts: Counter[Mark]) -> Row:
    return Row(name=name, counts=tuple((mark, counts[mark]) for mark in Mark))
