"""State objects as the route-netlink messages that make, set and remove them (pure).

Layouts: include/uapi/linux/if_link.h, if_bridge.h, pkt_sched.h; rtnetlink(7).
"""

from __future__ import annotations

from collections.abc import Mapping
from socket import AF_BRIDGE, AF_INET, AF_INET6
from typing import Any

from pyroute2.netlink import NLM_F_CREATE, NLM_F_EXCL
from pyroute2.netlink.rtnl import (
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_SETLINK,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from vnetlab.kernel.switching_attributes import bond_changes, bridge_attributes
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Role,
)
from vnetlab.state.switching import BridgeSettings
from vnetlab.topology.values import LOWEST_IPV6_MTU

NEW = NLM_F_CREATE | NLM_F_EXCL
FAMILIES = {4: AF_INET, 6: AF_INET6}

IFF_UP = 1
IFF_NOARP, IFF_PROMISC, IFF_ALLMULTI, IFF_MULTICAST = 0x80, 0x100, 0x200, 0x1000
IFA_F_NODAD = 0x02
_NO_PVID = 0
_PER_PORT = "IFLA_BR_VLAN_STATS_PER_PORT"
_COUNTED_VLANS = (("IFLA_BR_VLAN_STATS_ENABLED", 1), (_PER_PORT, 1))
_bridge = ifinfmsg.ifinfo.bridge_data
if _PER_PORT not in dict(_bridge.nla_map):  # pyroute2 0.9 ends with what comes before it
    _bridge.nla_map = (*_bridge.nla_map, (_PER_PORT, "uint8"))
IN6_ADDR_GEN_MODE_EUI64, IN6_ADDR_GEN_MODE_NONE = 0, 1
BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED = 2, 4

Indexes = Mapping[LinkId, int]
"""The ifindex of every link of a lab; unique in it, so that a veth's end names its peer."""


def new_link(link: Link, index: int, kind: str, data: Any, *attrs: tuple[str, Any]) -> Any:
    """A link of the given kind, with what belongs to it (IFLA_INFO_DATA), down."""
    message = change_link(index)
    message["header"]["flags"] = NEW
    info = {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", data)]}
    message["attrs"] = [*_creation(link), *attrs, ("IFLA_LINKINFO", info)]
    return message


def change_link(index: int) -> Any:
    """A change of the link with that index, of nothing yet."""
    return _link_message(RTM_NEWLINK, index)


def create_bridge(link: Link, index: int) -> Any:
    """A bridge without a VLAN of its own making, down; it counts what passes each port's VLANs."""
    said = ("IFLA_BR_MCAST_SNOOPING", int(link.bridge.multicast_snooping))
    data = [said, *bridge_attributes(link.bridge, BridgeSettings())]
    if link.vlan_filtering:
        data += [*_vlan_filtering(on=True), *_COUNTED_VLANS]
    return new_link(link, index, "bridge", {"attrs": data})


def claim_bridge_mtu(link: Link, index: int) -> Any:
    """The word that the MTU of a new bridge is ours: any change of it, which is undone later.

    Otherwise it would be that of the smallest port, whenever one comes or changes
    (net/bridge/br_if.c, br_mtu_auto_adjust).
    """
    message = change_link(index)
    message["attrs"] = [("IFLA_MTU", link.mtu ^ 1)]
    return message


def create_veth(link: Link, index: int, peer: Link, peer_index: int, peer_netns_fd: int) -> Any:
    """A veth pair, each end in its namespace, with one queue per direction, both down."""
    attrs = [*_creation(peer), ("IFLA_NET_NS_FD", peer_netns_fd)]
    data = {"attrs": [("VETH_INFO_PEER", {"index": peer_index, "attrs": attrs})]}
    return new_link(link, index, "veth", data)


def create_sub_interface(link: Link, index: int, parent_index: int) -> Any:
    """An 802.1Q sub-interface, down."""
    data = {"attrs": [("IFLA_VLAN_ID", link.vlan)]}
    return new_link(link, index, "vlan", data, ("IFLA_LINK", parent_index))


def configure_link(link: Link, old: Link | None, indexes: Indexes) -> Any:
    """All that can be set on an existing link, which was as `old` says if it is not a new one.

    A new bridge stays down: `set_up` is its last message.

    VLAN filtering is spoken of only where it changes: a kernel without it refuses even the word.
    A link whose MTU is below IPv6's least has no IPv6 settings, not even in the message that
    makes it greater.
    """
    message = change_link(indexes[link.id])
    new_bridge = old is None and link.kind is Kind.BRIDGE
    message["flags"] = IFF_UP if link.up and not new_bridge else 0
    message["change"] = IFF_UP
    if old is not None and old.flags != link.flags:
        message["flags"] |= IFF_MULTICAST
        message["change"] |= IFF_MULTICAST | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI
    master = indexes[LinkId(netns=link.netns, name=link.master)] if link.master else 0
    mode = IN6_ADDR_GEN_MODE_EUI64 if link.link_local else IN6_ADDR_GEN_MODE_NONE
    ipv6 = ("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", mode)]})
    message["attrs"] = [
        ("IFLA_MTU", link.mtu),
        ("IFLA_IFALIAS", alias(link.role, link.label)),
        ("IFLA_MASTER", master),
    ]
    if min(link.mtu, old.mtu if old else link.mtu) >= LOWEST_IPV6_MTU:
        message["attrs"].append(("IFLA_AF_SPEC", {"attrs": [ipv6]}))
    if link.kind is not Kind.VRF:  # which has one from when it was made, and never another
        message["attrs"].insert(0, ("IFLA_ADDRESS", link.mac))
    data = _data_changes(link, old) if old is not None else []
    if data:
        kind = link.kind.value if link.kind else ""
        info = {"attrs": [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": data})]}
        message["attrs"].append(("IFLA_LINKINFO", info))
    return message


def set_up(index: int) -> Any:
    """Let a link be up."""
    message = change_link(index)
    message["flags"] = message["change"] = IFF_UP
    return message


def look_at(index: int) -> Any:
    """The question for a link, which changes nothing."""
    return _link_message(RTM_GETLINK, index)


def configure_loopback(role: Role | None, *, up: bool, mtu: int) -> Any:
    """The loopback of a namespace; its alias keeps what the namespace is."""
    message = change_link(1)
    message["flags"] = IFF_UP if up else 0
    message["change"] = IFF_UP
    message["attrs"] = [("IFLA_IFALIAS", alias(role, "")), ("IFLA_MTU", mtu)]
    return message


def remove_link(index: int) -> Any:
    """A link, by its index."""
    return _link_message(RTM_DELLINK, index)


def bridge_vlan(vlan: BridgeVlan, indexes: Indexes, *, remove: bool = False) -> Any:
    """A VLAN on a bridge port; setting one that is there changes its flags."""
    flags = BRIDGE_VLAN_INFO_PVID * vlan.pvid | BRIDGE_VLAN_INFO_UNTAGGED * vlan.untagged
    message = _link_message(
        RTM_DELLINK if remove else RTM_SETLINK,
        indexes[LinkId(netns=vlan.netns, name=vlan.link)],
    )
    message["family"] = AF_BRIDGE
    info = ("IFLA_BRIDGE_VLAN_INFO", {"flags": flags, "vid": vlan.vid})
    message["attrs"] = [("IFLA_AF_SPEC", {"attrs": [info]})]
    return message


def address(item: Address, indexes: Indexes, *, remove: bool = False) -> Any:
    """An address; usable at once, without duplicate address detection (RFC 4862, 5.4)."""
    message = ifaddrmsg()
    message["header"]["type"] = RTM_DELADDR if remove else RTM_NEWADDR
    message["header"]["flags"] = 0 if remove else NEW
    message["family"] = FAMILIES[item.interface.version]
    message["prefixlen"] = item.interface.network.prefixlen
    message["index"] = indexes[LinkId(netns=item.netns, name=item.link)]
    has_peer = any(word.startswith("peer ") for word in item.more)  # it would be this address
    message["attrs"] = [] if has_peer else [("IFA_ADDRESS", str(item.interface.ip))]
    if item.interface.version == 4 or has_peer:
        message["attrs"].append(("IFA_LOCAL", str(item.interface.ip)))
    else:
        message["attrs"].append(("IFA_FLAGS", IFA_F_NODAD))
    return message


def alias(role: Role | None, label: str) -> str:
    """The ifalias that keeps a link's role and full name."""
    return f"{role.value if role else ''} {label}".strip()


def parse_alias(text: str | None) -> tuple[Role | None, str]:
    """Undo `alias`; no role where somebody else wrote it."""
    word, _, label = (text or "").partition(" ")
    try:
        return Role(word), label
    except ValueError:
        return None, text or ""


def _data_changes(link: Link, old: Link) -> list[tuple[str, Any]]:
    """What becomes another of a bridge's or bond's own settings."""
    if link.bond is not None and old.bond is not None:
        return bond_changes(link.bond, old.bond)
    changes = bridge_attributes(link.bridge, old.bridge)
    if link.vlan_filtering != old.vlan_filtering:
        changes += _vlan_filtering(on=link.vlan_filtering)
    return changes


def _vlan_filtering(*, on: bool) -> list[tuple[str, int]]:
    """Without a default PVID: a port has the VLANs that it was given, and no other."""
    return [("IFLA_BR_VLAN_DEFAULT_PVID", _NO_PVID), ("IFLA_BR_VLAN_FILTERING", int(on))]


def _link_message(kind: int, index: int) -> Any:
    message = ifinfmsg()
    message["header"]["type"] = kind
    message["index"] = index
    return message


def _creation(link: Link) -> list[tuple[str, Any]]:
    """What is cheapest to say when the link is made.

    One queue per direction: with the default, one per CPU, making a pair waits for all CPUs.
    """
    return [
        ("IFLA_IFNAME", link.name),
        ("IFLA_ADDRESS", link.mac),
        ("IFLA_MTU", link.mtu),
        ("IFLA_NUM_TX_QUEUES", 1),
        ("IFLA_NUM_RX_QUEUES", 1),
    ]
