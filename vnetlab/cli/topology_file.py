"""A topology file loaded as the command line says: its path, `--set` and `--vars`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vnetlab.topology.topology import Topology


def load_topology(
    file: Path, settings: Iterable[str] | None, files: Iterable[Path] | None
) -> Topology:
    """The topology in `file`; what `settings` say goes before what the variables' `files` say.

    Raises UsageError and TopologyError.
    """
    from vnetlab.topology.load import load
    from vnetlab.topology.variables import parse_assignment, read_variables

    variables: dict[str, object] = {}
    for variables_file in files or ():
        variables |= read_variables(variables_file)
    variables |= dict(map(parse_assignment, settings or ()))
    return load(file, variables)
