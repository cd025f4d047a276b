"""VMs, bare-metal hosts and routers: from the filled-in model to the resolved topology (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.cables import resolve_cable
from vnetlab.topology.forms_ports import ALL, DEFAULT
from vnetlab.topology.ip import EVERYWHERE
from vnetlab.topology.limits import resolve_shaping, resolve_storm_limit
from vnetlab.topology.model_ports import Security as SecurityPart
from vnetlab.topology.model_vrfs import RouterRoute
from vnetlab.topology.ports import Port, Security, StaticRoute, TaggedInterface, untagged_vlan
from vnetlab.topology.resolve_running import resolve_limits, resolve_services
from vnetlab.topology.topology import Host, HostNic, Router, RouterInterface, Vm, Vnic
from vnetlab.topology.vrfs import resolve_vrfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology import model, model_ports
    from vnetlab.topology.addressing import Addresses

_NOTHING_SAID = SecurityPart()


def resolve_vm(name: str, vm: model.Vm, file: model.File, addresses: Addresses) -> Vm:
    """The VM with its vNICs and their ports."""
    nics = tuple(
        Vnic(
            name=f"eth{index}",
            vswitch=str(nic.vswitch),
            segment=nic.network,
            mac=addresses.vm_macs[name, index],
            addresses=addresses.vms[name, index],
            port=_resolve_port(nic, file),
            tagged=tuple(_resolve_tagged(name, index, nic, addresses)),
        )
        for index, nic in enumerate(vm.nics or ())
    )
    return Vm(
        name=name,
        hypervisor=str(vm.on),
        nics=nics,
        routes=resolve_routes(vm),
        sysctls=tuple(sorted(vm.sysctls.items())),
        services=resolve_services(vm),
        limits=resolve_limits(vm),
    )


def resolve_host(name: str, host: model.Host, addresses: Addresses) -> Host:
    """The bare-metal host with its NICs."""
    nics = tuple(
        HostNic(
            name=f"eth{index}",
            switch=str(nic.to),
            segment=nic.network,
            mac=addresses.host_macs[name, index],
            addresses=addresses.hosts[name, index],
            tagged=tuple(_resolve_tagged(name, index, nic, addresses)),
            cable=resolve_cable(nic),
        )
        for index, nic in enumerate(host.nics or ())
    )
    return Host(
        name=name,
        nics=nics,
        routes=resolve_routes(host),
        sysctls=tuple(sorted(host.sysctls.items())),
        services=resolve_services(host),
        limits=resolve_limits(host),
    )


def resolve_router(name: str, router: model.Router, addresses: Addresses) -> Router:
    """The router with its interfaces."""
    interfaces = tuple(
        RouterInterface(
            segment=str(attached.network),
            addresses=addresses.routers[name, index],
            vrf=attached.vrf,
        )
        for index, attached in enumerate(router.networks or ())
    )
    return Router(
        name=name,
        switch=router.to,
        hypervisor=router.on,
        vswitch=router.vswitch,
        mac=addresses.router_macs[name],
        interfaces=interfaces,
        vrfs=resolve_vrfs(router.vrfs),
        cable=resolve_cable(router),
        routes=resolve_routes(router),
        sysctls=tuple(sorted(router.sysctls.items())),
        external=router.external,
    )


def resolve_routes(node: model_ports.Machine) -> tuple[StaticRoute, ...]:
    """The static routes of a node, in the file's order."""
    return tuple(_resolve_route(route) for route in node.routes)


def _resolve_route(route: model_ports.Route) -> StaticRoute:
    destination = route.to
    if destination == DEFAULT:
        destination = EVERYWHERE[route.via.version if route.via else 4]
    assert destination is not None
    assert not isinstance(destination, str)
    return StaticRoute(
        destination=destination,
        via=route.via,
        type=route.type,
        metric=route.metric,
        vrf=route.vrf if isinstance(route, RouterRoute) else None,
    )


def _resolve_tagged(
    name: str, index: int, nic: model.Nic | model.HostNic, addresses: Addresses
) -> Iterator[TaggedInterface]:
    for place, tagged in enumerate(nic.tagged):
        held = addresses.tagged[name, index, place]
        yield TaggedInterface(segment=str(tagged.network), addresses=held)


def _resolve_port(nic: model.Nic, file: model.File) -> Port:
    group = file.port_groups.get(nic.port_group or "")
    security = (group.security if group else None) or _NOTHING_SAID
    return Port(
        group=nic.port_group,
        untagged=untagged_vlan(nic, group, file.networks),
        tagged=_tagged(nic, group, file),
        isolated=group.isolated if group else False,
        security=Security(
            forged_transmits=security.forged_transmits != "reject",
            mac_changes=security.mac_changes != "reject",
            promiscuous=security.promiscuous == "accept",
        ),
        shaping=resolve_shaping(group.shaping if group else None),
        storm_limit=resolve_storm_limit(group.storm_limit if group else None),
    )


def _tagged(
    nic: model.Nic, group: model_ports.PortGroup | None, file: model.File
) -> tuple[int, ...]:
    """The VLANs that reach the guest with a tag."""
    if group and group.trunk is not None:
        everything = {network.vlan for network in file.networks.values() if network.vlan}
        vlans = everything if group.trunk == ALL else {v for v in group.trunk if isinstance(v, int)}
        return tuple(sorted(vlans - {group.native}))
    if group:
        return ()
    names = [str(tagged.network) for tagged in nic.tagged]
    return tuple(sorted({file.networks[name].vlan or 0 for name in names} - {0}))
