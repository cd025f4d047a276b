"""`vnetlab new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnetlab.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(new)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    star: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Instead: N hypervisors with a VM each around one physical switch.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a topology file to begin with, full of comments.

    \b
    vnetlab new lab.yaml
    vnetlab new star.yaml --star 20

    A file that is there already stays as it is.
    """
    from vnetlab.topology.starters import star as make_star
    from vnetlab.topology.starters import starter

    text = starter(str(file)) if star is None else make_star(str(file), star)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already", fix="give the new file another name") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    typer.echo(f"wrote {file}; 'vnetlab up {file}' builds the lab")
