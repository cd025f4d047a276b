"""`vnetlab schema`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(schema)


def schema() -> None:
    """Print the JSON Schema of topology files, for editors.

    \b
    vnetlab schema > vnetlab.schema.json

    \b
    The first line of a file that editors are to check by it:
    # yaml-language-server: $schema=vnetlab.schema.json
    """
    from vnetlab.topology.schema import json_schema
    from vnetlab.views.json_text import to_json

    typer.echo(to_json(json_schema()))
