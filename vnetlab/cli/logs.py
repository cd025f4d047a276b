"""`vnetlab logs`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vnetlab.cli.options import LabOption, NodeArgument
from vnetlab.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    node: NodeArgument,
    service: Annotated[
        str | None,
        typer.Argument(metavar="SERVICE", help="One alone, without headings.", show_default=False),
    ] = None,
    lab: LabOption = None,
) -> None:
    """Print what a node's services ('run:' in the file) wrote.

    \b
    vnetlab logs web1
    vnetlab logs web1 http | tail
    """
    from vnetlab.cli.whereabouts import go_to_lab, labs_root
    from vnetlab.topology.wording import did_you_mean

    name = go_to_lab(lab)

    import vnetlab.lab

    found = vnetlab.lab.logs(name, node, labs_root())
    if not found:
        raise UsageError(f"node '{node}' has no services", fix="give it some with 'run:'")
    if service is None:
        for each, text in found.items():
            _write(f"==> {each} <==\n".encode() + text)
    elif service in found:
        _write(found[service])
    else:
        raise UsageError(
            f"node '{node}' has no service '{service}'", fix=did_you_mean(service, found)
        )


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.flush()
