"""Overlay networks: an underlay that can carry them, and a way from every VTEP into it (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.overlays import overhead, overlay_attachments
from vnetlab.topology.values import LOWEST_MTU
from vnetlab.topology.wording import did_you_mean, join_choices, show

if TYPE_CHECKING:
    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Network


def check_overlays(file: File, findings: Findings) -> None:
    """Note what no overlay can be, or be carried by."""
    holders: dict[tuple[int, int], str] = {}
    for name, network in file.networks.items():
        path: Path = ("networks", name)
        if network.vxlan is None:
            if network.underlay is not None:
                text = "is for overlay networks: got no vxlan beside it"
                findings.add((*path, "underlay"), text, fix="add 'vxlan: 5001', or leave it out")
            continue
        _check_id(path, network, holders, findings)
        if _check_underlay(path, network, file, findings):
            _check_mtu(path, network, file.networks[str(network.underlay)], findings)
    _check_vteps(file, findings)


def _check_id(
    path: Path, network: Network, holders: dict[tuple[int, int], str], findings: Findings
) -> None:
    assert network.vxlan is not None
    if network.vxlan.id is None:
        findings.add((*path, "vxlan", "id"), "missing: a VNI", fix="write 'vxlan: 5001'")
        return
    holder = holders.setdefault((network.vxlan.id, network.vxlan.port), str(path[-1]))
    if holder != path[-1]:
        at = (*path, "vxlan", "id")
        text = f"VNI {network.vxlan.id} is that of network '{holder}' already"
        findings.add(at if findings.has(at) else at[:-1], text, fix="give each a VNI of its own")


def _check_underlay(path: Path, network: Network, file: File, findings: Findings) -> bool:
    """Whether the overlay has an underlay that is one."""
    at, lower = (*path, "underlay"), network.underlay
    choices = [
        other
        for other, it in file.networks.items()
        if it.vxlan is None and findings.is_sound(("networks", other, "vxlan"))
    ]
    if lower is None:
        text = "missing: there is more than one network that could carry it"
        fix = f"choose from {join_choices(choices)}"
        if not choices:
            text, fix = "missing: no network could carry it", "add one without a vxlan"
        findings.add(at, text, fix=fix)
    elif lower not in file.networks:
        findings.add(at, f"no network {show(lower)}", fix=did_you_mean(lower, choices))
    elif lower not in choices:
        text = f"got '{lower}', which is an overlay itself, expected a network without a vxlan"
        findings.add(at, text)
    return lower in choices


def _check_mtu(path: Path, network: Network, underlay: Network, findings: Findings) -> None:
    room = underlay.mtu - overhead(underlay)
    if network.mtu <= room or not findings.is_sound(("networks", str(network.underlay), "mtu")):
        return
    what = f"network '{network.underlay}' carries {underlay.mtu}, {overhead(underlay)} less for it"
    needed = max(network.mtu, LOWEST_MTU) + overhead(underlay)
    fix = f"give networks.{network.underlay} an mtu of {needed}"
    findings.add((*path, "mtu"), f"got {network.mtu}, expected {room} at most: {what}", fix=fix)


def _check_vteps(file: File, findings: Findings) -> None:
    """A hypervisor in an overlay is in the underlay, and has the overlay on one vSwitch."""
    used: dict[tuple[str, str], str] = {}
    for attached, underlay in overlay_attachments(file):
        hypervisor = file.hypervisors.get(attached.hypervisor)
        if hypervisor is None or underlay not in file.networks:
            continue
        path: Path = ("hypervisors", attached.hypervisor, "nics")
        if findings.is_sound(path) and all(n.network != underlay for n in hypervisor.nics or ()):
            text = f"got none in '{underlay}', which carries network '{attached.network}' here"
            findings.add(path, text, fix=f"add '{underlay}', or leave nics out")
        key = (attached.hypervisor, attached.network)
        vswitch = used.setdefault(key, attached.vswitch)
        if vswitch != attached.vswitch:
            text = (
                f"network '{attached.network}' is on vSwitch '{vswitch}' of this hypervisor "
                f"already: an overlay has one VTEP in it"
            )
            findings.add((*attached.path, "vswitch"), text, fix=f"take '{vswitch}'")
