"""The catalogue of faults, and scores, as text (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from vnetlab.faults.fault import Fault
from vnetlab.faults.score import Mark, Result, Row
from vnetlab.views.columns import Column, lay_out

_WIDE = 1000
_PERCENT = 100
_RIGHT = (Mark.EXACT, Mark.OBJECT, Mark.LAYER)


def render_catalogue(faults: Iterable[Fault]) -> str:
    """A line for each kind."""
    rows = list(faults)
    columns = [
        Column(title="kind", cells=tuple(it.kind for it in rows)),
        Column(title="layer", cells=tuple(it.layer.value for it in rows)),
        Column(title="code", cells=tuple(it.code for it in rows)),
        Column(title="what", cells=tuple(it.title for it in rows)),
    ]
    return "\n".join(lay_out(columns, _WIDE))


def render_result(result: Result) -> str:
    """One line of progress."""
    if result.truth and not result.effective:
        return f"{result.topology}: {result.kind} at {result.place}: no effect"
    said = ", ".join(f"{it.code} of {it.object}" for it in result.accused) or "no cause"
    text = (
        f"{result.topology}: {result.kind} at {result.place}, "
        f"{result.source} -> {result.destination}: {result.mark.value} ({said})"
    )
    return f"{text} MODEL CONTRADICTED: {result.contradiction}" if result.contradiction else text


def render_score(rows: Sequence[Row]) -> str:
    """A Markdown table: a row per layer, how many verdicts were that good, and of how many.

    What is exact has the right object too, and the right layer: it counts in each of the three.
    """
    if not rows:
        return "nothing was scored"
    head = ["", "faults", *(mark.value for mark in Mark)]
    lines = [_line(head), _line(["---", *("---:" for _ in head[1:])])]
    for row in rows:
        cells = [_share(count, row.total) for count in _cumulated(dict(row.counts))]
        lines.append(_line([row.name, str(row.total), *cells]))
    return "\n".join(lines)


def _cumulated(counts: Mapping[Mark, int]) -> Iterator[int]:
    """The counts in the marks' order; of the right ones each with those better than itself."""
    right = 0
    for mark in Mark:
        if mark in _RIGHT:
            right += counts[mark]
        yield right if mark in _RIGHT else counts[mark]


def _share(count: int, total: int) -> str:
    """Rounded down to a tenth: 100 % are all of them."""
    tenths = 10 * _PERCENT * count // total
    return f"{count} ({tenths / 10:g} %)"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
