"""What is plugged into what: uplinks, trunks, and names within a hypervisor (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.defaults import vlans_of
from vnetlab.topology.document import format_path
from vnetlab.topology.names import kernel_name
from vnetlab.topology.trunks import trunks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Hypervisor

_RESERVED_NAMES = {"lo", "all", "default"}
"""The loopback link, and the two that sysctl(8) paths have beside those of links."""


def check_wiring(file: File, findings: Findings) -> None:
    """Note what cannot be plugged together as the file says."""
    for name, hypervisor in file.hypervisors.items():
        _check_uplinks(("hypervisors", name), hypervisor, findings)
        _check_link_names(name, file, findings)
    if not vlans_of(file.networks.values()):
        _refuse_vlans(file, findings)


def _check_uplinks(path: Path, hypervisor: Hypervisor, findings: Findings) -> None:
    """Each pNIC is the uplink of one vSwitch."""
    vswitches = hypervisor.vswitches or {}
    users: dict[str, str] = {}
    for vswitch_name, vswitch in vswitches.items():
        for index, pnic in enumerate(vswitch.pnics or ()):
            user = users.setdefault(pnic, vswitch_name)
            if user != vswitch_name:
                at = (*path, "vswitches", vswitch_name, "pnics", index)
                text = f"pNIC '{pnic}' is an uplink of vSwitch '{user}' already"
                findings.add(at, text, fix="name it in one of them")
    if not all(findings.is_sound((*path, "vswitches", name)) for name in vswitches):
        return
    for pnic in hypervisor.pnics or {}:
        if pnic not in users:
            text, fix = "is the uplink of no vSwitch", "name it in the pnics of one of them"
            findings.add((*path, "pnics", pnic), text, fix=fix)


def _check_link_names(name: str, file: File, findings: Findings) -> None:
    """pNICs, vSwitches and the vNICs' ports (`VM.eth0`) are links in one namespace."""
    first: dict[str, Path] = {}
    for link, path in _links(name, file):
        other = first.setdefault(kernel_name(link), path)
        if link in _RESERVED_NAMES:
            findings.add_to_key(path, f"the name '{link}' is the kernel's", fix="take another")
        elif other != path:
            text = f"the name of the link is that of {format_path(other)} already"
            findings.add_to_key(path, text, fix="take another")


def _links(name: str, file: File) -> Iterator[tuple[str, Path]]:
    path: Path = ("hypervisors", name)
    for vm_name, vm in file.vms.items():
        if vm.on == name:
            for index in range(len(vm.nics or ())):
                yield f"{vm_name}.eth{index}", ("vms", vm_name)
    for router_name, router in file.routers.items():
        if router.on == name:
            yield f"{router_name}.eth0", ("routers", router_name)
    for index in range(len(file.hypervisors[name].nics or ())):
        yield f"vmk{index}", (*path, "nics", index)
        yield f"{name}.vmk{index}", (*path, "nics", index)
    yield from ((pnic, (*path, "pnics", pnic)) for pnic in file.hypervisors[name].pnics or ())
    yield from ((it, (*path, "vswitches", it)) for it in file.hypervisors[name].vswitches or ())


def _refuse_vlans(file: File, findings: Findings) -> None:
    for path, trunk in trunks_of(file):
        for key in ("vlans", "native", "peer_native"):
            if getattr(trunk, key, None) is not None:
                fix = "give the networks a vlan, or leave this out"
                findings.add((*path, key), "no network has a VLAN", fix=fix)
