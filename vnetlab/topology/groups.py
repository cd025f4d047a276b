"""Groups: named sets of nodes, and of other groups (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.names import check_name
from vnetlab.topology.wording import InvalidValueError, did_you_mean, show

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings

    _Groups = Mapping[str, Collection[str]]


def check_groups(groups: _Groups, nodes: Mapping[str, Path], findings: Findings) -> None:
    """Note names that are not valid or those of nodes, members that are none, groups in a circle.

    `nodes` are the lab's, each with its path.
    """
    choices = [*nodes, *groups]
    for name, members in groups.items():
        path: Path = ("groups", name)
        _check_name(path, name, nodes, findings)
        for index, member in enumerate(members):
            if member not in nodes and member not in groups:
                text = f"no node or group {show(member)}"
                findings.add((*path, index), text, fix=did_you_mean(member, choices))
        if _reaches(name, name, groups):
            findings.add(path, f"group '{name}' contains itself", fix="take it out")


def flatten(groups: _Groups) -> dict[str, tuple[str, ...]]:
    """The nodes of each group, also those of the groups in it; none may contain itself."""
    found: dict[str, tuple[str, ...]] = {}

    def nodes_of(name: str) -> tuple[str, ...]:
        if name not in groups:
            return (name,)
        if name not in found:
            nodes = (node for member in groups[name] for node in nodes_of(member))
            found[name] = tuple(dict.fromkeys(nodes))
        return found[name]

    return {name: nodes_of(name) for name in groups}


def _check_name(path: Path, name: str, nodes: Mapping[str, Path], findings: Findings) -> None:
    try:
        check_name(name)
    except InvalidValueError as error:
        findings.add_to_key(path, error.text, fix=error.fix)
    if name in nodes:
        where = f" ({findings.where(nodes[name])})" if findings.has(nodes[name]) else ""
        text = f"the name is that of a node{where}"
        findings.add_to_key(path, text, fix="give the group a name of its own")


def _reaches(start: str, goal: str, groups: _Groups) -> bool:
    """Whether the group `goal` is in the group `start`, however deep."""
    seen: set[str] = set()
    todo = list(groups.get(start, ()))
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            todo += groups.get(name, ())
    return False
