"""What text is written to (pure)."""

from __future__ import annotations

import textwrap

from msgspec import Struct

GREEN, RED, YELLOW, DIM = "\033[1;32m", "\033[1;31m", "\033[1;33m", "\033[2m"
_PLAIN = "\033[0m"
_LEAST_WIDTH = 20


class Terminal(Struct, frozen=True, kw_only=True):
    """What the text is written to: columns, and whether colours and non-ASCII letters are shown."""

    width: int
    color: bool = False
    unicode: bool = True

    def paint(self, text: str, color: str) -> str:
        """`text` in a colour, where there are colours."""
        return f"{color}{text}{_PLAIN}" if self.color else text

    @property
    def arrow(self) -> str:
        """From, to."""
        return "→" if self.unicode else "->"


def hang(label: str, text: str, width: int) -> list[str]:
    """`text` behind `label`, wrapped, its further lines indented."""
    return textwrap.wrap(f"{label}{text}", max(width, _LEAST_WIDTH), subsequent_indent=" " * 8)
