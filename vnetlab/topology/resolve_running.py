"""Services with a name each, and limits (pure)."""

from __future__ import annotations

import posixpath
from itertools import count
from typing import TYPE_CHECKING

from vnetlab.topology.names import make_name
from vnetlab.topology.running import Limits, Service

if TYPE_CHECKING:
    from vnetlab.topology.model_running import Running

_NAMELESS = "run"


def resolve_services(node: Running) -> tuple[Service, ...]:
    """The services of the node in the file's order."""
    taken = {service.name for service in node.run if service.name is not None}
    found = []
    for service in node.run:
        command = service.command or ""
        name = service.name or _free_name(command, taken)
        taken.add(name)
        found.append(Service(name=name, command=command))
    return tuple(found)


def resolve_limits(node: Running) -> Limits:
    """The limits of the node; neither set where the file has none."""
    if node.limits is None:
        return Limits()
    return Limits(cpu_thousandths=node.limits.cpu, memory_bytes=node.limits.memory)


def _free_name(command: str, taken: set[str]) -> str:
    """The name of the command's program, with a number where that is another service's."""
    words = command.split()
    name = make_name(posixpath.basename(words[0])) if words else ""
    name = name or _NAMELESS
    numbered = (f"{name}-{number}" for number in count(2))
    return next(free for free in (name, *[next(numbered) for _ in taken]) if free not in taken)
