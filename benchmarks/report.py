"""The results as Markdown, JSON and a picture; where they were measured."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from msgspec import to_builtins

from benchmarks.result import Result

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_ROW, _LABEL, _WIDTH = 22, 520, 900


def line(result: Result) -> str:
    """A result in a line."""
    return f"{result.verdict}: {result.claim}: {_value(result)} ({result.target}) {_times(result)}"


def machine(took_s: float) -> str:
    """The machine in a sentence, and how busy it was."""
    model = next(
        (text.split(":")[1].strip() for text in _cpuinfo() if text.startswith("model name")),
        platform.machine(),
    )
    return (
        f"{os.cpu_count()} x {model}, Linux {platform.release()}, Python "
        f"{platform.python_version()}; load {os.getloadavg()[0]:.1f} at the end, {took_s:.0f} s in "
        "all"
    )


def table(where: str, results: Sequence[Result]) -> str:
    """The results as Markdown."""
    head = (f"Measured on {where}.", "", "| claim | measured | target | | medians |")
    rows = (
        f"| {result.claim} | {_value(result)} | {result.target} | {result.verdict} | "
        f"{_times(result)} |"
        for result in results
    )
    return "\n".join((*head, "| --- | ---: | --- | --- | --- |", *rows)) + "\n"


def write(directory: Path, where: str, results: Sequence[Result]) -> None:
    """Write results.md, results.json and results.svg."""
    directory.mkdir(exist_ok=True)
    (directory / "results.md").write_text(table(where, results))
    rows = [{**to_builtins(result), "verdict": result.verdict} for result in results]
    content = json.dumps({"machine": where, "results": rows}, indent=2)
    (directory / "results.json").write_text(content + "\n")
    (directory / "results.svg").write_text(picture(results))


def insert(file: Path, where: str, results: Sequence[Result]) -> None:
    """Put the table between the marks of `file`. Raises ValueError where it has none."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{file}: got no marks, expected '{BEGIN}' and '{END}'")
    file.write_text(f"{before}{BEGIN}\n{table(where, results)}{END}{after}")


def picture(results: Sequence[Result]) -> str:
    """Bars: how far each number is from its limit, which is the line in the middle."""
    rows = [result for result in results if result.value is not None and str(result.target)]
    height = _ROW * len(rows) + 10
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
    middle = (_LABEL + _WIDTH) // 2
    return "\n".join(
        (
            f'{head} font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
            *(bar for place, result in enumerate(rows) for bar in _bar(place, result, middle)),
            f'<path d="M{middle} 0V{height}" stroke="black"/>',
            "</svg>\n",
        )
    )


def _bar(place: int, result: Result, middle: int) -> Iterator[str]:
    share = _share(result)
    width = min(share, 2) * (middle - _LABEL)
    color = "#2a7" if result.verdict == "holds" else "#c53"
    y = place * _ROW + 5
    yield f'<rect x="{_LABEL}" y="{y}" width="{width:.0f}" height="{_ROW - 6}" fill="{color}"/>'
    text = escape(f"{result.claim}: {_value(result)}")
    yield f'<text x="{_LABEL - 8}" y="{y + 13}" text-anchor="end">{text}</text>'


def _share(result: Result) -> float:
    """How much of its limit a number takes: 1 is just enough, less is better."""
    assert result.value is not None
    if result.target.least is not None:
        return result.target.least / max(result.value, 1e-9)
    most = result.target.most or 0
    return max(result.value, 0) / most if most else float(result.value > 0) * 2


def _value(result: Result) -> str:
    if result.value is None:
        return result.note
    return f"{result.value:.2f} {result.unit}".strip()


def _times(result: Result) -> str:
    times = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in result.medians)
    note = result.note if result.value is not None else ""
    return "; ".join(filter(None, (times, note)))


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()
