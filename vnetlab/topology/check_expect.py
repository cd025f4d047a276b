"""Expectations: each of nodes that are there, and of something that can be sent (pure)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from vnetlab.topology.check_references import NODE_KINDS
from vnetlab.topology.groups import flatten
from vnetlab.topology.wording import did_you_mean, show

if TYPE_CHECKING:
    from collections.abc import Collection

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_expect import Expectation


def check_expectations(file: File, findings: Findings) -> None:
    """Note what no probe could find out."""
    if not file.expect:
        return
    nodes = set(nodes_with_addresses(file))
    others = {name for kind in NODE_KINDS for name in getattr(file, kind)} - nodes
    usable = _usable_groups(file, nodes, findings)
    said: dict[object, int] = {}
    for index, item in enumerate(file.expect):
        path: Path = ("expect", index)
        if item.port is not None and item.proto == "icmp":
            findings.add((*path, "port"), "got a port for icmp", fix="write tcp/PORT or udp/PORT")
        _check_end((*path, "from"), item.from_, nodes, others, usable, findings)
        if not (item.to and is_address(item.to)):
            _check_end((*path, "to"), item.to, nodes, others, usable, findings)
        for at, name in enumerate(item.via or ()):
            if name not in nodes | others:
                fix = did_you_mean(name, sorted(nodes | others))
                findings.add((*path, "via", at), f"no node {show(name)}", fix=fix)
        _check_pairs(path, item, usable, findings)
        other = said.setdefault((item.from_, item.to, item.proto, item.port), index)
        if file.expect[other].blocked != item.blocked and item.from_ and item.to:
            text = f"is the opposite of expect[{other}] ({findings.where(('expect', other))})"
            findings.add(path, text, fix="remove one")


def nodes_with_addresses(file: File) -> tuple[str, ...]:
    """The nodes that can send and answer: those with an interface in a network."""
    return tuple(
        name
        for kind in NODE_KINDS
        for name, node in getattr(file, kind).items()
        if getattr(node, "nics", None) or getattr(node, "networks", None)
    )


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _usable_groups(file: File, nodes: Collection[str], findings: Findings) -> dict[str, set[str]]:
    """The nodes with addresses of each group; empty where there is something wrong with groups."""
    if not findings.is_sound(("groups",)):
        return {name: set(nodes) for name in file.groups}
    return {name: {*members} & {*nodes} for name, members in flatten(file.groups).items()}


def _check_end(
    path: Path,
    name: str | None,
    nodes: Collection[str],
    others: Collection[str],
    groups: dict[str, set[str]],
    findings: Findings,
) -> None:
    if name is None:
        findings.add(path, "missing: expected a node or a group")
    elif name in others or groups.get(name) == set():
        findings.add(path, f"{show(name)} has no interface in a network", fix="name a VM or router")
    elif name not in nodes and name not in groups:
        fix = did_you_mean(name, [*sorted(nodes), *groups])
        findings.add(path, f"no node or group {show(name)}", fix=fix)


def _check_pairs(
    path: Path, item: Expectation, groups: dict[str, set[str]], findings: Findings
) -> None:
    """Note an expectation of a node about itself."""
    sources, ends = (groups.get(str(name), {str(name)}) for name in (item.from_, item.to))
    if len(sources) == 1 and sources == ends and item.from_ is not None:
        findings.add(path, f"{show(next(iter(ends)))} is both ends", fix="name two nodes")
