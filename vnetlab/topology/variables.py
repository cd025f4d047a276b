"""Variables for the template of a topology file: `--set NAME=VALUE` and `--vars FILE`.

Values are YAML, as in a topology file: `--set hv2_vlans=[20]` is a list, `--set name=web` a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.errors import TopologyError, UsageError
from vnetlab.topology.document import read_document
from vnetlab.topology.source import Source, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def parse_assignment(text: str) -> tuple[str, object]:
    """The name and value in `NAME=VALUE`. Raises UsageError."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise UsageError(f"--set: got {text!r}, expected NAME=VALUE", fix="as in --set vms=100")
    return name, _read(Source(f"--set {name}", value, value))


def read_variables(path: Path) -> Mapping[str, object]:
    """The variables in a YAML file. Raises TopologyError."""
    text = read_text(path)
    source = Source(str(path), text, text)
    variables = _read(source) or {}
    if not isinstance(variables, dict):
        raise TopologyError((source.problem(0, "got no mapping, expected NAME: VALUE lines"),))
    return variables


def _read(source: Source) -> object:
    document, problems = read_document(source)
    if problems:
        raise TopologyError(problems)
    return document.value
