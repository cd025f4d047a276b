"""A lab's links as text (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from vnetlab.state.objects import Link
from vnetlab.state.show import ROLE_WORDS


def render_links(links: Mapping[str, Link]) -> str:
    """A line per link: its name, what it is, up or down."""
    rows = [("LINK", "WHAT", "STATE")]
    rows += [(name, _what(link), "up" if link.up else "DOWN") for name, link in links.items()]
    names, whats = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{name:{names}}  {what:{whats}}  {state}" for name, what, state in rows)


def _what(link: Link) -> str:
    return ROLE_WORDS[link.role] if link.role else "unknown"
