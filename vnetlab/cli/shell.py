"""`vnetlab shell`."""

from __future__ import annotations

import os

import typer

from vnetlab.cli.options import LabOption, NodeArgument


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(shell)


def shell(node: NodeArgument, lab: LabOption = None) -> None:
    """Open a shell on a node.

    \b
    vnetlab shell web1

    It is your own shell (SHELL), with the node's network and host name.
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root

    name = go_to_lab(lab, stdin=True)

    import vnetlab.lab

    vnetlab.lab.become(name, node, [os.environ.get("SHELL") or "/bin/sh"], labs_root())
