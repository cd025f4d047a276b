"""`vnetlab restart`."""

from __future__ import annotations

import time

import typer

from vnetlab.cli.options import LabOption, NodeArgument
from vnetlab.cli.waiting import say_that_it_waits


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(restart)


def restart(node: NodeArgument, lab: LabOption = None) -> None:
    """Make a node anew, as its topology says; end what runs on it.

    \b
    vnetlab restart web1
    vnetlab restart hv1 --lab two-hypervisors

    No other node is touched, but for the links that lead to this one.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    import vnetlab.lab

    started = time.monotonic()
    vnetlab.lab.restart(name, node, labs_root(), waiting=say_that_it_waits(name))
    typer.echo(f"{node} is up again in {time.monotonic() - started:.2f} s")
