"""What is plugged into what: uplinks, trunks, loops, and names within a hypervisor (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.defaults import vlans_of
from vnetlab.topology.document import format_path
from vnetlab.topology.names import kernel_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Hypervisor
    from vnetlab.topology.model_cables import Trunk

_RESERVED_NAMES = {"lo", "all", "default"}
"""The loopback link, and the two that sysctl(8) paths have beside those of links."""


def check_wiring(file: File, findings: Findings) -> None:
    """Note what cannot be plugged together as the file says."""
    for name, hypervisor in file.hypervisors.items():
        _check_uplinks(("hypervisors", name), hypervisor, findings)
        _check_link_names(name, file, findings)
    if not vlans_of(file.networks.values()):
        _refuse_vlans(file, findings)
    _check_loops(file, findings)


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
    for path, trunk in _trunks(file):
        for key in ("vlans", "native"):
            if getattr(trunk, key) is not None:
                fix = "give the networks a vlan, or leave this out"
                findings.add((*path, key), "no network has a VLAN", fix=fix)


def _trunks(file: File) -> Iterator[tuple[Path, Trunk]]:
    for name, hypervisor in file.hypervisors.items():
        for pnic_name, pnic in (hypervisor.pnics or {}).items():
            yield ("hypervisors", name, "pnics", pnic_name), pnic
    for name, switch in file.physical_switches.items():
        for index, link in enumerate(switch.links):
            yield ("physical_switches", name, "links", index), link


def _check_loops(file: File, findings: Findings) -> None:
    """Note uplinks and links that give a VLAN a second way: its frames would circle without end.

    A switch with a spanning tree breaks every loop that it is part of. Of a team's pNICs the
    vSwitch uses one at a time, or all of them as one.
    """
    reserves = set(_reserves(file))
    vlans = vlans_of(file.networks.values())
    for vlan in vlans or (None,):
        joined: dict[str, str] = {}
        for path, ends, carried in uplinks(file):
            if path in reserves or any(_has_stp(end, file) for end in ends):
                continue
            if vlan is not None and carried is not None and vlan not in carried:
                continue
            if not join_ends(joined, *ends):
                what = "a loop" if vlan is None else f"a loop for VLAN {vlan}"
                text = f"is a second way from {ends[0]} to {ends[1]}: {what}"
                findings.add(path, text, fix=_way_out(path))


def _way_out(path: Path) -> str:
    if path[0] == "hypervisors":
        return "remove it, carry other vlans on it, or make a team of the pNICs"
    return "remove it, carry other vlans on it, or give a switch of the loop 'stp: true'"


def _has_stp(end: str, file: File) -> bool:
    switch = file.physical_switches.get(end)
    return switch is not None and switch.stp is not None and switch.stp.enabled


def _reserves(file: File) -> Iterator[Path]:
    """The pNICs of teams but the first of each."""
    for name, hypervisor in file.hypervisors.items():
        for vswitch in (hypervisor.vswitches or {}).values():
            if vswitch.teaming is not None:
                for pnic in (vswitch.pnics or ())[1:]:
                    yield ("hypervisors", name, "pnics", pnic)


def uplinks(file: File) -> Iterator[tuple[Path, tuple[str, str], tuple[int, ...] | None]]:
    """Of each uplink and link of switches its path, two ends and VLANs of its trunk (None: all)."""
    for name, switch in file.physical_switches.items():
        for index, link in enumerate(switch.links):
            if link.to in file.physical_switches and link.to != name:
                yield ("physical_switches", name, "links", index), (name, link.to), link.vlans
    for name, hypervisor in file.hypervisors.items():
        for vswitch_name, vswitch in (hypervisor.vswitches or {}).items():
            for pnic_name in vswitch.pnics or ():
                pnic = (hypervisor.pnics or {}).get(pnic_name)
                if pnic and pnic.to in file.physical_switches:
                    path = ("hypervisors", name, "pnics", pnic_name)
                    yield path, (f"{name}.{vswitch_name}", pnic.to), pnic.vlans


def join_ends(joined: dict[str, str], one: str, two: str) -> bool:
    """Note that the two ends are joined; False if they were."""
    roots = root_of(joined, one), root_of(joined, two)
    joined[roots[0]] = roots[1]
    return roots[0] != roots[1]


def root_of(joined: dict[str, str], end: str) -> str:
    """The end that stands for all that `end` is joined to."""
    while joined.get(end, end) != end:
        end = joined[end]
    return end
