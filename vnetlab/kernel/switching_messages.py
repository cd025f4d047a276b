"""Bonds and their slaves, and the settings of bridge ports as messages (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_BRIDGE
from typing import Any

from pyroute2.netlink import NLA_F_NESTED
from pyroute2.netlink.rtnl import RTM_SETLINK

from vnetlab.kernel.messages import IFF_UP, Indexes, change_link, new_link
from vnetlab.kernel.switching_attributes import Attributes, bond_attributes, port_attributes
from vnetlab.state.objects import Link, LinkId
from vnetlab.state.switching import BridgePort


def create_bond(link: Link, index: int) -> Any:
    """A bond without slaves, down."""
    assert link.bond is not None
    return new_link(link, index, "bond", {"attrs": bond_attributes(link.bond)})


def move_slave(link: Link, indexes: Indexes) -> Iterator[Any]:
    """A link that leaves its master and, where it is to be a bond's slave, becomes it.

    A bond takes only a link that is down, and itself takes it up; one that it lets go gets back
    the MAC that it had, and is down (drivers/net/bonding/bond_main.c).
    """
    leaving = change_link(indexes[link.id])
    leaving["flags"], leaving["change"] = 0, IFF_UP
    leaving["attrs"] = [("IFLA_MASTER", 0)]
    yield leaving
    if link.in_bond:
        joining = change_link(indexes[link.id])
        master = indexes[LinkId(netns=link.netns, name=link.master or "")]
        joining["attrs"] = [("IFLA_MASTER", master)]
        yield joining


def set_port(link: Link, old: BridgePort, indexes: Indexes) -> Any:
    """What a bridge port, which was as `old` says, is to be set to."""
    return _slave_message(link, port_attributes(link.port, old), indexes)


def set_port_state(link: Link, indexes: Indexes) -> Any:
    """The state of a port of a bridge without a spanning tree.

    As a message of the bridge family: after one of another, the kernel lets the port forward again.
    """
    message = change_link(indexes[link.id])
    message["header"]["type"] = RTM_SETLINK
    message["family"] = AF_BRIDGE
    state = {"attrs": [("IFLA_BRPORT_STATE", link.port.state.value)]}
    message["attrs"] = [("IFLA_PROTINFO", state, NLA_F_NESTED)]
    return message


def _slave_message(link: Link, attrs: Attributes, indexes: Indexes) -> Any:
    message = change_link(indexes[link.id])
    data = {"attrs": attrs}
    info = {"attrs": [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", data)]}
    message["attrs"] = [("IFLA_LINKINFO", info)]
    return message
