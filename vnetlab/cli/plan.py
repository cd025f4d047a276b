"""`vnetlab plan`."""

from __future__ import annotations

import typer

from vnetlab.cli.options import FileArgument, JsonOption, SetOption, VarsOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    file: FileArgument,
    set_: SetOption = None,
    vars_: VarsOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Show what `up` would do, and do nothing.

    \b
    vnetlab plan lab.yaml
    """
    from vnetlab.cli.boot import refuse_external
    from vnetlab.cli.topology_file import load_topology, tell
    from vnetlab.cli.whereabouts import all_labs, enter, here, labs_root

    topology, warnings = load_topology(file, set_, vars_)
    if present := all_labs().get(topology.name):
        if present.realm is not here():
            refuse_external(topology, present.realm, "where the lab is already")
        enter(present.realm)
    tell(warnings)

    from vnetlab import lab
    from vnetlab.views.json_text import to_json
    from vnetlab.views.plan import render_plan

    todo = lab.plan(topology, labs_root())
    typer.echo(to_json(todo.changes) if json else render_plan(todo))
