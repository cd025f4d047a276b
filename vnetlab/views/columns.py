"""Text in columns that fit the width there is (pure).

Where they do not fit, columns are left out, the least important first, rather than wrapped; a
line that is too long even then is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

_ELLIPSIS = "..."
_GAPS = (2, 1)
"""Spaces between columns: as many as fit."""


class Column(Struct, frozen=True, kw_only=True):
    """A column: its title, its cells, and whether they stand on the right.

    `importance` says what may go: of those above 0 the least goes first, one of 0 never goes.
    """

    title: str
    cells: tuple[str, ...]
    right: bool = False
    importance: int = 0

    @property
    def width(self) -> int:
        """That of its widest cell."""
        return max(map(len, (self.title, *self.cells)))


def lay_out(columns: Sequence[Column], width: int) -> list[str]:
    """Return the title line and a line per row, none longer than `width`."""
    shown, gap = _fit([column for column in columns if any(column.cells)], width)
    rows = zip(*((column.title, *column.cells) for column in shown), strict=True)
    return [_cut(_line(shown, row, gap), width) for row in rows]


def _fit(columns: list[Column], width: int) -> tuple[list[Column], int]:
    """The columns that fit, and the gap between them: rather a narrow gap than a column less."""
    for gap in _GAPS:
        if sum(column.width for column in columns) + gap * (len(columns) - 1) <= width:
            return columns, gap
    least = min((c.importance for c in columns if c.importance), default=None)
    if least is None:
        return columns, _GAPS[-1]
    return _fit([column for column in columns if column.importance != least], width)


def _line(columns: Iterable[Column], row: Iterable[str], gap: int) -> str:
    cells = (
        cell.rjust(column.width) if column.right else cell.ljust(column.width)
        for column, cell in zip(columns, row, strict=True)
    )
    return (" " * gap).join(cells).rstrip()


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - len(_ELLIPSIS)] + _ELLIPSIS
