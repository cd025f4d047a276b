"""Bonds: the teams of vSwitches, and the LAGs of physical switches (pure).

A bond is the port of the bridge, with VLANs and STP's settings; its slaves have its MAC and carry
nothing but its frames.
"""

from __future__ import annotations

from msgspec.structs import replace

from vnetlab.state.compile.parts import Context
from vnetlab.state.objects import Kind, Link, Role
from vnetlab.state.switching import LAYER_3_AND_4, Bond, BondMode, BridgePort
from vnetlab.topology.switching import ACTIVE_BACKUP, BALANCE_XOR, LACP

_BONDS = {
    ACTIVE_BACKUP: Bond(mode=BondMode.ACTIVE_BACKUP),
    BALANCE_XOR: Bond(mode=BondMode.BALANCE_XOR, hash_policy=LAYER_3_AND_4),
    LACP: Bond(mode=BondMode.LACP, fast_lacp=True, hash_policy=LAYER_3_AND_4),
}
_COST = 2


def make_bond(
    context: Context, netns: str, name: str, role: Role, *, mode: str, mtu: int | None
) -> Link:
    """A bond that is to be the port of a bridge."""
    return replace(
        context.link(netns, name, role),
        kind=Kind.BOND,
        bond=_BONDS[mode],
        mtu=context.trunk_mtu if mtu is None else mtu,
        port=BridgePort(cost=_COST),
    )


def enslave(link: Link, bond: Link) -> Link:
    """The link as a slave of the bond."""
    return replace(link, master=bond.name, in_bond=True, mac=bond.mac, port=BridgePort())


def tree_port(link: Link, *, cost: int | None, priority: int | None) -> Link:
    """The link, a bridge's port, with STP's cost and priority.

    A bond is told the cost in any case: the kernel's depends on which of its slaves are up.
    """
    plain = BridgePort()
    of_speed = None if link.kind is Kind.VETH else _COST
    return replace(
        link,
        port=BridgePort(
            cost=of_speed if cost in (None, _COST) else cost,
            priority=plain.priority if priority is None else priority,
        ),
    )
