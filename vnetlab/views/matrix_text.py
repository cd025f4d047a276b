"""A matrix of probes as text: a table of latencies and letters, then what each letter means (pure).

Where the table is too wide for the names of its columns, they are numbered, and a cell is one
character; where even that is too wide, the table is cut into blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from string import ascii_lowercase, ascii_uppercase

from vnetlab.diagnosis.common_cause import CommonCause, Matrix, Names
from vnetlab.views.terminal import DIM, GREEN, RED, YELLOW, Terminal, hang
from vnetlab.views.verdict_text import cause_facts

LETTERS = ascii_uppercase + ascii_lowercase
_MORE = "?"
"""The letter of the groups that have none of their own."""

_NOT_PROBED, _REACHED, _LOST_SOME = "-", ".", "*"
_UNIT = "ms"
_MANY_PAIRS = 12
_INDENT = " " * 6


def letters(matrix: Matrix) -> dict[Names, str]:
    """The letter of each failed pair: that of its group."""
    return {
        pair: LETTERS[number] if number < len(LETTERS) else _MORE
        for number, group in enumerate(matrix.groups)
        for pair in group.pairs
    }


def render_matrix(matrix: Matrix, terminal: Terminal) -> str:
    """The table, the groups of failed pairs, and what limits it."""
    blocks = ["\n".join(_table(matrix, terminal))] if matrix.results else []
    blocks.append("\n".join(_summary(matrix, terminal)))
    for number, group in enumerate(matrix.groups):
        letter = LETTERS[number] if number < len(LETTERS) else _MORE
        blocks.append("\n".join(_group(letter, group, terminal)))
    return "\n\n".join(blocks)


def latency_text(time_ns: int) -> str:
    """Milliseconds in about three characters."""
    time_ms = time_ns / 1e6
    digits = 2 if time_ms < 1 else 1 if time_ms < 10 else 0
    return f"{time_ms:.{digits}f}"


def _table(matrix: Matrix, terminal: Terminal) -> Iterator[str]:
    cells = _cells(matrix)
    texts = [cell for row in matrix.sources for cell in cells_of(cells, row, matrix.destinations)]
    left = max(map(len, (_UNIT, *matrix.sources)))
    widths = {name: max(len(name), max(map(len, texts))) for name in matrix.destinations}
    if left + sum(width + 2 for width in widths.values()) <= terminal.width:
        title = "".join(f"  {name:>{width}}" for name, width in widths.items())
        yield terminal.paint(f"{_UNIT:<{left}}{title}", DIM)
        for row in matrix.sources:
            shown = cells_of(cells, row, matrix.destinations)
            padded = (
                "  " + " " * (width - len(cell)) + _paint(cell, terminal)
                for cell, width in zip(shown, widths.values(), strict=True)
            )
            yield f"{row:<{left}}" + "".join(padded)
        return
    yield from _compact(matrix, cells, left, terminal)


def _compact(
    matrix: Matrix, cells: dict[Names, str], left: int, terminal: Terminal
) -> Iterator[str]:
    numbers = {name: number for number, name in enumerate(matrix.destinations, 1)}
    digits = len(str(len(numbers)))
    names = {row: f"{numbers.get(row, ''):>{digits}} {row:<{left}} " for row in matrix.sources}
    room = max(terminal.width - left - digits - 2, 10)
    outside = [name for name in numbers if name not in names]
    if outside:
        legend = ", ".join(f"{numbers[name]} {name}" for name in outside)
        yield from hang("columns: ", legend, terminal.width)
    for start in range(0, len(matrix.destinations), room):
        block = matrix.destinations[start : start + room]
        for place in range(digits):
            heads = (f"{numbers[name]:>{digits}}"[place] for name in block)
            yield terminal.paint(" " * (left + digits + 2) + "".join(heads), DIM)
        for row in matrix.sources:
            shown = (_short(cell) for cell in cells_of(cells, row, block))
            yield names[row] + "".join(_paint(cell, terminal) for cell in shown)


def cells_of(cells: dict[Names, str], row: str, columns: Iterable[str]) -> list[str]:
    """The cells of a row."""
    return [cells.get((row, column), _NOT_PROBED) for column in columns]


def _cells(matrix: Matrix) -> dict[Names, str]:
    cells: dict[Names, str] = dict(letters(matrix))
    for result in matrix.results:
        if result.round_trip_ns is not None:
            mark = _LOST_SOME if result.lost else ""
            cells[result.names] = latency_text(result.round_trip_ns) + mark
    return cells


def _short(cell: str) -> str:
    return cell if len(cell) == 1 else _LOST_SOME if cell.endswith(_LOST_SOME) else _REACHED


def _paint(cell: str, terminal: Terminal) -> str:
    if cell == _NOT_PROBED:
        return terminal.paint(cell, DIM)
    if cell[0] in LETTERS + _MORE:
        return terminal.paint(cell, RED)
    return terminal.paint(cell, YELLOW) if cell.endswith(_LOST_SOME) else cell


def _summary(matrix: Matrix, terminal: Terminal) -> Iterator[str]:
    total, failed = len(matrix.results), len(matrix.failures)
    if not total:
        yield terminal.paint("NOTHING TO PROBE", YELLOW)
    elif failed:
        text = f"{failed} of {total} pairs fail"
        if len(matrix.groups) > 1:
            text += f", for {len(matrix.groups)} causes"
        yield terminal.paint("FAULT", RED) + f" {text}"
    else:
        yield terminal.paint("OK", GREEN) + f"    all {total} pairs got their answers"
    if any(result.reached and result.lost for result in matrix.results):
        yield f"{_INDENT}{_LOST_SOME}: answered at the second attempt only"
    for why, pairs in _left_out(matrix).items():
        yield from hang(f"{_INDENT}{_NOT_PROBED}: ", f"{why} ({_count(pairs)})", terminal.width)
    for caution in matrix.cautions:
        yield from hang(f"{_INDENT}", caution, terminal.width)


def _left_out(matrix: Matrix) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, why in matrix.left_out:
        counts[why] = counts.get(why, 0) + 1
    return counts


def _group(letter: str, group: CommonCause, terminal: Terminal) -> Iterator[str]:
    cause = group.cause
    sure = f" ({cause.confidence.value})" if cause else ""
    head = f"{letter}  {_count(len(group.pairs))}: {group.code}{sure} "
    first, *more = hang(head, group.summary, terminal.width)
    yield terminal.paint(first, YELLOW)
    yield from more
    for name, fact in cause_facts(cause) if cause else ():
        yield from hang(f"{_INDENT}{name}: ", fact, terminal.width)
    yield from hang(f"{_INDENT}pairs: ", _pairs(group.pairs, terminal), terminal.width)


def _pairs(pairs: Sequence[Names], terminal: Terminal) -> str:
    shown = ", ".join(f"{a} {terminal.arrow} {b}" for a, b in pairs[:_MANY_PAIRS])
    hidden = len(pairs) - _MANY_PAIRS
    return f"{shown} and {hidden} more (--json has all)" if hidden > 0 else shown


def _count(pairs: int) -> str:
    return "1 pair" if pairs == 1 else f"{pairs} pairs"
