"""`vnetlab exec`."""

from __future__ import annotations

from typing import Annotated

import typer

from vnetlab.cli.options import LabOption, NodeArgument


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("exec", context_settings={"ignore_unknown_options": True})(exec_)


def exec_(
    node: NodeArgument,
    command: Annotated[list[str], typer.Argument(metavar="CMD", show_default=False)],
    lab: LabOption = None,
) -> None:
    """Run a command on a node: its network, its host name, your files.

    \b
    vnetlab exec web1 -- ping -c1 10.10.0.1
    vnetlab exec tor1 -- bridge vlan show
    vnetlab exec web1 -- nc -l 80 < page.html

    Exits with the command's own code.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab, stdin=True)

    import vnetlab.lab

    vnetlab.lab.become(name, node, command, labs_root())
