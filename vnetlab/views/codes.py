"""Codes of verdicts and their pages as text (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from vnetlab.diagnosis.pages.lookup import Entry
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.terminal import YELLOW, Terminal

_WIDE = 1000
_LEAST_WIDTH = 40


def render_codes(entries: Sequence[Entry]) -> str:
    """A line for each code."""
    columns = [
        Column(title="code", cells=tuple(it.code for it in entries)),
        Column(title="layer", cells=tuple(it.layer.value for it in entries)),
        Column(title="the object...", cells=tuple(it.page.phrase for it in entries)),
    ]
    return "\n".join(lay_out(columns, _WIDE))


def render_page(entry: Entry, terminal: Terminal) -> str:
    """All that is told of a code."""
    page = entry.page
    title = f"{entry.code} ({entry.layer.value}): the object {page.phrase}."
    first, *more = _wrap("", "    ", title, terminal)
    lines = [terminal.paint(first, YELLOW), *more]
    lines += ["", *_wrap("  ", "  ", page.what, terminal), "", "Elsewhere"]
    for text in page.elsewhere:
        lines += _wrap("  - ", "    ", text, terminal)
    lines += ["", "See it"]
    lines += [f"  vnetlab exec NODE -- {command}" for command in page.look]
    lines += ["", "Mend it", *_wrap("  ", "  ", page.fix, terminal)]
    return "\n".join(lines)


def _wrap(first: str, further: str, text: str, terminal: Terminal) -> list[str]:
    width = max(terminal.width, _LEAST_WIDTH)
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=further)
