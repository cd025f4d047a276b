"""Loading a topology file: text -> template -> YAML -> model -> defaults -> checks -> topology.

Reads that file and those that it includes, and nothing else; all after the reading is pure.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vnetlab.topology.addressing import assign_addresses
from vnetlab.topology.check_cables import check_cables
from vnetlab.topology.check_expect import check_expectations
from vnetlab.topology.check_limits import check_limits
from vnetlab.topology.check_loops import check_loops
from vnetlab.topology.check_networks import check_networks
from vnetlab.topology.check_overlays import check_overlays
from vnetlab.topology.check_policies import check_policies
from vnetlab.topology.check_ports import check_ports
from vnetlab.topology.check_references import check_references
from vnetlab.topology.check_routers import check_routers
from vnetlab.topology.check_running import check_running
from vnetlab.topology.check_switching import check_switching
from vnetlab.topology.check_wiring import check_wiring
from vnetlab.topology.defaults import fill_in
from vnetlab.topology.document import format_path
from vnetlab.topology.expand import apply_defaults, multiply
from vnetlab.topology.findings import Findings
from vnetlab.topology.include import read_documents
from vnetlab.topology.missing import add_nodes, add_parts
from vnetlab.topology.model_paths import is_object
from vnetlab.topology.resolve import resolve
from vnetlab.topology.shape import read_model
from vnetlab.topology.warnings import find_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vnetlab.errors import Problem
    from vnetlab.topology import document
    from vnetlab.topology.model import File
    from vnetlab.topology.topology import Topology

_NO_VARIABLES: Mapping[str, object] = MappingProxyType({})


def load(path: Path, variables: Mapping[str, object] = _NO_VARIABLES) -> Topology:
    """The topology in the file `path`, its template rendered with `variables`.

    Raises TopologyError with everything that is wrong in the file. The same file and variables
    give an equal topology, always.
    """
    return load_with_warnings(path, variables)[0]


def load_with_warnings(
    path: Path, variables: Mapping[str, object] = _NO_VARIABLES
) -> tuple[Topology, tuple[Problem, ...]]:
    """The topology in the file `path`, as `load` reads it, and what is likely wrong with it."""
    content, problems = read_documents(path, variables)
    findings = Findings(content.places, problems)
    file = _complete(read_model(content, findings), path, findings)
    check_references(file, findings)
    check_expectations(file, findings)
    check_switching(file, findings)
    check_wiring(file, findings)
    check_loops(file, findings)
    check_cables(file, findings)
    check_ports(file, findings)
    check_limits(file, findings)
    check_networks(file, findings)
    check_overlays(file, findings)
    check_policies(file, findings)
    check_routers(file, findings)
    check_running(file, findings)
    findings.raise_if_any()
    addresses = assign_addresses(file, findings)
    findings.raise_if_any()
    find_warnings(file, findings)
    lines = _find_lines(content.places, findings)
    topology = resolve(file, addresses, source=str(path.resolve()), lines=lines)
    return topology, findings.warnings()


def _complete(file: File, path: Path, findings: Findings) -> File:
    """The file with all that it leaves out, says once for many, or takes for granted."""
    defaults = getattr(file, "defaults", None)
    file = multiply(apply_defaults(file, defaults), findings)
    file = apply_defaults(add_nodes(file), defaults)
    return fill_in(apply_defaults(add_parts(file), defaults), path)


def _find_lines(paths: Iterable[document.Path], findings: Findings) -> tuple[tuple[str, str], ...]:
    lines: dict[str, str] = {}
    files: dict[str, str] = {}
    for path in paths:
        if path[:1] != ("defaults",) and (is_object(path) or path[-2:-1] == ("networks",)):
            file, line = findings.line(path)
            if file not in files:
                files[file] = str(Path(file).resolve())
            for copy in findings.copies(path):
                lines[format_path(copy)] = f"{files[file]}:{line}"
    return tuple(sorted(lines.items()))
