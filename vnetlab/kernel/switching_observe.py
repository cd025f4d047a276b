"""What a link is to the bridge or bond that it is in, from the kernel's answer (pure)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from vnetlab.kernel.messages import IFF_UP
from vnetlab.kernel.rows import Row
from vnetlab.kernel.switching_attributes import (
    has_partner,
    port_activity,
    read_port,
    slave_activity,
    slave_of,
)
from vnetlab.state.objects import Link
from vnetlab.state.switching import Activity, BondMode

_IFF_RUNNING, _IFF_LOWER_UP = 0x40, 0x10000


def add_slave_settings(link: Link, message: Row, *, stp: Collection[str]) -> Link:
    """`link` with what it is to its master; `stp` are the bridges with a spanning tree."""
    if link.master is None:
        return link
    kind, data = slave_of(message.raw)
    runs = message["flags"] & (IFF_UP | _IFF_RUNNING) == IFF_UP | _IFF_RUNNING
    if kind == "bond":
        return replace(link, in_bond=True, activity=slave_activity(data, runs=runs))
    if kind != "bridge":
        return link
    has_stp = link.master in stp
    passes = runs and link.activity is Activity.PASSING  # a bond may settle yet
    return replace(
        link,
        port=read_port(data, link.kind, decided_by_kernel=has_stp or not runs),
        activity=port_activity(data, stp=has_stp) if passes else link.activity,
    )


def awaits_carrier(message: Row) -> bool:
    """Whether a link has a carrier of which the rest of the kernel is yet to be told."""
    known = message["flags"] & (IFF_UP | _IFF_RUNNING | _IFF_LOWER_UP)
    return known == IFF_UP | _IFF_LOWER_UP


def bond_activity(link: Link, message: Row, data: Any) -> Activity:
    """SETTLING for a bond without a slave in use, or without a partner to speak LACP with."""
    has_lacp = link.bond is not None and link.bond.mode is BondMode.LACP
    is_ready = message["flags"] & _IFF_RUNNING and (has_partner(data) or not has_lacp)
    return Activity.SETTLING if link.up and not is_ready else Activity.PASSING
