"""The defaults that make ten lines a useful lab (pure).

Here a model in which `missing.py` has made every object becomes one that says everything except
addresses. Where a default would be a guess (which of two hypervisors?), the value stays None, for
`check_references.py` to ask for it.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from vnetlab.topology.model import RouterNetwork
from vnetlab.topology.names import make_name
from vnetlab.topology.overlay_defaults import fit_overlays, place_overlays, plug_in_hypervisors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from vnetlab.topology.model import (
        File,
        Host,
        Hypervisor,
        Network,
        Nic,
        Pnic,
        Router,
        Vm,
        VSwitch,
    )
    from vnetlab.topology.model_ports import PortGroup
    from vnetlab.topology.model_switching import PhysicalSwitch

NATIVE_VLAN = 1


def fill_in(file: File, path: Path) -> File:
    """`file`, read from `path`, with every default filled in that is not a guess."""
    networks, switches = _fill_networks(file.networks), file.physical_switches
    hypervisors = {
        name: _fill_hypervisor(hypervisor, switches)
        for name, hypervisor in file.hypervisors.items()
    }
    filled = file.model_copy(
        update={
            "name": file.name or make_name(path.name.partition(".")[0]) or "lab",
            "networks": networks,
            "physical_switches": {it: _fill_links(it, switches) for it in switches},
            "hypervisors": hypervisors,
            "vms": {
                name: _fill_vm(vm, hypervisors, file, networks) for name, vm in file.vms.items()
            },
            "hosts": {name: _fill_host(it, switches, networks) for name, it in file.hosts.items()},
            "routers": {
                name: _fill_router(r, switches, hypervisors, networks)
                for name, r in file.routers.items()
            },
        }
    )
    return filled.model_copy(update={"hypervisors": plug_in_hypervisors(filled)})


def vlans_of(networks: Iterable[Network]) -> tuple[int, ...]:
    """The VLAN ids of the networks but overlays, sorted; empty where none of them has one."""
    lower = (network for network in networks if network.vxlan is None)
    return tuple(sorted({network.vlan for network in lower if network.vlan is not None}))


def _fill_networks(networks: Mapping[str, Network]) -> dict[str, Network]:
    networks = place_overlays(networks)
    native = NATIVE_VLAN if any(network.vlan for network in networks.values()) else None
    return fit_overlays({name: _fill_network(it, native) for name, it in networks.items()})


def _fill_network(network: Network, native: int | None) -> Network:
    vlan = native if network.vlan is None else network.vlan
    ipv4 = network.ipv4
    if ipv4 is None and network.ipv6 is None:
        ipv4 = IPv4Network((0x0A000000 + ((vlan or 0) << 8), 24))  # VLAN 10: 10.0.10.0/24
    return network.model_copy(update={"vlan": vlan, "ipv4": ipv4})


def _fill_hypervisor(hypervisor: Hypervisor, switches: Mapping[str, PhysicalSwitch]) -> Hypervisor:
    pnics = {
        name: pnic.model_copy(update={"to": pnic.to or _only(switches)})
        for name, pnic in (hypervisor.pnics or {}).items()
    }
    vswitches = _fill_vswitches(hypervisor.vswitches or {}, pnics)
    return hypervisor.model_copy(update={"pnics": pnics, "vswitches": vswitches})


def _fill_links(name: str, switches: Mapping[str, PhysicalSwitch]) -> PhysicalSwitch:
    other = _only({it: switch for it, switch in switches.items() if it != name})
    links = switches[name].links
    filled = tuple(link.model_copy(update={"to": link.to or other}) for link in links)
    return switches[name].model_copy(update={"links": filled})


def _fill_vswitches(
    vswitches: Mapping[str, VSwitch], pnics: Mapping[str, Pnic]
) -> dict[str, VSwitch]:
    named = {pnic for vswitch in vswitches.values() for pnic in vswitch.pnics or ()}
    left = tuple(pnic for pnic in pnics if pnic not in named)
    filled = {}
    for name, vswitch in vswitches.items():
        if vswitch.pnics is None:
            filled[name], left = vswitch.model_copy(update={"pnics": left}), ()
        else:
            filled[name] = vswitch
    return filled


def _fill_vm(
    vm: Vm, hypervisors: Mapping[str, Hypervisor], file: File, networks: Mapping[str, Network]
) -> Vm:
    on = vm.on or _only(hypervisors)
    vswitches = (hypervisors[on].vswitches if on and on in hypervisors else None) or {}
    nics = tuple(_fill_nic(nic, vswitches, file.port_groups, networks) for nic in vm.nics or ())
    return vm.model_copy(update={"on": on, "nics": nics})


def _fill_nic(
    nic: Nic,
    vswitches: Mapping[str, VSwitch],
    groups: Mapping[str, PortGroup],
    networks: Mapping[str, Network],
) -> Nic:
    group = groups.get(nic.port_group or "")
    network = nic.network or (group.network if group else None)
    if network is None and not nic.tagged and not (group and group.trunk):
        network = _only(networks)
    vswitch = nic.vswitch or _only(vswitches)
    return nic.model_copy(update={"network": network, "vswitch": vswitch})


def _fill_host(
    host: Host, switches: Mapping[str, PhysicalSwitch], networks: Mapping[str, Network]
) -> Host:
    to = host.to or _only(switches)
    nics = tuple(
        nic.model_copy(
            update={
                "to": nic.to or to,
                "network": nic.network or (None if nic.tagged else _only(networks)),
            }
        )
        for nic in host.nics or ()
    )
    return host.model_copy(update={"to": to, "nics": nics})


def _fill_router(
    router: Router,
    switches: Mapping[str, PhysicalSwitch],
    hypervisors: Mapping[str, Hypervisor],
    networks: Mapping[str, Network],
) -> Router:
    routed, virtual = router.networks, router.on is not None
    if routed is None:
        reached = [name for name, it in networks.items() if it.vxlan is None or virtual]
        routed = tuple(RouterNetwork(network=name) for name in reached)
    hypervisor = hypervisors.get(router.on or "")
    vswitches = (hypervisor.vswitches or {}) if hypervisor else {}
    filled = {
        "to": router.to or (None if virtual else _only(switches)),
        "vswitch": router.vswitch or _only(vswitches),
        "networks": routed,
    }
    return router.model_copy(update=filled)


def _only(choices: Mapping[str, object]) -> str | None:
    """The choice where there is just one."""
    return next(iter(choices)) if len(choices) == 1 else None
