"""Defaults of overlay networks, and of hypervisors' interfaces in their underlays (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.model_overlays import HypervisorNic
from vnetlab.topology.overlays import free_vlans, overhead, overlay_attachments
from vnetlab.topology.values import LOWEST_MTU

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology.model import File, Hypervisor, Network


def place_overlays(networks: Mapping[str, Network]) -> dict[str, Network]:
    """`networks`, every overlay with an underlay and a VLAN for the vSwitches."""
    lower = [name for name, network in networks.items() if network.vxlan is None]
    overlays = [name for name in networks if name not in lower]
    unplaced = [name for name in overlays if networks[name].vlan is None]
    vlans = free_vlans((1, *(network.vlan for network in networks.values())), unplaced)
    placed = dict(networks)
    for name in overlays:
        network = networks[name]
        underlay = network.underlay or (lower[0] if len(lower) == 1 else None)
        vlan = vlans.get(name, network.vlan)
        placed[name] = network.model_copy(update={"underlay": underlay, "vlan": vlan})
    return placed


def fit_overlays(networks: Mapping[str, Network]) -> dict[str, Network]:
    """`networks`, every overlay that does not say it with the MTU that its underlay can carry."""
    fitted = dict(networks)
    for name, network in networks.items():
        underlay = networks.get(network.underlay or "")
        if network.vxlan is None or underlay is None or "mtu" in network.model_fields_set:
            continue
        mtu = max(underlay.mtu - overhead(underlay), LOWEST_MTU)
        fitted[name] = network.model_copy(update={"mtu": mtu})
    return fitted


def plug_in_hypervisors(file: File) -> dict[str, Hypervisor]:
    """The hypervisors of `file`, those that say nothing with a NIC in each underlay they need."""
    needed: dict[str, dict[str, None]] = {}
    for attached, underlay in overlay_attachments(file):
        needed.setdefault(attached.hypervisor, {})[underlay] = None
    plugged = {}
    for name, hypervisor in file.hypervisors.items():
        nics = hypervisor.nics
        if nics is None:
            nics = tuple(HypervisorNic(network=network) for network in needed.get(name, ()))
        nics = tuple(_fill_nic(nic, hypervisor, file) for nic in nics)
        plugged[name] = hypervisor.model_copy(update={"nics": nics})
    return plugged


def _fill_nic(nic: HypervisorNic, hypervisor: Hypervisor, file: File) -> HypervisorNic:
    vswitches = hypervisor.vswitches or {}
    choices = [name for name, vswitch in vswitches.items() if vswitch.pnics] or list(vswitches)
    network = nic.network or (next(iter(file.networks)) if len(file.networks) == 1 else None)
    vswitch = nic.vswitch or (choices[0] if len(choices) == 1 else None)
    return nic.model_copy(update={"network": network, "vswitch": vswitch})
