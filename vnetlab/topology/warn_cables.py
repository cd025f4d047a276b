"""Cables that carry what is not there, or less than networks need, or tag it otherwise (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.model_ports import networks_of
from vnetlab.topology.trunks import inter_switch_links, trunks_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.model_cables import Cable
    from vnetlab.topology.trunks import InterSwitchLink, TrunkPort


def warn_of_cables(file: File, findings: Findings) -> None:
    """Warn of VLANs, MTUs and native VLANs that do not fit."""
    lower = {name: it for name, it in file.networks.items() if it.vxlan is None}
    vlans = {network.vlan for network in lower.values()}
    for path, trunk in trunks_of(file):
        for index, vlan in enumerate(trunk.vlans or ()):
            if vlan not in vlans:
                findings.warn((*path, "vlans", index), f"no network has VLAN {vlan}")
        carried = [
            name for name, it in lower.items() if trunk.vlans is None or it.vlan in trunk.vlans
        ]
        _warn_of_mtu(path, trunk, carried, file, findings)
    for host_name, host in file.hosts.items():
        for index, nic in enumerate(host.nics or ()):
            path = ("hosts", host_name, "nics", index)
            _warn_of_mtu(path, nic, networks_of(nic), file, findings)
    for router_name, router in file.routers.items():
        names = [str(it.network) for it in router.networks or ()]
        _warn_of_mtu(("routers", router_name), router, names, file, findings)
    for link in inter_switch_links(file):
        _warn_of_native(link, findings)


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


def _warn_of_native(link: InterSwitchLink, findings: Findings) -> None:
    """Warn of a link whose ends do not mean the same VLAN by a frame without a tag."""
    one, other = link.ports
    key = next((it for it in ("peer_native", "native") if findings.has((*link.path, it))), None)
    if key is not None and one.native != other.native:
        text = f"frames without a tag are {_place(one)} and {_place(other)}"
        findings.warn((*link.path, key), text, fix="write the native VLAN of the other end")


def _place(port: TrunkPort) -> str:
    vlan = f"VLAN {port.native}" if port.native is not None else "no VLAN"
    return f"in {vlan} at {port.switch}"
