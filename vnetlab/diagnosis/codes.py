"""The stable codes of causes: where a finding of the model belongs, and what it is called (pure).

A code is a place and a reason: `vswitch.vlan-not-allowed`. The place follows from what the object
is to the lab's user, the reason is that of `vnetlab.trace.forwarding.reasons`.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from vnetlab.diagnosis.verdict import Layer
from vnetlab.state.objects import BridgeVlan, LinkId, Role, State, Sysctl
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding


class Area(Enum):
    """The first half of a code, and the layer that it belongs to."""

    APPLICATION = ("application", Layer.APPLICATION)
    GUEST = ("guest", Layer.GUEST_OS)
    VNIC = ("vnic", Layer.VNIC)
    VSWITCH = ("vswitch", Layer.VIRTUAL_SWITCH)
    HYPERVISOR = ("hypervisor", Layer.HYPERVISOR)
    PNIC = ("pnic", Layer.PNIC)
    SWITCH = ("switch", Layer.PHYSICAL_NETWORK)
    ROUTER = ("router", Layer.PHYSICAL_NETWORK)

    @property
    def word(self) -> str:
        """As in a code."""
        return self.value[0]

    @property
    def layer(self) -> Layer:
        """Its layer."""
        return self.value[1]


class Blame(Struct, frozen=True, kw_only=True):
    """What a finding accuses: an object of the lab, by its name in the topology, and of what."""

    area: Area
    object: str
    reason: Reason

    @property
    def layer(self) -> Layer:
        """The layer that the object is in."""
        return self.area.layer

    @property
    def code(self) -> str:
        """The stable code of the cause."""
        return f"{self.area.word}.{self.reason.value}"


class _Matter(Enum):
    """What part of the kernel a reason is about: it decides with the place to which area it is."""

    LINK = "link"
    BRIDGE = "bridge"
    BOND = "bond"
    TUNNEL = "tunnel"
    FILTER = "filter"
    QUEUE = "queue"
    IP = "ip"
    FIREWALL = "firewall"
    APPLICATION = "application"


_MATTERS: dict[_Matter, tuple[Reason, ...]] = {
    _Matter.LINK: (
        Reason.LINK_DOWN,
        Reason.NO_CARRIER,
        Reason.MTU_TOO_SMALL,
        Reason.NOT_PLUGGED_IN,
        Reason.XDP_PROGRAM,
        Reason.WRONG_MAC,
        Reason.UNEXPECTED_TAG,
        Reason.DUPLICATE_MAC,
        Reason.ARP_OFF,
        Reason.PACKET_TOO_BIG,
    ),
    _Matter.BRIDGE: (
        Reason.NOT_IN_BRIDGE,
        Reason.BRIDGE_DOWN,
        Reason.VLAN_NOT_ALLOWED,
        Reason.NO_PVID,
        Reason.WRONG_PVID,
        Reason.NATIVE_VLAN_MISMATCH,
        Reason.VLAN_FILTERING_OFF,
        Reason.VLAN_BLOCKED,
        Reason.STP_BLOCKING,
        Reason.STP_LEARNING,
        Reason.PORT_DISABLED,
        Reason.PORT_ISOLATED,
        Reason.PORT_LOCKED,
        Reason.UNICAST_FLOOD_OFF,
        Reason.BROADCAST_FLOOD_OFF,
        Reason.MULTICAST_FLOOD_OFF,
        Reason.WRONG_STATIC_FDB_ENTRY,
        Reason.WRONG_LEARNED_FDB_ENTRY,
        Reason.LOCAL_FDB_ENTRY,
        Reason.NEIGHBOUR_SUPPRESSED,
        Reason.HAIRPIN_OFF,
        Reason.LOOP,
        Reason.PORT_SECURITY,
    ),
    _Matter.BOND: (Reason.NO_ACTIVE_SLAVE, Reason.BACKUP_SLAVE),
    _Matter.TUNNEL: (
        Reason.VNI_MISMATCH,
        Reason.VXLAN_PORT_MISMATCH,
        Reason.NO_REMOTE_VTEP,
        Reason.WRONG_REMOTE_VTEP,
    ),
    _Matter.FILTER: (Reason.FILTER_DROP, Reason.FILTER_REDIRECT, Reason.POLICED),
    _Matter.QUEUE: (
        Reason.QUEUE_LIMIT,
        Reason.RATE_LIMIT,
        Reason.LOSS,
        Reason.DELAY,
        Reason.CORRUPTION,
        Reason.DUPLICATION,
        Reason.REORDERING,
    ),
    _Matter.FIREWALL: (
        Reason.FIREWALL_DROP,
        Reason.FIREWALL_REJECT,
        Reason.FIREWALL_POLICY,
        Reason.SECURITY_GROUP,
        Reason.ACL,
        Reason.WRONG_NAT,
    ),
    _Matter.APPLICATION: (Reason.NO_LISTENER, Reason.WRONG_BIND_ADDRESS, Reason.NO_ANSWER),
}
_MATTER_OF = {reason: matter for matter, reasons in _MATTERS.items() for reason in reasons}

_AREA_OF_NODE = {
    Role.VM: Area.GUEST,
    Role.HOST: Area.GUEST,
    Role.HYPERVISOR: Area.HYPERVISOR,
    Role.PHYSICAL_SWITCH: Area.SWITCH,
    Role.ROUTER: Area.ROUTER,
}
_AREA_OF_BRIDGE = {Role.HYPERVISOR: Area.VSWITCH, Role.PHYSICAL_SWITCH: Area.SWITCH}
_AREA_OF_BOND = {Role.HYPERVISOR: Area.PNIC, Role.PHYSICAL_SWITCH: Area.SWITCH}
_AREA_OF_LINK = {
    Role.VNIC: Area.VNIC,
    Role.HOST_NIC: Area.PNIC,
    Role.VSWITCH: Area.VSWITCH,
    Role.VSWITCH_PORT: Area.VSWITCH,
    Role.PNIC: Area.PNIC,
    Role.TEAM: Area.PNIC,
    Role.PHYSICAL_PORT: Area.SWITCH,
    Role.LAG: Area.SWITCH,
}
_AREA_OF_CABLE = {
    Role.VNIC: Area.VNIC,
    Role.VSWITCH_PORT: Area.VNIC,
    Role.HOST_NIC: Area.PNIC,
    Role.PNIC: Area.PNIC,
    Role.TEAM: Area.PNIC,
}


def blame(finding: Finding, state: State) -> Blame:
    """Say what object of the lab a finding accuses: that of the VLAN or setting that decides."""
    links = {link.id: link for link in state.links}
    place = LinkId(netns=finding.netns, name=finding.link or "")
    if isinstance(finding.item, BridgeVlan):
        place = LinkId(netns=finding.item.netns, name=finding.item.link)
    elif isinstance(finding.item, Sysctl) and finding.item.netns != finding.netns:
        place = LinkId(netns=finding.item.netns, name="")
    link = links.get(place)
    node = next((ns.role for ns in state.namespaces if ns.name == place.netns), None)
    matter = _MATTER_OF.get(finding.reason, _Matter.IP)
    if isinstance(finding.item, BridgeVlan):
        matter = _Matter.BRIDGE
    peer = links.get(link.peer) if link and link.peer else None
    of_link = matter in _OF_LINKS
    return Blame(
        area=_area(matter, node, link.role if link else None, peer.role if peer else None),
        object=link.label or str(link.id) if link and of_link else place.netns,
        reason=finding.reason,
    )


_OF_LINKS = (
    _Matter.LINK,
    _Matter.BRIDGE,
    _Matter.BOND,
    _Matter.TUNNEL,
    _Matter.FILTER,
    _Matter.QUEUE,
)
"""Matters whose object is a link, if the finding is at one; else it is the node."""


def _area(matter: _Matter, node: Role | None, link: Role | None, peer: Role | None) -> Area:
    """Where a matter belongs at a link of a node: by what they are, and what the cable leads to."""
    of_node = _AREA_OF_NODE.get(node, Area.SWITCH) if node else Area.SWITCH
    match matter:
        case _Matter.APPLICATION:
            return Area.APPLICATION
        case _Matter.BRIDGE:
            return _AREA_OF_BRIDGE.get(node, of_node) if node else of_node
        case _Matter.BOND:
            return _AREA_OF_BOND.get(node, of_node) if node else of_node
        case _Matter.LINK:
            return _AREA_OF_LINK.get(link, of_node) if link else of_node
        case _Matter.FILTER:
            return Area.VNIC if link is Role.VNIC else of_node
        case _Matter.QUEUE:
            if Role.HYPERVISOR_NIC in (link, peer):
                return Area.HYPERVISOR
            ends = (_AREA_OF_CABLE[role] for role in (link, peer) if role in _AREA_OF_CABLE)
            return next(ends, of_node)
        case _:
            return of_node


_PLACES = (
    (Role.VM, Role.VNIC),
    (Role.VM, Role.VLAN_INTERFACE),
    (Role.HOST, Role.HOST_NIC),
    (Role.HYPERVISOR, Role.VSWITCH_PORT),
    (Role.HYPERVISOR, Role.HYPERVISOR_NIC),
    (Role.HYPERVISOR, Role.PNIC),
    (Role.PHYSICAL_SWITCH, Role.PHYSICAL_PORT),
    (Role.ROUTER, Role.ROUTER_INTERFACE),
)
"""Nodes with links in them: enough to have all areas, and the kinds that reasons differ by."""

_SWITCHING = (Role.HYPERVISOR, Role.PHYSICAL_SWITCH)
_WITH_STACK = (Role.VM, Role.HOST, Role.HYPERVISOR, Role.ROUTER)
_NODES_OF = {
    _Matter.BRIDGE: _SWITCHING,
    _Matter.BOND: _SWITCHING,
    _Matter.TUNNEL: (Role.HYPERVISOR,),
    _Matter.IP: _WITH_STACK,
}
"""The nodes that have such a matter, where not all have."""

_NODES_OF_REASON = {
    Reason.SECURITY_GROUP: (Role.HYPERVISOR,),
    Reason.PORT_SECURITY: (Role.HYPERVISOR,),
    Reason.ACL: (Role.ROUTER,),
    Reason.WRONG_NAT: _WITH_STACK,
}
_OF_ENDS = (Reason.WRONG_MAC, Reason.DUPLICATE_MAC, Reason.ARP_OFF, Reason.PACKET_TOO_BIG)
"""Reasons of links that belong to an IP stack."""
_BRIDGED = (Role.VSWITCH_PORT, Role.PNIC, Role.PHYSICAL_PORT)


def areas_of(reason: Reason) -> tuple[Area, ...]:
    """Return the areas that a reason occurs in, in their order: each makes a code with it."""
    matter = _MATTER_OF.get(reason, _Matter.IP)
    nodes = _NODES_OF_REASON.get(reason) or _NODES_OF.get(matter, tuple(Role))
    found = {
        _area(matter, node, link, None)
        for node, link in _PLACES
        if node in nodes and not (reason in _OF_ENDS and link in _BRIDGED)
    }
    return tuple(area for area in Area if area in found)
