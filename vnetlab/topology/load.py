"""Loading a topology file: text -> template -> YAML -> model -> defaults -> checks -> topology.

Reads that one file and nothing else; all after the reading is pure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vnetlab.topology.addressing import assign_addresses
from vnetlab.topology.check_cables import check_cables
from vnetlab.topology.check_networks import check_networks
from vnetlab.topology.check_references import check_references
from vnetlab.topology.check_wiring import check_wiring
from vnetlab.topology.defaults import fill_in
from vnetlab.topology.document import format_path, read_document
from vnetlab.topology.findings import Findings
from vnetlab.topology.model_paths import is_object
from vnetlab.topology.resolve import resolve
from vnetlab.topology.shape import read_model
from vnetlab.topology.source import Source, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from vnetlab.topology import document
    from vnetlab.topology.topology import Topology

_NO_VARIABLES: Mapping[str, object] = MappingProxyType({})
_TEMPLATE_SIGNS = ("{{", "{%", "{#")


def load(path: Path, variables: Mapping[str, object] = _NO_VARIABLES) -> Topology:
    """The topology in the file `path`, its template rendered with `variables`.

    Raises TopologyError with everything that is wrong in the file. The same file and variables
    give an equal topology, always.
    """
    source = _read_source(path, variables)
    content, problems = read_document(source)
    findings = Findings(source, content.places, problems)
    file = fill_in(read_model(content, findings), path)
    check_references(file, findings)
    check_wiring(file, findings)
    check_cables(file, findings)
    check_networks(file, findings)
    findings.raise_if_any()
    addresses = assign_addresses(file, findings)
    findings.raise_if_any()
    lines = _find_lines(str(path.resolve()), content.places, findings)
    return resolve(file, addresses, source=str(path.resolve()), lines=lines)


def _read_source(path: Path, variables: Mapping[str, object]) -> Source:
    text = read_text(path)
    if variables or any(sign in text for sign in _TEMPLATE_SIGNS):
        from vnetlab.topology.template import render  # jinja2 costs start-up time

        return render(str(path), text, variables)
    return Source(str(path), text, text)


def _find_lines(
    file: str, paths: Iterable[document.Path], findings: Findings
) -> tuple[tuple[str, str], ...]:
    objects = (path for path in paths if is_object(path) or path[-2:-1] == ("networks",))
    return tuple(sorted((format_path(path), f"{file}:{findings.line(path)}") for path in objects))
