"""The catalogue of faults, and scores, as text (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vnetlab.faults.fault import Fault
from vnetlab.faults.score import Mark, Result, Row
from vnetlab.views.columns import Column, lay_out

_WIDE = 1000
_PERCENT = 100


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
    """A Markdown table: a row per layer, how many verdicts got each mark."""
    if not rows:
        return "nothing was scored"
    head = ["", "faults", *(mark.value for mark in Mark)]
    lines = [_line(head), _line(["---", *("---:" for _ in head[1:])])]
    for row in rows:
        cells = [f"{count} ({_PERCENT * count / row.total:.0f} %)" for _, count in row.counts]
        lines.append(_line([row.name, str(row.total), *cells]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
