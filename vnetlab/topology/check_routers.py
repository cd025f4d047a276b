"""Where routers are, what they reach from there, and their VRFs (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.addressing import prefixes_of
from vnetlab.topology.external import EXTERNAL_LINK, POOL
from vnetlab.topology.wording import did_you_mean, show

if TYPE_CHECKING:
    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Router

_RESERVED_NAMES = {"lo", "all", "default", "eth0"}
"""Links of every router, and what sysctl(8) paths have beside those of links."""


def check_routers(file: File, findings: Findings) -> None:
    """Note what no router, and no bare-metal host beside it, can be or reach."""
    for name, router in file.routers.items():
        path: Path = ("routers", name)
        _check_place(path, router, findings)
        _check_vrfs(path, router, findings)
        if router.external:
            _check_external(path, router, file, findings)
        for index, attached in enumerate(router.networks or ()):
            at: Path = (*path, "networks", index)
            if router.on is None:
                _refuse_overlay(at, attached.network, "put the router 'on' one", file, findings)
            _check_vrf((*at, "vrf"), attached.vrf, router, findings)
        for index, route in enumerate(router.routes):
            at = (*path, "routes", index)
            if _check_vrf((*at, "vrf"), route.vrf, router, findings):
                _check_gateway(at, index, router, file, findings)
    for name, host in file.hosts.items():
        for index, nic in enumerate(host.nics or ()):
            path = ("hosts", name, "nics", index)
            for network in (nic.network, *(tagged.network for tagged in nic.tagged)):
                _refuse_overlay(path, network, "make it a VM, or route to it", file, findings)


def _check_place(path: Path, router: Router, findings: Findings) -> None:
    if router.on is not None and router.to is not None:
        text = f"got a physical switch, but the router is on hypervisor '{router.on}'"
        findings.add((*path, "to"), text, fix="leave one of 'on' and 'to' out")
    if router.on is None and router.vswitch is not None:
        text = "is for a router on a hypervisor: got no 'on' beside it"
        findings.add((*path, "vswitch"), text, fix="add 'on', or leave it out")


def _refuse_overlay(
    path: Path, network: str | None, fix: str, file: File, findings: Findings
) -> None:
    part = file.networks.get(network or "")
    if part is not None and part.vxlan is not None:
        text = f"network '{network}' is an overlay, which only hypervisors are in"
        findings.add(path, text, fix=fix)


def _check_vrfs(path: Path, router: Router, findings: Findings) -> None:
    holders: dict[int, str] = {}
    for name, vrf in router.vrfs.items():
        at: Path = (*path, "vrfs", name)
        if name in _RESERVED_NAMES:
            findings.add_to_key(at, f"the name '{name}' is the kernel's", fix="take another")
        if vrf.table is not None:
            holder = holders.setdefault(vrf.table, name)
            if holder != name:
                text = f"table {vrf.table} is that of VRF '{holder}' already"
                findings.add((*at, "table"), text, fix="give each its own, or none")


def _check_external(path: Path, router: Router, file: File, findings: Findings) -> None:
    """Some network can use the link to the host, and there are addresses for it."""
    if EXTERNAL_LINK in router.vrfs:
        text = f"the name '{EXTERNAL_LINK}' is that of the router's link to the host"
        findings.add_to_key((*path, "vrfs", EXTERNAL_LINK), text, fix="take another")
    attached = [it for it in router.networks or () if it.network in file.networks]
    plain = [file.networks[str(it.network)] for it in attached if it.vrf is None]
    at = (*path, "external")
    if attached and not plain:
        text = "every network of the router is in a VRF, which the host's network is not in"
        findings.add(at, text, fix="take one out of its VRF, or leave 'external' out")
    elif plain and all(network.ipv4 is None for network in plain):
        text = "no network of the router has IPv4, and the host is reached by no other"
        findings.add(at, text, fix="give one an 'ipv4' prefix, or leave 'external' out")
    for name, network in file.networks.items():
        if network.ipv4 is not None and POOL.subnet_of(network.ipv4):
            text = f"network '{name}' has all of {POOL}, where the addresses for it are from"
            findings.add(at, text, fix=f"give '{name}' another prefix")


def _check_vrf(path: Path, name: str | None, router: Router, findings: Findings) -> bool:
    """Whether the router has the VRF, or none is named."""
    if name is None or name in router.vrfs:
        return True
    fix = did_you_mean(name, router.vrfs) or f"add 'vrfs: {{{name}: {{}}}}' to the router"
    findings.add(path, f"no VRF {show(name)}", fix=fix)
    return False


def _check_gateway(path: Path, index: int, router: Router, file: File, findings: Findings) -> None:
    """The next router of a route is a neighbour in the same VRF."""
    route = router.routes[index]
    near = [
        prefix
        for attached in router.networks or ()
        if attached.vrf == route.vrf and attached.network in file.networks
        for prefix in prefixes_of(file.networks[str(attached.network)])
    ]
    if route.via is not None and not any(route.via in prefix for prefix in near):
        where = f"in VRF '{route.vrf}'" if route.vrf else "outside of VRFs"
        text = f"{route.via} is in no network of this router {where}"
        findings.add((*path, "via"), text, fix="name the VRF that the next router is in")
