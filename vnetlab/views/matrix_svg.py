"""A matrix of probes as a picture: a cell per pair, a legend of what failed pairs share (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import log10

from vnetlab.diagnosis.common_cause import Matrix
from vnetlab.trace.matrix import PairResult
from vnetlab.views.matrix_text import LETTERS, latency_text, letters

_CELL, _LINE, _LETTER = 22, 20, 7.2
_LEGEND_WIDTH = 760
_FAULT_COLORS = ("#c0392b", "#8e44ad", "#d35400", "#2c3e90", "#7b241c", "#00695c")
_FAST, _SLOW = "#d5f0dc", "#f6e3a1"
_SLOW_MS = 10.0
_NOT_PROBED = "#eeeeee"
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="sans-serif" font-size="12">"""


def render_matrix_svg(matrix: Matrix) -> str:
    """Return an SVG: rows are sources, columns destinations; hovering over a cell says more."""
    names = (*matrix.sources, *matrix.destinations)
    margin = int(max(map(len, names), default=0) * _LETTER) + 16
    table_height = margin + _CELL * len(matrix.sources)
    width = max(margin * 2 + _CELL * len(matrix.destinations), _LEGEND_WIDTH)
    height = table_height + _LINE * (len(matrix.groups) + 2)
    parts = [
        _SVG.format(width=width, height=height),
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_names(matrix, margin),
        *_cells(matrix, margin),
        *_legend(matrix, table_height + _LINE),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _names(matrix: Matrix, margin: int) -> Iterator[str]:
    for number, name in enumerate(matrix.destinations):
        x = margin + _CELL * number + _CELL // 2 + 4
        turned = f'transform="translate({x},{margin - 6}) rotate(-90)"'
        yield f"<text {turned}>{escape(name)}</text>"
    for number, name in enumerate(matrix.sources):
        y = margin + _CELL * number + _CELL // 2 + 4
        yield f'<text x="{margin - 6}" y="{y}" text-anchor="end">{escape(name)}</text>'


def _cells(matrix: Matrix, margin: int) -> Iterator[str]:
    results = {result.names: result for result in matrix.results}
    marks = letters(matrix)
    for row, source in enumerate(matrix.sources):
        for column, destination in enumerate(matrix.destinations):
            pair = (source, destination)
            x, y = margin + _CELL * column, margin + _CELL * row
            result, mark = results.get(pair), marks.get(pair, "")
            shape = f'x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}"'
            said = escape(f"{source} to {destination}: {_say(result, mark)}")
            color = _color(result, mark)
            yield f'<rect {shape} fill="{color}"><title>{said}</title></rect>'
            if mark:
                middle = f'x="{x + _CELL // 2}" y="{y + _CELL // 2 + 4}" text-anchor="middle"'
                yield f'<text {middle} fill="white" pointer-events="none">{escape(mark)}</text>'


def _say(result: PairResult | None, mark: str) -> str:
    if result is None:
        return "not probed"
    return mark if result.round_trip_ns is None else f"{latency_text(result.round_trip_ns)} ms"


def _color(result: PairResult | None, mark: str) -> str:
    if mark:
        return _FAULT_COLORS[max(LETTERS.find(mark), 0) % len(_FAULT_COLORS)]
    if result is None or result.round_trip_ns is None:
        return _NOT_PROBED
    return _between(_FAST, _SLOW, result.round_trip_ns / 1e6)


def _between(fast: str, slow: str, time_ms: float) -> str:
    """A colour by the latency's order of magnitude, from 0.01 ms to _SLOW_MS."""
    share = min(max((log10(max(time_ms, 1e-3)) + 2) / (log10(_SLOW_MS) + 2), 0), 1)
    mixed = (
        round(int(fast[at : at + 2], 16) * (1 - share) + int(slow[at : at + 2], 16) * share)
        for at in (1, 3, 5)
    )
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _legend(matrix: Matrix, top: int) -> Iterator[str]:
    for number, group in enumerate(matrix.groups):
        mark = LETTERS[number] if number < len(LETTERS) else "?"
        color = _FAULT_COLORS[number % len(_FAULT_COLORS)]
        pairs = "1 pair" if len(group.pairs) == 1 else f"{len(group.pairs)} pairs"
        text = escape(f"{mark}  {pairs}: {group.code}: {group.summary}")
        yield f'<text x="12" y="{top + _LINE * number}" fill="{color}">{text}</text>'
    if not matrix.groups:
        said = f"all {len(matrix.results)} pairs got their answers"
        yield f'<text x="12" y="{top}">{said}</text>'
