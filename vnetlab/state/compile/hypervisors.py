"""Hypervisors: vSwitches, and uplinks to physical switches (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.compile.overlays import (
    compile_hypervisor_nics,
    compile_vteps,
    host_settings,
)
from vnetlab.state.compile.parts import (
    Context,
    cable,
    node,
    trunk_vlans,
)
from vnetlab.state.compile.teams import compile_team
from vnetlab.state.compile.vswitch_rules import compile_vswitch_rules
from vnetlab.state.objects import (
    Object,
    Role,
)
from vnetlab.topology.topology import (
    Hypervisor,
    Pnic,
)


def compile_hypervisor(context: Context, hypervisor: Hypervisor) -> Iterator[Object]:
    """A hypervisor with its vSwitches and uplinks."""
    yield from node(hypervisor.name, Role.HYPERVISOR, host_settings(hypervisor))
    yield from compile_vswitch_rules(context, hypervisor)
    vswitch_of = {
        pnic: vs.name for vs in hypervisor.vswitches if not vs.teaming for pnic in vs.pnics
    }
    teamed = {pnic for vs in hypervisor.vswitches if vs.teaming for pnic in vs.pnics}
    for vswitch in hypervisor.vswitches:
        label = f"{hypervisor.name}.{vswitch.name}"
        yield context.bridge(hypervisor.name, vswitch.name, Role.VSWITCH, label=label)
        if vswitch.teaming is not None:
            yield from compile_team(context, hypervisor, vswitch)
    for pnic in hypervisor.pnics:
        if pnic.name in teamed:
            continue
        yield from _uplink(context, hypervisor.name, pnic, master=vswitch_of.get(pnic.name))
    yield from compile_hypervisor_nics(context, hypervisor)
    yield from compile_vteps(context, hypervisor)


def _uplink(
    context: Context, hypervisor: str, pnic: Pnic, *, master: str | None
) -> Iterator[Object]:
    """A pNIC and the physical switch's port that it is cabled to, shaped in both directions."""
    inner = replace(context.link(hypervisor, pnic.name, Role.PNIC), master=master)
    outer = context.switch_port(pnic.switch, f"{hypervisor}.{pnic.name}")
    yield from cable(inner, outer, pnic.cable)
    if master is not None:
        yield from trunk_vlans(inner, context.vlans)
    yield from trunk_vlans(outer, pnic.vlans, native=pnic.native)
