"""What is allowed and likely wrong: a VLAN that stops halfway, a network that nobody uses (pure).

Asked only where nothing is wrong, about a file that is filled in. Faults may be wanted here: they
are what one learns from. So they are told, and the lab is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vnetlab.topology.check_networks import routed_networks
from vnetlab.topology.check_wiring import join_ends, root_of, uplinks
from vnetlab.topology.model_ports import networks_of
from vnetlab.topology.wording import join_choices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_cables import Cable


@dataclass(frozen=True, slots=True)
class Attachment:
    """An interface of a node in a network, and the switch that it is plugged into."""

    network: str
    node: str
    switch: str


def find_warnings(file: File, findings: Findings) -> None:
    """Note everything that is likely wrong."""
    attachments = tuple(attachments_of(file))
    for name in file.networks:
        here = [it for it in attachments if it.network == name]
        if not here:
            text, fix = "no node is in this network", "name it in the nics of a VM, or remove it"
            _warn_written(("networks", name), text, fix, findings)
        else:
            _warn_of_parts(name, here, file, findings)
            _warn_unreachable(name, here, attachments, file, findings)
    _warn_of_uplinks(file, findings)
    _warn_of_lone_switches(file, attachments, findings)
    _warn_of_unused(file, findings)
    for name, members in file.groups.items():
        if not members:
            _warn_written(("groups", name), "nobody is in this group", "", findings)


def attachments_of(file: File) -> Iterator[Attachment]:
    """Every interface in a network, and where it is plugged in."""
    for name, vm in file.vms.items():
        for nic in vm.nics or ():
            for network in networks_of(nic):
                yield Attachment(network, name, f"{vm.on}.{nic.vswitch}")
    for name, host in file.hosts.items():
        for host_nic in host.nics or ():
            for network in networks_of(host_nic):
                yield Attachment(network, name, str(host_nic.to))
    for name, hypervisor in file.hypervisors.items():
        for own in hypervisor.nics or ():
            yield Attachment(str(own.network), name, f"{name}.{own.vswitch}")
    for name, router in file.routers.items():
        place = router.to or f"{router.on}.{router.vswitch}"
        for attached in router.networks or ():
            yield Attachment(str(attached.network), name, place)


def _warn_of_parts(name: str, here: Sequence[Attachment], file: File, findings: Findings) -> None:
    """Warn where the switches do not bring the network's nodes together, as VTEPs always do."""
    vlan = file.networks[name].vlan
    if file.networks[name].vxlan is not None:
        return
    joined: dict[str, str] = {}
    refusing: list[tuple[Path, tuple[str, str]]] = []
    for path, ends, carried in uplinks(file):
        if vlan is None or carried is None or vlan in carried:
            join_ends(joined, *ends)
        else:
            refusing.append((path, ends))
    parts: dict[str, list[Attachment]] = {}
    for attachment in here:
        parts.setdefault(root_of(joined, attachment.switch), []).append(attachment)
    main = max(parts, key=lambda root: len(parts[root]))
    for root in parts.keys() - {main}:
        _warn_of_part(name, vlan, (parts[root], parts[main]), refusing, joined, findings)


def _warn_of_part(
    name: str,
    vlan: int | None,
    sides: tuple[list[Attachment], list[Attachment]],
    refusing: list[tuple[Path, tuple[str, str]]],
    joined: dict[str, str],
    findings: Findings,
) -> None:
    one, other = (join_choices(dict.fromkeys(it.node for it in side)) for side in sides)
    roots = {root_of(joined, side[0].switch) for side in sides}
    where = next(
        (path for path, ends in refusing if roots & {root_of(joined, end) for end in ends}), None
    )
    what = f"network '{name}'" if vlan is None else f"VLAN {vlan} (network '{name}')"
    text = f"{what} does not get from {sides[0][0].switch} to {sides[1][0].switch}"
    text += f": {one} cannot reach {other}"
    if where is None:
        findings.warn(("networks", name), text, fix="connect them, or give each its own network")
    else:
        findings.warn((*where, "vlans"), text, fix=f"add {vlan} here")


def _warn_unreachable(
    name: str,
    here: Sequence[Attachment],
    attachments: Sequence[Attachment],
    file: File,
    findings: Findings,
) -> None:
    """Warn of nodes that have no way out of their only network, where others have."""
    routed = routed_networks(file)
    if name in routed or not routed:
        return
    elsewhere = {it.node for it in attachments if it.network != name} | file.hypervisors.keys()
    shut_in = [it.node for it in here if it.node not in elsewhere]
    if shut_in:
        text = f"no router has this network: {join_choices(dict.fromkeys(shut_in))} cannot leave it"
        _warn_written(("networks", name), text, "add it to the networks of one", findings)


def _warn_of_uplinks(file: File, findings: Findings) -> None:
    """Warn of pNICs that carry what is not there, or less than networks need."""
    lower = {name: it for name, it in file.networks.items() if it.vxlan is None}
    vlans = {network.vlan: name for name, network in lower.items()}
    for hypervisor_name, hypervisor in file.hypervisors.items():
        for name, pnic in (hypervisor.pnics or {}).items():
            path: Path = ("hypervisors", hypervisor_name, "pnics", name)
            for index, vlan in enumerate(pnic.vlans or ()):
                if vlan not in vlans:
                    text = f"no network has VLAN {vlan}"
                    findings.warn((*path, "vlans", index), text)
            carried = [
                network_name
                for network_name, network in lower.items()
                if pnic.vlans is None or network.vlan in pnic.vlans
            ]
            _warn_of_mtu(path, pnic, carried, file, findings)
    for host_name, host in file.hosts.items():
        for index, nic in enumerate(host.nics or ()):
            path = ("hosts", host_name, "nics", index)
            _warn_of_mtu(path, nic, networks_of(nic), file, findings)
    for router_name, router in file.routers.items():
        names = [str(it.network) for it in router.networks or ()]
        _warn_of_mtu(("routers", router_name), router, names, file, findings)


def _warn_of_mtu(
    path: Path, cable: Cable, networks: Iterable[str], file: File, findings: Findings
) -> None:
    """Warn of a cable that large packets of one of its networks do not fit through."""
    widest = max(networks, key=lambda name: file.networks[name].mtu, default="")
    if cable.mtu is None or not widest:
        return
    needed = file.networks[widest].mtu
    if cable.mtu < needed:
        text = f"got {cable.mtu}, but packets of network '{widest}' have up to {needed} bytes: "
        text += "large ones are lost here"
        findings.warn((*path, "mtu"), text, fix=f"write {needed} or more")


def _warn_of_lone_switches(
    file: File, attachments: Sequence[Attachment], findings: Findings
) -> None:
    used = {it.switch for it in attachments} | {end for _, ends, _ in uplinks(file) for end in ends}
    for name in file.physical_switches.keys() - used:
        text = "nothing is connected to this switch"
        _warn_written(("physical_switches", name), text, "", findings)


def _warn_of_unused(file: File, findings: Findings) -> None:
    """Warn of settings for ports that no port has."""
    nics = [nic for vm in file.vms.values() for nic in vm.nics or ()]
    for name in file.port_groups.keys() - {nic.port_group for nic in nics}:
        text = "no vNIC is in this port group"
        _warn_written(("port_groups", name), text, "name it in the nics of a VM", findings)
    used = {name for nic in nics for name in nic.security_groups}
    used |= {name for group in file.port_groups.values() for name in group.security_groups}
    for name in file.security_groups.keys() - used:
        text = "no vNIC is in this security group"
        fix = "name it in the nics of a VM, or in a port group"
        _warn_written(("security_groups", name), text, fix, findings)


def _warn_written(path: Path, text: str, fix: str, findings: Findings) -> None:
    """Warn of an object, if it is one that the user wrote."""
    if findings.has(path):
        findings.warn(path, text, fix=fix)
