"""A topology file loaded as the command line says: its path, `--set` and `--vars`.

Warnings are told by the process that does the work: in a lab kernel the command begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from vnetlab.errors import Problem
from vnetlab.topology.topology import Topology


def load_topology(
    file: Path, settings: Iterable[str] | None, files: Iterable[Path] | None
) -> tuple[Topology, tuple[Problem, ...]]:
    """The topology in `file` and its warnings; `settings` go before the variables' `files`.

    Raises UsageError and TopologyError.
    """
    from vnetlab.topology.load import load_with_warnings
    from vnetlab.topology.variables import parse_assignment, read_variables

    variables: dict[str, object] = {}
    for variables_file in files or ():
        variables |= read_variables(variables_file)
    variables |= dict(map(parse_assignment, settings or ()))
    return load_with_warnings(file, variables)


def tell(warnings: Iterable[Problem]) -> None:
    """Print the warnings, a line each, on standard error."""
    for warning in warnings:
        typer.echo(warning, err=True)
