"""From a model that is filled in and right to the resolved topology (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.addressing import gateways_of, prefixes_of
from vnetlab.topology.cables import resolve_cable
from vnetlab.topology.check_expect import nodes_with_addresses
from vnetlab.topology.defaults import NATIVE_VLAN, vlans_of
from vnetlab.topology.expectations import format_expectation
from vnetlab.topology.groups import flatten
from vnetlab.topology.overlays import Overlay
from vnetlab.topology.resolve_nodes import resolve_host, resolve_router, resolve_vm
from vnetlab.topology.resolve_policies import add_policies
from vnetlab.topology.switching import resolve_switches
from vnetlab.topology.topology import (
    Expectation,
    Group,
    Hypervisor,
    HypervisorNic,
    Pnic,
    Segment,
    Topology,
    VSwitch,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology import model, model_expect
    from vnetlab.topology.addressing import Addresses
    from vnetlab.topology.ip import Address


def resolve(
    file: model.File, addresses: Addresses, *, source: str, lines: tuple[tuple[str, str], ...]
) -> Topology:
    """The topology that `file` describes, its objects in the file's order."""
    vlans = vlans_of(file.networks.values())
    held = addresses.held()
    groups, answering = flatten(file.groups), frozenset(nodes_with_addresses(file))
    topology = Topology(
        name=str(file.name),
        source=source,
        segments=tuple(
            _resolve_segment(name, network, held) for name, network in file.networks.items()
        ),
        physical_switches=resolve_switches(file.physical_switches, vlans),
        hypervisors=tuple(
            _resolve_hypervisor(name, hypervisor, vlans, addresses)
            for name, hypervisor in file.hypervisors.items()
        ),
        vms=tuple(resolve_vm(name, vm, file, addresses) for name, vm in file.vms.items()),
        hosts=tuple(resolve_host(name, host, addresses) for name, host in file.hosts.items()),
        routers=tuple(
            resolve_router(name, router, addresses) for name, router in file.routers.items()
        ),
        security_groups=(),
        groups=tuple(Group(name=name, nodes=nodes) for name, nodes in groups.items()),
        expectations=tuple(_resolve_expectation(item, groups, answering) for item in file.expect),
        lines=lines,
    )
    return add_policies(file, topology)


def _resolve_expectation(
    item: model_expect.Expectation, groups: Mapping[str, tuple[str, ...]], answering: frozenset[str]
) -> Expectation:
    source, destination = str(item.from_), str(item.to)
    ends = {
        name: tuple(node for node in groups.get(name, (name,)) if node in answering) or (name,)
        for name in (source, destination)
    }
    text = format_expectation(
        source,
        destination,
        protocol=item.proto,
        port=item.port,
        via=", ".join(item.via or ()),
        blocked=item.blocked,
    )
    return Expectation(
        text=text,
        sources=ends[source],
        destinations=ends[destination],
        protocol=item.proto,
        port=item.port,
        via=item.via or (),
        blocked=item.blocked,
    )


def _resolve_segment(name: str, network: model.Network, held: frozenset[Address]) -> Segment:
    return Segment(
        name=name,
        vlan=network.vlan,
        prefixes=prefixes_of(network),
        gateways=tuple(it for it in gateways_of(network) if it in held),
        mtu=network.mtu,
        overlay=_resolve_overlay(network),
    )


def _resolve_overlay(network: model.Network) -> Overlay | None:
    if network.vxlan is None or network.vxlan.id is None:
        return None
    underlay = str(network.underlay)
    return Overlay(vni=network.vxlan.id, port=network.vxlan.port, underlay=underlay)


def _resolve_hypervisor(
    name: str, hypervisor: model.Hypervisor, vlans: tuple[int, ...], addresses: Addresses
) -> Hypervisor:
    return Hypervisor(
        name=name,
        vswitches=tuple(
            VSwitch(name=vswitch_name, pnics=vswitch.pnics or (), teaming=vswitch.teaming)
            for vswitch_name, vswitch in (hypervisor.vswitches or {}).items()
        ),
        pnics=tuple(
            _resolve_pnic(pnic_name, pnic, vlans)
            for pnic_name, pnic in (hypervisor.pnics or {}).items()
        ),
        nics=tuple(
            HypervisorNic(
                name=f"vmk{index}",
                vswitch=str(nic.vswitch),
                segment=str(nic.network),
                mac=addresses.hypervisor_macs[name, index],
                addresses=addresses.hypervisors[name, index],
            )
            for index, nic in enumerate(hypervisor.nics or ())
        ),
    )


def _resolve_pnic(name: str, pnic: model.Pnic, vlans: tuple[int, ...]) -> Pnic:
    return Pnic(
        name=name,
        switch=str(pnic.to),
        cable=resolve_cable(pnic),
        vlans=vlans if pnic.vlans is None else tuple(sorted(set(pnic.vlans))),
        native=(pnic.native or NATIVE_VLAN) if vlans else None,
    )
