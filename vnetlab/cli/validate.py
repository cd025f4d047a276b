"""`vnetlab validate`."""

from __future__ import annotations

import typer

from vnetlab.cli.options import FileArgument, JsonOption, SetOption, VarsOption
from vnetlab.errors import TopologyError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


def validate(
    file: FileArgument,
    set_: SetOption = None,
    vars_: VarsOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Say whether FILE is right, or all that is wrong in it.

    \b
    vnetlab validate lab.yaml
    vnetlab validate lab.yaml --set vms=20
    vnetlab validate lab.yaml --json      an empty list, or file, line, column... of each problem

    Exits with 2 if something is wrong; with warnings alone with 0. Touches no
    lab, needs no root and no kernel feature.
    """
    from vnetlab.cli.topology_file import load_topology, tell
    from vnetlab.views.json_text import to_json
    from vnetlab.views.plan import count_nodes

    try:
        topology, warnings = load_topology(file, set_, vars_)
    except TopologyError as error:
        if not json:
            raise
        typer.echo(to_json(error.problems))
        raise typer.Exit(error.exit_code) from None
    if json:
        typer.echo(to_json(warnings))
        return
    tell(warnings)
    typer.echo(f"{file} is valid: {count_nodes(topology)}")
