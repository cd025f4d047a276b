"""The confusion matrix of a score as a picture (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape

from vnetlab.diagnosis.verdict import Layer
from vnetlab.faults.score import Result

_CELL, _LEFT, _TOP = 64, 190, 150
_NONE = "none"
_CORNER = "true layer \u2193  accused \u2192"
_STRONGEST = 0.85
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="sans-serif" font-size="13">"""


def render_confusion(results: Iterable[Result]) -> str:
    """Return an SVG: a row for each true layer, a column for each accused one, counts in cells."""
    counts: Counter[tuple[str, str]] = Counter()
    for result in results:
        if len(result.truth) == 1 and result.effective:
            accused = result.accused[0].layer.value if result.accused else _NONE
            counts[result.truth[0].layer.value, accused] += 1
    rows = [layer.value for layer in Layer]
    columns = [*rows, _NONE]
    width, height = _LEFT + _CELL * len(columns) + 20, _TOP + _CELL * len(rows) + 20
    parts = [
        _SVG.format(width=width, height=height),
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(
            _LEFT - 12, _TOP - 14, "true layer \u2193  accused \u2192", anchor="end", fill="#666"
        ),
    ]
    for number, name in enumerate(columns):
        x, y = _LEFT + _CELL * number + _CELL // 2, _TOP - 12
        parts.append(f'<text transform="translate({x},{y}) rotate(-45)">{escape(name)}</text>')
    for line, name in enumerate(rows):
        y = _TOP + _CELL * line
        parts.append(_text(_LEFT - 12, y + _CELL // 2 + 5, name, anchor="end"))
        total = sum(counts[name, column] for column in columns)
        for number, column in enumerate(columns):
            parts += _cell(
                _LEFT + _CELL * number, y, counts[name, column], total, right=name == column
            )
    return "\n".join([*parts, "</svg>\n"])


def _cell(x: int, y: int, count: int, total: int, *, right: bool) -> list[str]:
    share = count / total if total else 0
    color = "#2a8a4a" if right else "#c0392b"
    ink = "white" if share > _STRONGEST / 2 else "#222"
    opacity = share * _STRONGEST + 0.04
    shape = f'x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}"'
    middle = (x + _CELL // 2, y + _CELL // 2 + 5)
    return [
        f'<rect {shape} fill="{color}" fill-opacity="{opacity:.2f}"/>',
        _text(*middle, str(count or ""), anchor="middle", fill=ink),
    ]


def _text(x: int, y: int, text: str, *, anchor: str, fill: str = "black") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'
