"""`vnetlab down`."""

from __future__ import annotations

import typer

from vnetlab.cli.options import LabArgument
from vnetlab.cli.waiting import say_that_it_waits


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(down)


def down(lab: LabArgument = None) -> None:
    """Take a lab away, whole or half built, and leave nothing behind.

    \b
    vnetlab down
    vnetlab down two-hypervisors

    Processes that still run in it are ended.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    import vnetlab.lab

    vnetlab.lab.down(name, labs_root(), waiting=say_that_it_waits(name))
    typer.echo(f"{name} is down")
