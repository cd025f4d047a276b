"""Arguments and options that several commands share, and what the shell completes them with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnetlab.cli import whereabouts
from vnetlab.realm.choose import Realm


def _complete_lab(incomplete: str) -> list[str]:
    return [name for name in whereabouts.all_labs() if name.startswith(incomplete)]


def _complete_node(context: typer.Context, incomplete: str) -> list[str]:
    """The nodes of the lab that is named already, of all labs if none is."""
    named = context.params.get("lab")
    labs = [lab for name, lab in whereabouts.all_labs().items() if named in (None, name)]
    return sorted({node for lab in labs for node in lab.nodes if node.startswith(incomplete)})


FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The topology: YAML, with Jinja2 in it if you like.")
]
LabArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="LAB",
        help="Which lab; not needed where only one is up.",
        show_default=False,
        autocompletion=_complete_lab,
    ),
]
LabOption = Annotated[
    str | None,
    typer.Option(
        "--lab",
        metavar="LAB",
        help="Which lab; not needed where only one is up.",
        show_default=False,
        autocompletion=_complete_lab,
    ),
]
NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        help="A VM, router, hypervisor or switch.",
        show_default=False,
        autocompletion=_complete_node,
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="The node that sends.",
        show_default=False,
        autocompletion=_complete_node,
    ),
]
DestinationArgument = Annotated[
    str,
    typer.Argument(
        metavar="DESTINATION",
        help="The node that answers, or one of its addresses.",
        show_default=False,
        autocompletion=_complete_node,
    ),
]
RealmOption = Annotated[
    Realm, typer.Option("--realm", help="Where the lab lives; auto takes the first that can.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set a variable of the file's Jinja2 (the value is YAML); repeatable.",
        show_default=False,
    ),
]
VarsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--vars", metavar="FILE", help="Read variables from a YAML file.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
