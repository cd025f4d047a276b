"""`vnetlab status`."""

from __future__ import annotations

import typer

from vnetlab.cli.options import JsonOption, LabArgument


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(lab: LabArgument = None, *, json: JsonOption = False) -> None:
    """Show a lab's nodes, and where the kernel differs from the file.

    \b
    vnetlab status
    vnetlab status two-hypervisors --json
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab)

    import vnetlab.lab

    found = vnetlab.lab.status(name, labs_root())
    if json:
        from vnetlab.views.json_text import to_json

        typer.echo(to_json(found))
    else:
        from vnetlab.views.status import render_status

        typer.echo(render_status(found))
