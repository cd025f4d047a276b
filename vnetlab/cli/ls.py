"""`vnetlab ls`."""

from __future__ import annotations

import typer

from vnetlab.cli.options import JsonOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ls)


def ls(*, json: JsonOption = False) -> None:
    """List the labs that are up.

    \b
    vnetlab ls
    vnetlab ls --json
    """
    from vnetlab.cli.whereabouts import all_labs, tell_of_death

    labs = all_labs()
    if json:
        from vnetlab.views.json_text import to_json

        rows = [
            {"name": name, "realm": there.realm.value, "nodes": there.nodes}
            for name, there in labs.items()
        ]
        typer.echo(to_json(rows))
    elif labs:
        width = max(len("LAB"), *map(len, labs))
        typer.echo(f"{'LAB':{width}}  REALM     NODES")
        for name, there in labs.items():
            typer.echo(f"{name:{width}}  {there.realm.value:8}  {len(there.nodes)}")
    else:
        tell_of_death()
        typer.echo("no lab is up; 'vnetlab up FILE' builds one", err=True)
