"""What a verb asks before it does anything: whether lab and node are there, and can be had."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vnetlab.errors import KernelRefusedError, MissingFeatureError, UsageError
from vnetlab.kernel import processes, sysctls
from vnetlab.kernel.features import missing_features
from vnetlab.kernel.labdir import LabDir, list_labs
from vnetlab.state.features import Feature, required_features
from vnetlab.state.objects import Object, State
from vnetlab.state.show import describe
from vnetlab.topology.store import parse, parse_source
from vnetlab.topology.topology import Topology
from vnetlab.topology.wording import did_you_mean


def existing_lab(name: str, root: Path) -> LabDir:
    """Return the lab of that name. Raises UsageError if it is not up, complete or not."""
    lab = LabDir(root, name)
    if not lab.exists:
        raise UsageError(f"no lab '{name}' is up", fix=did_you_mean(name, list_labs(root)))
    return lab


def cached_topology(lab: LabDir) -> Topology:
    """Return the topology that the lab was built from. Raises KernelRefusedError without one."""
    try:
        return parse(lab.topology.read_text())
    except FileNotFoundError:
        raise KernelRefusedError(
            f"lab '{lab.name}' was never completed",
            fix=f"run 'vnetlab up' on its file again, or 'vnetlab down {lab.name}'",
        ) from None


def refuse_another_file(lab: LabDir, topology: Topology) -> None:
    """Raise UsageError if the lab runs from another file than `topology` does."""
    if not lab.topology.exists():
        return
    if (running := parse_source(lab.topology.read_text())) != topology.source:
        raise UsageError(
            f"{topology.source}: lab '{lab.name}' is up already from {running}",
            fix=f"take it down with 'vnetlab down {lab.name}', or give this one another name",
        )


def refuse_inside(lab: LabDir, nodes: tuple[str, ...]) -> None:
    """Raise UsageError if the calling process is in one of these nodes of the lab."""
    if processes.inside(lab, nodes):
        raise UsageError(
            f"this shell runs inside lab '{lab.name}'", fix="leave it first, with 'exit'"
        )


def require_node(lab: LabDir, node: str) -> None:
    """Raise UsageError if the lab has no such node."""
    check_node(lab, node, lab.nodes())


def check_node(lab: LabDir, node: str, present: Collection[str]) -> None:
    """Raise UsageError if `node` is none of those that are present."""
    if node not in present:
        raise UsageError(f"lab '{lab.name}' has no node '{node}'", fix=did_you_mean(node, present))


def require_features(desired: State) -> None:
    """Raise MissingFeatureError with all that the kernel lacks for `desired`."""
    required = required_features(desired)
    lacking = missing_features(required)
    if lacking:
        raise MissingFeatureError(
            "this kernel has no " + ", no ".join(_with_need(f, required[f]) for f in lacking),
            fix="use --realm uml: 'vnetlab doctor' tells more",
        )


def require_settings(topology: Topology) -> None:
    """Raise MissingFeatureError for a sysctl of the topology that the kernel has not."""
    wanted = {vm.name: vm.sysctls for vm in topology.vms}
    wanted |= {host.name: host.sysctls for host in topology.hosts}
    wanted |= {router.name: router.sysctls for router in topology.routers}
    for name, settings in wanted.items():
        for key, _ in settings:
            if not sysctls.known(key):
                raise MissingFeatureError(
                    f"this kernel has no setting {key.replace('/', '.')} (wanted by {name})",
                    fix="leave it out, or use a kernel that has it",
                )


def _with_need(feature: Feature, example: Object | None) -> str:
    return f"{feature.label} (needed by {describe(example) if example else 'every lab'})"
