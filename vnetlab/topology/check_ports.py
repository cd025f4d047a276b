"""Port groups, tagged networks and static routes: what can be, and what can be reached (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.addressing import prefixes_of
from vnetlab.topology.forms_ports import ALL
from vnetlab.topology.ip import Address, Network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Host, HostNic, Nic, RouterNetwork, Vm
    from vnetlab.topology.model_ports import Machine, PortGroup, Route, Tagged


def check_ports(file: File, findings: Findings) -> None:
    """Note what ports and routes cannot be as the file says."""
    for name, group in file.port_groups.items():
        _check_group(("port_groups", name), group, file, findings)
    for kind, name, guest in _guests(file):
        nics: tuple[Nic | HostNic, ...] = guest.nics or ()
        for index, nic in enumerate(nics):
            _check_nic((kind, name, "nics", index), nic, file, findings)
    for path, machine, networks in _machines(file):
        reached = [
            prefix
            for attached in networks
            if (network := file.networks.get(attached or ""))
            for prefix in prefixes_of(network)
        ]
        for index, route in enumerate(machine.routes):
            _check_route((*path, "routes", index), route, reached, findings)


def _guests(file: File) -> Iterator[tuple[str, str, Vm | Host]]:
    yield from (("vms", name, vm) for name, vm in file.vms.items())
    yield from (("hosts", name, host) for name, host in file.hosts.items())


def _machines(file: File) -> Iterator[tuple[Path, Machine, list[str | None]]]:
    """Every node that routes, and the networks that it is in."""
    for kind, name, guest in _guests(file):
        nics: tuple[Nic | HostNic, ...] = guest.nics or ()
        tagged: list[Tagged] = [it for nic in nics for it in nic.tagged]
        yield (kind, name), guest, [nic.network for nic in nics] + [it.network for it in tagged]
    for name, router in file.routers.items():
        attached: tuple[RouterNetwork, ...] = router.networks or ()
        yield ("routers", name), router, [it.network for it in attached]


def _check_group(path: Path, group: PortGroup, file: File, findings: Findings) -> None:
    if group.trunk is None:
        if group.native is not None and findings.is_sound((*path, "trunk")):
            text = "is for a trunk: got no trunk beside it"
            findings.add((*path, "native"), text, fix="add 'trunk: all', or leave it out")
        return
    if not any(network.vlan for network in file.networks.values()):
        fix = "give the networks a vlan, or leave this out"
        findings.add((*path, "trunk"), "no network has a VLAN", fix=fix)
    network = file.networks.get(group.network or "")
    if network is not None and group.native != network.vlan:
        text = f"got {group.native or 'nothing'}, expected VLAN {network.vlan} of '{group.network}'"
        fix = "the group's network is that of frames without a tag"
        findings.add((*path, "native"), text, fix=fix)


def _check_nic(path: Path, nic: Nic | HostNic, file: File, findings: Findings) -> None:
    group = file.port_groups.get(_group_of(nic))
    for index, tagged in enumerate(nic.tagged):
        at: Path = (*path, "tagged", index)
        network = file.networks.get(tagged.network or "")
        if network is None:
            continue
        if network.vlan is None:
            fix = "give the network a vlan, or name it in 'network'"
            findings.add(at, f"network '{tagged.network}' has no VLAN", fix=fix)
        elif group is not None and not _reaches(group, network.vlan):
            text = f"port group '{_group_of(nic)}' does not carry VLAN {network.vlan}"
            findings.add(at, text, fix="add it to the group's trunk")


def _group_of(nic: Nic | HostNic) -> str:
    """The name of the NIC's port group, empty without one."""
    return getattr(nic, "port_group", None) or ""


def _reaches(group: PortGroup, vlan: int) -> bool:
    """Whether a group's port carries the VLAN with a tag."""
    if group.trunk is None or vlan == group.native:
        return False
    return group.trunk == ALL or vlan in group.trunk


def _check_route(path: Path, route: Route, reached: list[Network], findings: Findings) -> None:
    if route.to is None:
        findings.add((*path, "to"), "missing", fix="a prefix such as 10.9.0.0/16, or 'default'")
        return
    if route.type != "unicast":
        if route.via is not None:
            text = f"got a gateway for a {route.type} route"
            findings.add((*path, "via"), text, fix="leave it out")
        return
    if route.via is None and findings.is_sound((*path, "type")):
        fix = "add the address of the next router, or a type such as blackhole"
        findings.add((*path, "via"), "missing", fix=fix)
    elif route.via and not isinstance(route.to, str) and route.to.version != route.via.version:
        text = f"got {route.via}, expected an IPv{route.to.version} address"
        findings.add((*path, "via"), text)
        return
    if route.via is not None and not _is_near(route.via, reached):
        text = f"{route.via} is in no network of this node"
        findings.add((*path, "via"), text, fix="the next router must be a neighbour")


def _is_near(address: Address, reached: list[Network]) -> bool:
    return any(address in prefix for prefix in reached if prefix.version == address.version)
