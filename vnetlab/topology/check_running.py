"""What can be wrong with services (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.names import check_name
from vnetlab.topology.wording import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_running import Running, Service


def check_running(file: File, findings: Findings) -> None:
    """Note every service without a command, or with a name that is wrong or another's."""
    for path, node in _nodes(file):
        seen: set[str] = set()
        for index, service in enumerate(node.run):
            _check_service((*path, "run", index), service, seen, findings)


def _nodes(file: File) -> Iterator[tuple[Path, Running]]:
    for name, vm in file.vms.items():
        yield ("vms", name), vm
    for name, host in file.hosts.items():
        yield ("hosts", name), host


def _check_service(path: Path, service: Service, seen: set[str], findings: Findings) -> None:
    if service.command is None:
        fix = "write '{command: python3 -m http.server 80}'"
        findings.add((*path, "command"), "got no command, expected one", fix=fix)
    if service.name is None:
        return
    try:
        check_name(service.name)
    except InvalidValueError as error:
        findings.add((*path, "name"), error.text, fix=error.fix)
    if service.name in seen:
        text = f"got '{service.name}', which another service of the node has"
        findings.add((*path, "name"), text, fix="give each its own name")
    seen.add(service.name)
