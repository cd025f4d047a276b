"""The objects that a file needs and does not name (pure).

They are empty, as if the user had written them so: what they have is said by `defaults:` and, for
the rest, by `defaults.py`.
"""

from __future__ import annotations

from vnetlab.topology.model import (
    File,
    HostNic,
    Hypervisor,
    Network,
    Nic,
    Pnic,
    VSwitch,
)
from vnetlab.topology.model_switching import PhysicalSwitch

DEFAULT_NETWORK, DEFAULT_HYPERVISOR, DEFAULT_SWITCH = "lan", "hv1", "tor1"
DEFAULT_PNIC, DEFAULT_VSWITCH = "eno1", "vs0"


def add_nodes(file: File) -> File:
    """The file with every network and hypervisor that it takes for granted."""
    hypervisors = file.hypervisors
    if not hypervisors and (file.vms or not file.hosts):
        hypervisors = {DEFAULT_HYPERVISOR: Hypervisor()}
    networks = file.networks or {DEFAULT_NETWORK: Network()}
    return file.model_copy(update={"networks": networks, "hypervisors": hypervisors})


def add_parts(file: File) -> File:
    """The file, which has all its nodes, with every switch and part that they take for granted."""
    switches = file.physical_switches
    if not switches and _needs_switch(file):
        switches = {DEFAULT_SWITCH: PhysicalSwitch()}
    return file.model_copy(
        update={
            "physical_switches": switches,
            "hypervisors": {
                name: _add_to_hypervisor(hypervisor, has_switch=bool(switches))
                for name, hypervisor in file.hypervisors.items()
            },
            "vms": {
                name: vm.model_copy(update={"nics": (Nic(),)}) if vm.nics is None else vm
                for name, vm in file.vms.items()
            },
            "hosts": {
                name: host.model_copy(update={"nics": (HostNic(),)}) if host.nics is None else host
                for name, host in file.hosts.items()
            },
        }
    )


def _needs_switch(file: File) -> bool:
    pnics = any(hypervisor.pnics for hypervisor in file.hypervisors.values())
    physical = [router for router in file.routers.values() if router.on is None]
    return bool(physical or file.hosts) or len(file.hypervisors) > 1 or pnics


def _add_to_hypervisor(hypervisor: Hypervisor, *, has_switch: bool) -> Hypervisor:
    pnics = hypervisor.pnics
    if pnics is None:
        pnics = {DEFAULT_PNIC: Pnic()} if has_switch else {}
    vswitches = hypervisor.vswitches or {DEFAULT_VSWITCH: VSwitch()}
    return hypervisor.model_copy(update={"pnics": pnics, "vswitches": vswitches})
