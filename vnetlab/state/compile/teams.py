"""Teams: pNICs that are one uplink of a vSwitch (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.compile.bonds import enslave, make_bond
from vnetlab.state.compile.parts import SWITCH_BRIDGE, Context, cable, trunk_vlans
from vnetlab.state.objects import Link, Object, Role
from vnetlab.topology.names import kernel_name
from vnetlab.topology.switching import ACTIVE_BACKUP
from vnetlab.topology.topology import Hypervisor, Pnic, VSwitch


def compile_team(context: Context, hypervisor: Hypervisor, vswitch: VSwitch) -> Iterator[Object]:
    """The team of a vSwitch with its pNICs, and the physical switches' ports.

    These are a LAG where all pNICs are in use at once: else the switch would see the MACs of the
    VMs jump from port to port.
    """
    pnics = [pnic for pnic in hypervisor.pnics if pnic.name in vswitch.pnics]
    mode, mtu = str(vswitch.teaming), pnics[0].cable.mtu
    name = f"{vswitch.name}.team"
    team = make_bond(context, hypervisor.name, name, Role.TEAM, mode=mode, mtu=mtu)
    team = replace(team, master=kernel_name(vswitch.name))
    yield team
    yield from trunk_vlans(team, context.vlans)
    lag = None
    if mode != ACTIVE_BACKUP:
        end = (pnics[0].switch, f"{hypervisor.name}.{vswitch.name}")
        lag = replace(make_bond(context, *end, Role.LAG, mode=mode, mtu=mtu), master=SWITCH_BRIDGE)
        yield lag
        yield from trunk_vlans(lag, pnics[0].vlans, native=pnics[0].native)
    for pnic in pnics:
        yield from _member(context, hypervisor.name, pnic, team, lag)


def _member(
    context: Context, hypervisor: str, pnic: Pnic, team: Link, lag: Link | None
) -> Iterator[Object]:
    inner = enslave(context.link(hypervisor, pnic.name, Role.PNIC), team)
    outer = context.switch_port(pnic.switch, f"{hypervisor}.{pnic.name}")
    yield from cable(inner, outer if lag is None else enslave(outer, lag), pnic.cable)
    if lag is None:
        yield from trunk_vlans(outer, pnic.vlans, native=pnic.native)
