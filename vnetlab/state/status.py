"""How a running lab is, for its user (pure)."""

from __future__ import annotations

from msgspec import Struct

from vnetlab.state.diff import Change
from vnetlab.state.objects import Address, Link, Namespace, Role, State
from vnetlab.state.running import Service

_ENDS = (
    Role.VNIC,
    Role.HOST_NIC,
    Role.VLAN_INTERFACE,
    Role.PNIC,
    Role.HYPERVISOR_NIC,
    Role.ROUTER_PORT,
    Role.ROUTER_INTERFACE,
    Role.EXTERNAL_PORT,
)

_PORTS = (Role.VSWITCH_PORT, Role.PHYSICAL_PORT, Role.LAG, Role.TEAM, Role.VTEP)


class NodeStatus(Struct, frozen=True, kw_only=True):
    """A node, its interfaces (those that a cable or an address ends on) and their addresses."""

    name: str
    role: Role | None
    interfaces: tuple[Link, ...]
    addresses: tuple[Address, ...]
    ports: int
    """How many ports of a vSwitch or physical switch it has."""
    services: tuple[Service, ...] = ()


class Status(Struct, frozen=True, kw_only=True):
    """A lab: where its topology was read from, its nodes, and what differs from the topology.

    `drift` are the changes that `up` would make to have it as the topology says.
    """

    name: str
    source: str
    nodes: tuple[NodeStatus, ...]
    drift: tuple[Change, ...]


def node_statuses(state: State) -> tuple[NodeStatus, ...]:
    """Return the nodes of `state`: switches first, then hypervisors, routers, hosts and VMs."""
    order = (Role.PHYSICAL_SWITCH, Role.HYPERVISOR, Role.ROUTER, Role.HOST, Role.VM, None)
    nodes = sorted(state.namespaces, key=lambda node: (order.index(node.role), node.name))
    return tuple(_node_status(node, state) for node in nodes)


def _node_status(node: Namespace, state: State) -> NodeStatus:
    links = sorted((link for link in state.links if link.netns == node.name), key=lambda x: x.id)
    addresses = (address for address in state.addresses if address.netns == node.name)
    return NodeStatus(
        name=node.name,
        role=node.role,
        interfaces=tuple(link for link in links if link.role in _ENDS),
        addresses=tuple(sorted(addresses, key=lambda a: (a.link, str(a.interface)))),
        ports=sum(link.role in _PORTS for link in links),
        services=tuple(
            sorted((s for s in state.services if s.netns == node.name), key=lambda s: s.id)
        ),
    )
