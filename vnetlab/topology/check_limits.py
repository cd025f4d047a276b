"""Limits of vNICs: averages, peaks and bursts that go together (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.check_cables import check_burst
from vnetlab.topology.limits import merge_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_limits import Limit, VnicShaping


def check_limits(file: File, findings: Findings) -> None:
    """Note what is wrong with the shaping of port groups."""
    for name, group in file.port_groups.items():
        if group.shaping is not None:
            mtu = max(_mtus(name, file), default=0)
            check_shaping(("port_groups", name, "shaping"), group.shaping, mtu, findings)


def _mtus(group: str, file: File) -> Iterator[int]:
    """Those of the networks that the group's vNICs are in."""
    for vm in file.vms.values():
        for nic in vm.nics or ():
            if nic.port_group == group:
                names = (nic.network, *(tagged.network for tagged in nic.tagged))
                yield from (file.networks[it].mtu for it in names if it in file.networks)


def check_shaping(path: Path, shaping: VnicShaping, mtu: int, findings: Findings) -> None:
    """Note what is wrong with the shaping at `path` of vNICs whose packets have up to `mtu` bytes.

    What both directions have is at its place for both.
    """
    for name, direction in (("to_vm", shaping.to_vm), ("from_vm", shaping.from_vm)):
        limit = merge_limit(shaping, direction)
        _check_limit((*path, name), limit, mtu, findings)


def _check_limit(path: Path, limit: Limit, mtu: int, findings: Findings) -> None:
    for key in ("peak", "burst"):
        if getattr(limit, key) is not None and limit.average is None:
            text = "got no average, expected one: this is about what is faster"
            findings.add(_place((*path, key), findings), text, fix="add an average")
    if limit.average is None:
        return
    if limit.peak is not None and limit.peak <= limit.average:
        text = "got no more than the average, expected more"
        findings.add(_place((*path, "peak"), findings), text, fix="leave it out, or raise it")
    if limit.burst is not None:
        at = _place((*path, "burst"), findings)
        check_burst(at, limit.burst, limit.average, mtu, findings)


def _place(path: Path, findings: Findings) -> Path:
    """The key at `path`, of one direction; where the file says it for both, that one."""
    return path if findings.has(path) else (*path[:-2], path[-1])
