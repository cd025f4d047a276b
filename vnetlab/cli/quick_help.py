"""The text of `vnetlab --help`, kept ready in help.txt.

It is Typer's own text: `python -m vnetlab.cli.quick_help` writes it anew (scripts/fix does) and a
test compares them. To have Typer make it takes several times as long as all else at start-up.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FILE = Path(__file__).with_name("help.txt")
_WIDTH = 80  # Typer's text is no wider; on a narrower terminal it has to make it to measure


def print_quickly(arguments: list[str]) -> bool:
    """Print the help and return True, if that is what `arguments` ask for and it fits."""
    if arguments not in (["--help"], ["-h"]) or _columns() < _WIDTH:
        return False
    sys.stdout.write(FILE.read_text(encoding="utf-8"))
    return True


def make_help() -> str:
    """Typer's own help text."""
    import subprocess

    command = [sys.executable, "-c", "from vnetlab.cli.app import app; app()", "--help"]
    environment = os.environ | {"COLUMNS": str(_WIDTH)}
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return text.stdout.replace("Usage: -c ", "Usage: vnetlab ")


def _columns() -> int:
    if (named := os.environ.get("COLUMNS", "")).isdecimal():
        return int(named)
    try:
        return os.get_terminal_size(1).columns
    except OSError:  # not a terminal
        return _WIDTH


if __name__ == "__main__":
    FILE.write_text(make_help(), encoding="utf-8")
