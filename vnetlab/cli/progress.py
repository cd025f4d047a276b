"""A long step shown while it lasts: a bar on a terminal, a line per step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from vnetlab.realm.kernels.progress import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield what to call with the present step and its done part, 0 to 1 (None: not known).

    It writes to standard error; nothing of the bar stays behind.
    """
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(step: str, done: float | None) -> None:
            bar.update(task, description=step, total=None if done is None else 1.0, completed=done)

        yield show


def _lines() -> Progress:
    shown = ""

    def show(step: str, done: float | None) -> None:  # noqa: ARG001 # a bar's business
        nonlocal shown
        if step != shown:
            typer.echo(step, err=True)
            shown = step

    return show
