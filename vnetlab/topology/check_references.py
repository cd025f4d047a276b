"""Names and what they refer to: valid, unique, and there (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.groups import check_groups
from vnetlab.topology.model import Nic
from vnetlab.topology.names import check_name
from vnetlab.topology.wording import InvalidValueError, did_you_mean, join_choices, show

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, HostNic, Hypervisor, Router
    from vnetlab.topology.model_overlays import HypervisorNic

NODE_KINDS = {
    "physical_switches": "physical switch",
    "hypervisors": "hypervisor",
    "vms": "VM",
    "hosts": "host",
    "routers": "router",
}


def check_references(file: File, findings: Findings) -> None:
    """Note every name that is not valid, not unique, or of nothing."""
    _check_names(file, findings)
    _check_unique(file, findings)
    check_groups(file.groups, nodes_of(file), findings)
    for name, hypervisor in file.hypervisors.items():
        _check_hypervisor(("hypervisors", name), hypervisor, file, findings)
        for index, own in enumerate(hypervisor.nics or ()):
            path: Path = ("hypervisors", name, "nics", index)
            _check_nic(path, own, hypervisor, file, findings)
    for name, vm in file.vms.items():
        path = ("vms", name)
        _check_one((*path, "on"), "hypervisor", vm.on, file.hypervisors, findings)
        for index, nic in enumerate(vm.nics or ()):
            _check_nic(
                (*path, "nics", index), nic, file.hypervisors.get(vm.on or ""), file, findings
            )
    for name, host in file.hosts.items():
        path = ("hosts", name)
        for index, host_nic in enumerate(host.nics or ()):
            _check_host_nic((*path, "nics", index), host_nic, file, findings)
    for name, group in file.port_groups.items():
        if group.network is not None:
            at = ("port_groups", name)
            _check_network(at, group.network, file, findings)
    for name, router in file.routers.items():
        path = ("routers", name)
        _check_router_place(path, router, file, findings)
        _check_router_networks(path, router, file, findings)
        if not router.networks:
            findings.add((*path, "networks"), "got no network, expected at least one")


def nodes_of(file: File) -> dict[str, Path]:
    """The names of all nodes, each with its path."""
    return {name: (kind, name) for kind in NODE_KINDS for name in getattr(file, kind)}


def _check_names(file: File, findings: Findings) -> None:
    if file.name is not None:
        try:
            check_name(file.name)
        except InvalidValueError as error:
            findings.add(("name",), error.text, fix=error.fix)
    for path in _named_paths(file):
        try:
            check_name(str(path[-1]))
        except InvalidValueError as error:
            findings.add_to_key(path, error.text, fix=error.fix)


def _named_paths(file: File) -> Iterator[Path]:
    for kind in ("networks", "port_groups", *NODE_KINDS):
        yield from ((kind, name) for name in getattr(file, kind))
    for name, hypervisor in file.hypervisors.items():
        yield from (("hypervisors", name, "pnics", pnic) for pnic in hypervisor.pnics or ())
        yield from (("hypervisors", name, "vswitches", it) for it in hypervisor.vswitches or ())
    for name, router in file.routers.items():
        yield from (("routers", name, "vrfs", it) for it in router.vrfs)


def _check_unique(file: File, findings: Findings) -> None:
    """Note nodes of different kinds with one name (of one kind, the reader has noted them)."""
    first: dict[str, Path] = {}
    for kind in NODE_KINDS:
        for name in getattr(file, kind):
            path = (kind, name)
            other = first.setdefault(name, path)
            if other != path:
                _note_shared_name(path, other, findings)


def _note_shared_name(path: Path, other: Path, findings: Findings) -> None:
    if not findings.has(path):
        path, other = other, path
    written = findings.has(other)
    where = findings.where(other) if written else "the default one"
    text = f"the name is taken by {NODE_KINDS[str(other[0])]} '{other[1]}' ({where})"
    findings.add_to_key(path, text, fix="give every node a name of its own")


def _check_hypervisor(path: Path, hypervisor: Hypervisor, file: File, findings: Findings) -> None:
    pnics, vswitches = hypervisor.pnics or {}, hypervisor.vswitches or {}
    for name, pnic in pnics.items():
        switches = file.physical_switches
        _check_one((*path, "pnics", name, "to"), "physical switch", pnic.to, switches, findings)
    for name, vswitch in vswitches.items():
        _check_list(
            (*path, "vswitches", name, "pnics"), "pNIC", vswitch.pnics or (), pnics, findings
        )


def _check_nic(
    path: Path,
    nic: Nic | HypervisorNic,
    hypervisor: Hypervisor | None,
    file: File,
    findings: Findings,
) -> None:
    group = None
    if isinstance(nic, Nic):
        if nic.port_group is not None:
            groups = file.port_groups
            _check_one((*path, "port_group"), "port group", nic.port_group, groups, findings)
        group = file.port_groups.get(nic.port_group or "")
        _check_tagged(path, nic, file, findings)
    optional = isinstance(nic, Nic) and (nic.tagged or (group and group.trunk))
    if nic.network is not None or not optional:
        _check_network(path, nic.network, file, findings)
    if hypervisor and hypervisor.vswitches:
        _check_one((*path, "vswitch"), "vSwitch", nic.vswitch, hypervisor.vswitches, findings)


def _check_host_nic(path: Path, nic: HostNic, file: File, findings: Findings) -> None:
    _check_one((*path, "to"), "physical switch", nic.to, file.physical_switches, findings)
    if nic.network is not None or not nic.tagged:
        _check_network(path, nic.network, file, findings)
    _check_tagged(path, nic, file, findings)


def _check_tagged(path: Path, nic: Nic | HostNic, file: File, findings: Findings) -> None:
    seen = {nic.network}
    for index, tagged in enumerate(nic.tagged):
        at: Path = (*path, "tagged", index)
        _check_network(at, tagged.network, file, findings)
        if tagged.network is not None and tagged.network in seen:
            text = f"network '{tagged.network}' is there already"
            findings.add(at, text, fix="remove one")
        seen.add(tagged.network)


def _check_router_place(path: Path, router: Router, file: File, findings: Findings) -> None:
    if router.on is None or router.to is not None:
        switches = file.physical_switches
        _check_one((*path, "to"), "physical switch", router.to, switches, findings)
    if router.on is not None:
        _check_one((*path, "on"), "hypervisor", router.on, file.hypervisors, findings)
        hypervisor = file.hypervisors.get(router.on)
        if hypervisor and hypervisor.vswitches:
            at = (*path, "vswitch")
            _check_one(at, "vSwitch", router.vswitch, hypervisor.vswitches, findings)


def _check_router_networks(path: Path, router: Router, file: File, findings: Findings) -> None:
    seen: set[str] = set()
    for index, attached in enumerate(router.networks or ()):
        at: Path = (*path, "networks", index)
        name = attached.network
        if name in seen:
            findings.add(at, f"network '{name}' is there already", fix="remove one")
        seen.add(name or "")
        _check_network(at, name, file, findings)


def _check_network(path: Path, name: str | None, file: File, findings: Findings) -> None:
    """Note a missing or unknown network, where it is written: alone or as a key."""
    short = findings.has(path) and not findings.has((*path, "network")) and name
    _check_one(path if short else (*path, "network"), "network", name, file.networks, findings)


def _check_list(
    path: Path, kind: str, names: Collection[str], choices: Collection[str], findings: Findings
) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            findings.add((*path, index), f"{kind} '{name}' is there already", fix="remove one")
        seen.add(name)
        _check_one((*path, index), kind, name, choices, findings)


def _check_one(
    path: Path, kind: str, name: str | None, choices: Collection[str], findings: Findings
) -> None:
    """Note that the name which `path` should have is missing, or is none of the `choices`."""
    if name is None:
        findings.add(
            path,
            f"missing: there is more than one {kind}",
            fix=f"choose from {join_choices(choices)}",
        )
    elif name not in choices:
        fix = did_you_mean(name, choices) or f"there is no {kind} at all"
        findings.add(path, f"no {kind} {show(name)}", fix=fix)
