"""What a command says while another one holds the lab's lock."""

from __future__ import annotations

from collections.abc import Callable

import typer


def say_that_it_waits(lab: str) -> Callable[[], None]:
    """Return what to call when the lock is taken."""
    return lambda: typer.echo(f"waiting for another command on lab '{lab}' ...", err=True)
