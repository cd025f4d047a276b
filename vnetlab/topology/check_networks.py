"""Networks and the addresses in them: each VLAN, prefix, address and MAC once and usable (pure)."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from vnetlab.topology.addressing import gateways_of, host_range, prefix_of
from vnetlab.topology.document import format_path
from vnetlab.topology.values import LOWEST_IPV6_MTU

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Host, HostNic, Nic, RouterNetwork, Vm
    from vnetlab.topology.model import Network as NetworkPart
    from vnetlab.topology.model_overlays import HypervisorNic
    from vnetlab.topology.model_ports import Tagged
    from vnetlab.topology.topology import Address, Network

    Attached = Nic | HostNic | HypervisorNic | Tagged | RouterNetwork


def check_networks(file: File, findings: Findings) -> None:
    """Note what is wrong with networks and with the addresses that the file gives."""
    _check_vlans(file, findings)
    _check_overlaps(file, findings)
    for name, network in file.networks.items():
        _check_mtu(("networks", name), network, findings)
        _check_gateways(name, network, file, findings)
    _check_nics(file, findings)


def routed_networks(file: File) -> set[str]:
    """The names of the networks that some router has."""
    return {
        str(it.network)
        for router in file.routers.values()
        for it in router.networks or ()
        if it.network is not None
    }


def _check_vlans(file: File, findings: Findings) -> None:
    if not any(network.vlan for network in file.networks.values()):
        for name in list(file.networks)[1:]:
            text = "missing: without VLANs, several networks would be one"
            findings.add(("networks", name, "vlan"), text, fix="give each network a vlan")
        return
    first: dict[int | None, str] = {}
    for name, network in file.networks.items():
        if not findings.is_sound(("networks", name, "vxlan")):
            continue  # an overlay, which has a VLAN of its own
        other = first.setdefault(network.vlan, name)
        if other != name:
            path = ("networks", name, "vlan")
            default = "" if findings.has(path) else " (the default)"
            text = f"VLAN {network.vlan}{default} is that of network '{other}' already"
            findings.add(path, text, fix="give each network a VLAN of its own")


def _check_overlaps(file: File, findings: Findings) -> None:
    for version in (4, 6):
        prefixes = [
            (prefix, index, name)
            for index, (name, network) in enumerate(file.networks.items())
            if (prefix := prefix_of(network, version)) and findings.is_sound(("networks", name))
        ]
        widest: tuple[Network, int, str] | None = None  # so far: the one that reaches furthest
        for this in sorted(prefixes):
            if widest and widest[0].overlaps(this[0]):
                (other, _, other_name), (prefix, _, name) = sorted(
                    (widest, this), key=itemgetter(1)
                )
                text = f"{prefix} overlaps {other} of network '{other_name}'"
                fix = "give each network a prefix of its own"
                findings.add(("networks", name, f"ipv{version}"), text, fix=fix)
            if not widest or int(this[0][-1]) > int(widest[0][-1]):
                widest = this


def _check_mtu(path: Path, network: NetworkPart, findings: Findings) -> None:
    if network.ipv6 and network.mtu < LOWEST_IPV6_MTU:
        text = f"got {network.mtu}, expected {LOWEST_IPV6_MTU} or more, as the network has ipv6"
        findings.add((*path, "mtu"), text)


def _check_gateways(name: str, network: NetworkPart, file: File, findings: Findings) -> None:
    path: Path = ("networks", name, "gateway")
    if network.gateway is None or not findings.is_sound(path[:2]):
        return
    versions = [address.version for address in network.gateway]
    for index, address in enumerate(network.gateway):
        at = (*path, index) if findings.has((*path, index)) else path
        _check_address(at, address, name, network, findings)
        if address.version in versions[:index]:
            findings.add(at, f"got a second IPv{address.version} gateway, expected one per family")
    held = {it for _, attached in _attached(file) for it in (attached.ipv4, attached.ipv6)}
    nobody = name not in routed_networks(file) and not held & set(network.gateway)
    if nobody and findings.is_sound(("routers",)):
        fix = f"add '{name}' to the networks of a router, or leave the gateway out"
        findings.add(path, "no router holds this gateway", fix=fix)


def _check_nics(file: File, findings: Findings) -> None:
    holders: dict[object, str] = {}
    for name in sorted(routed_networks(file) & file.networks.keys()):
        for gateway in gateways_of(file.networks[name]):
            holders[gateway] = f"the gateway of network '{name}'"
    for path, attached in _attached(file):
        _check_attached(path, attached, file, findings)
        for key in ("ipv4", "ipv6", "mac"):
            value = getattr(attached, key, None)
            if path[0] != "routers" or value not in _gateways(attached, file):
                _check_single((*path, key), value, holders, findings)


def _gateways(attached: Attached, file: File) -> tuple[Address, ...]:
    """The gateways of its network: a router may say that it has one of them."""
    network = file.networks.get(attached.network or "")
    return gateways_of(network) if network else ()


def _attached(file: File) -> Iterator[tuple[Path, Attached]]:
    """Everything of the file that has addresses of its own in a network."""
    nodes: list[tuple[str, str, Vm | Host]] = [("vms", name, vm) for name, vm in file.vms.items()]
    nodes += [("hosts", name, host) for name, host in file.hosts.items()]
    for kind, name, node in nodes:
        nics: tuple[Nic | HostNic, ...] = node.nics or ()
        for index, nic in enumerate(nics):
            path: Path = (kind, name, "nics", index)
            yield path, nic
            yield from (((*path, "tagged", i), it) for i, it in enumerate(nic.tagged))
    for name, router in file.routers.items():
        path = ("routers", name, "networks")
        yield from (((*path, i), it) for i, it in enumerate(router.networks or ()))
    for name, hypervisor in file.hypervisors.items():
        path = ("hypervisors", name, "nics")
        yield from (((*path, i), it) for i, it in enumerate(hypervisor.nics or ()))


def _check_attached(path: Path, nic: Attached, file: File, findings: Findings) -> None:
    """Note addresses that it cannot have in its network."""
    network = file.networks.get(nic.network or "")
    if network is None or not findings.is_sound(("networks", str(nic.network))):
        return
    for key, address in (("ipv4", nic.ipv4), ("ipv6", nic.ipv6)):
        if address is not None:
            _check_address((*path, key), address, str(nic.network), network, findings)


def _check_single(
    path: Path, value: object, holders: dict[object, str], findings: Findings
) -> None:
    """Note an address or MAC that another has, the `holders` so far."""
    if value is None:
        return
    if value in holders:
        findings.add(path, f"{value} is {holders[value]} already", fix="give each its own")
    else:
        holders[value] = f"that of {format_path(path[:-1])} ({findings.where(path)})"


def _check_address(
    path: Path, address: Address, name: str, network: NetworkPart, findings: Findings
) -> None:
    """Note an address that no host can have in the network."""
    prefix = prefix_of(network, address.version)
    family = f"ipv{address.version}"
    if prefix is None:
        text, fix = f"network '{name}' has no {family}", f"give networks.{name} an {family} prefix"
        findings.add(path, text, fix=fix)
    elif address not in prefix:
        findings.add(path, f"got {address}, expected an address in {prefix} of network '{name}'")
    elif address not in host_range(prefix):
        text = f"got {address}, expected {host_range(prefix)} in network '{name}'"
        findings.add(path, text, fix="the first and last of an IPv4 prefix are not for hosts")
