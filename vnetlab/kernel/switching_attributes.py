"""What bridges, ports and bonds are set to as attributes of netlink messages, and back (pure).

Layouts: include/uapi/linux/if_link.h. What a port is set to is read without pyroute2: each has
forty attributes, and a large bridge a thousand ports.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import replace
from pyroute2.netlink.rtnl.ifinfmsg.plugins.bond import bond

from vnetlab.kernel.attributes import attributes
from vnetlab.state.objects import Kind
from vnetlab.state.switching import (
    Activity,
    Bond,
    BondMode,
    BridgePort,
    BridgeSettings,
    PortState,
)

Attributes = list[tuple[str, Any]]

_BRIDGE = {
    "stp": "IFLA_BR_STP_STATE",
    "priority": "IFLA_BR_PRIORITY",
    "hello_time_cs": "IFLA_BR_HELLO_TIME",
    "max_age_cs": "IFLA_BR_MAX_AGE",
    "forward_delay_cs": "IFLA_BR_FORWARD_DELAY",
    "ageing_time_cs": "IFLA_BR_AGEING_TIME",
    "group_forward_mask": "IFLA_BR_GROUP_FWD_MASK",
    "multicast_snooping": "IFLA_BR_MCAST_SNOOPING",
    "multicast_querier": "IFLA_BR_MCAST_QUERIER",
    "vlan_protocol": "IFLA_BR_VLAN_PROTOCOL",
    "nf_call_iptables": "IFLA_BR_NF_CALL_IPTABLES",
    "nf_call_ip6tables": "IFLA_BR_NF_CALL_IP6TABLES",
    "nf_call_arptables": "IFLA_BR_NF_CALL_ARPTABLES",
}
_PORT = {
    "priority": ("IFLA_BRPORT_PRIORITY", 2),
    "cost": ("IFLA_BRPORT_COST", 3),
    "hairpin": ("IFLA_BRPORT_MODE", 4),
    "bpdu_guard": ("IFLA_BRPORT_GUARD", 5),
    "root_block": ("IFLA_BRPORT_PROTECT", 6),
    "fast_leave": ("IFLA_BRPORT_FAST_LEAVE", 7),
    "learning": ("IFLA_BRPORT_LEARNING", 8),
    "unicast_flood": ("IFLA_BRPORT_UNICAST_FLOOD", 9),
    "proxy_arp": ("IFLA_BRPORT_PROXYARP", 10),
    "proxy_arp_wifi": ("IFLA_BRPORT_PROXYARP_WIFI", 12),
    "multicast_router": ("IFLA_BRPORT_MULTICAST_ROUTER", 25),
    "multicast_flood": ("IFLA_BRPORT_MCAST_FLOOD", 27),
    "multicast_to_unicast": ("IFLA_BRPORT_MCAST_TO_UCAST", 28),
    "vlan_tunnel": ("IFLA_BRPORT_VLAN_TUNNEL", 29),
    "broadcast_flood": ("IFLA_BRPORT_BCAST_FLOOD", 30),
    "group_forward_mask": ("IFLA_BRPORT_GROUP_FWD_MASK", 31),
    "neighbour_suppression": ("IFLA_BRPORT_NEIGH_SUPPRESS", 32),
    "isolated": ("IFLA_BRPORT_ISOLATED", 33),
    "backup_port": ("IFLA_BRPORT_BACKUP_PORT", 34),
    "locked": ("IFLA_BRPORT_LOCKED", 39),
}
_BOND = {
    "mode": "IFLA_BOND_MODE",
    "miimon_ms": "IFLA_BOND_MIIMON",
    "up_delay_ms": "IFLA_BOND_UPDELAY",
    "down_delay_ms": "IFLA_BOND_DOWNDELAY",
    "arp_interval_ms": "IFLA_BOND_ARP_INTERVAL",
    "fast_lacp": "IFLA_BOND_AD_LACP_RATE",
    "hash_policy": "IFLA_BOND_XMIT_HASH_POLICY",
    "min_links": "IFLA_BOND_MIN_LINKS",
    "all_slaves_active": "IFLA_BOND_ALL_SLAVES_ACTIVE",
    "fail_over_mac": "IFLA_BOND_FAIL_OVER_MAC",
    "primary": "IFLA_BOND_PRIMARY",
    "primary_reselect": "IFLA_BOND_PRIMARY_RESELECT",
    "arp_validate": "IFLA_BOND_ARP_VALIDATE",
    "arp_all_targets": "IFLA_BOND_ARP_ALL_TARGETS",
    "resend_igmp": "IFLA_BOND_RESEND_IGMP",
    "peer_notices": "IFLA_BOND_NUM_PEER_NOTIF",
    "packets_per_slave": "IFLA_BOND_PACKETS_PER_SLAVE",
    "learning_interval_s": "IFLA_BOND_LP_INTERVAL",
    "dynamic_balance": "IFLA_BOND_TLB_DYNAMIC_LB",
    "lacp_selection": "IFLA_BOND_AD_SELECT",
    "lacp_system_priority": "IFLA_BOND_AD_ACTOR_SYS_PRIO",
    "lacp_user_key": "IFLA_BOND_AD_USER_PORT_KEY",
    "peer_notice_delay_ms": "IFLA_BOND_PEER_NOTIF_DELAY",
    "lacp_active": "IFLA_BOND_AD_LACP_ACTIVE",
    "missed_max": "IFLA_BOND_MISSED_MAX",
}
bond.nla_map = (
    *bond.nla_map[:28],
    ("IFLA_BOND_PEER_NOTIF_DELAY", "uint32"),
    ("IFLA_BOND_AD_LACP_ACTIVE", "uint8"),
    ("IFLA_BOND_MISSED_MAX", "uint8"),
)
"""Attributes that pyroute2 0.9 does not list."""

_ALWAYS_SAID = ("mode", "miimon_ms")
_STATE = 1
AUTOMATIC_COST = 2
"""That of 10 Gbit/s, the speed of a veth: net/bridge/br_if.c, port_cost."""

_COST_WITHOUT_SPEED = 100

_LINKINFO, _SLAVE_KIND, _SLAVE_DATA = 18, 4, 5
_LINK_HEADER_BYTES = 32  # struct nlmsghdr, struct ifinfomsg
_ON_THE_WAY = (PortState.LISTENING, PortState.LEARNING)
_BOND_SLAVE_STATE, _BACKUP = 1, 1
_BOND_SLAVE_MII_STATUS, _MII_UP = 2, 0
_BOND_SLAVE_LACP = 7  # AD_ACTOR_OPER_PORT_STATE
_DISTRIBUTING, _DEFAULTED = 0x20, 0x40
"""Of a port's state (IEEE 802.1AX-2020, 6.4.2.3): it sends frames; nobody speaks LACP with it."""
_NO_PARTNER = "00:00:00:00:00:00"


def bridge_attributes(settings: BridgeSettings, old: BridgeSettings) -> Attributes:
    """What is set otherwise than in `old`.

    Without its spanning tree a bridge would keep the ageing time of the tree's last change.
    """
    found = _differing(settings, old, _BRIDGE)
    ageing = (_BRIDGE["ageing_time_cs"], settings.ageing_time_cs)
    return [*found, ageing] if old.stp and not settings.stp and ageing not in found else found


def read_bridge(data: Any) -> BridgeSettings:
    """The settings of a bridge, from its IFLA_INFO_DATA."""
    found = BridgeSettings(**_read(data, _BRIDGE, BridgeSettings()))
    if found.stp and data.get_attr("IFLA_BR_ROOT_PORT"):
        found = replace(found, hello_time_cs=None, max_age_cs=None, forward_delay_cs=None)
    changes = found.stp and data.get_attr("IFLA_BR_TOPOLOGY_CHANGE")
    return replace(found, ageing_time_cs=None) if changes else found


def bond_attributes(settings: Bond) -> Attributes:
    """What a new bond is told: what is not the kernel's default, and what always is said."""
    said = [(_BOND[name], _number(getattr(settings, name))) for name in _ALWAYS_SAID]
    return said + _differing(settings, Bond(mode=settings.mode), _BOND)


def bond_changes(new: Bond, old: Bond) -> Attributes:
    """What is set otherwise than in `old`."""
    return _differing(new, old, _BOND)


def read_bond(data: Any) -> Bond:
    """The settings of a bond, from its IFLA_INFO_DATA."""
    return Bond(**_read(data, _BOND, Bond(mode=BondMode.BALANCE_RR)))


def has_partner(data: Any) -> bool:
    """Whether the other end of a bond, from its IFLA_INFO_DATA, speaks LACP with it."""
    partner = data.get_nested("IFLA_BOND_AD_INFO", "IFLA_BOND_AD_INFO_PARTNER_MAC")
    return partner not in (None, _NO_PARTNER)


def port_attributes(port: BridgePort, old: BridgePort) -> Attributes:
    """What is set otherwise than in `old`, but for the state."""
    names = {name: attribute for name, (attribute, _) in _PORT.items()}
    found = _differing(port, old, names)
    return [(name, AUTOMATIC_COST if value is None else value) for name, value in found]


def slave_of(link: bytes) -> tuple[str, Mapping[int, bytes]]:
    """The kind of the master of a link (empty without one), and what the link has as its slave."""
    info = next(
        (at for kind, at in attributes(link[_LINK_HEADER_BYTES:]) if kind == _LINKINFO), b""
    )
    found = dict(attributes(info))
    kind = found.get(_SLAVE_KIND, b"").rstrip(b"\0").decode()
    return kind, dict(attributes(found.get(_SLAVE_DATA, b"")))


def read_port(
    data: Mapping[int, bytes], kind: Kind | None, *, decided_by_kernel: bool
) -> BridgePort:
    """The settings of a bridge port, a link of that kind; its state may not be one of them."""
    values: dict[str, Any] = {}
    for name, default in _PORT_DEFAULTS.items():
        packed = data.get(_PORT[name][1])
        if packed is not None and (number := _unpack(packed)) != default:
            values[name] = bool(number) if isinstance(default, bool) else number
    costs: dict[Kind | None, int] = {Kind.VETH: AUTOMATIC_COST, Kind.VXLAN: _COST_WITHOUT_SPEED}
    if values.get("cost") == costs.get(kind, 0):
        values["cost"] = None
    if not decided_by_kernel:
        values["state"] = PortState(_unpack(data[_STATE]))
    return BridgePort(**values)


def port_activity(data: Mapping[int, bytes], *, stp: bool) -> Activity:
    """What a bridge port does with frames; without a spanning tree nothing becomes of waiting."""
    state = PortState(_unpack(data[_STATE]))
    if state is PortState.FORWARDING:
        return Activity.PASSING
    return Activity.SETTLING if stp and state in _ON_THE_WAY else Activity.BLOCKED


def slave_activity(data: Mapping[int, bytes], *, runs: bool) -> Activity:
    """Whether a slave of a bond is in use.

    SETTLING until it knows the carrier, and while LACP has a partner but not agreed with it yet:
    the bond may use it already, and will not for a moment when they do.
    """
    if (_unpack(data.get(_BOND_SLAVE_MII_STATUS, b"")) == _MII_UP) is not runs:
        return Activity.SETTLING
    if runs and _BOND_SLAVE_LACP in data:
        agreed = _unpack(data[_BOND_SLAVE_LACP]) & (_DISTRIBUTING | _DEFAULTED)
        if not agreed:
            return Activity.SETTLING
    backup = _unpack(data.get(_BOND_SLAVE_STATE, b"")) == _BACKUP
    return Activity.BLOCKED if backup else Activity.PASSING


def _differing(new: object, old: object, names: Mapping[str, str]) -> Attributes:
    pairs = (
        (attribute, getattr(new, name), getattr(old, name)) for name, attribute in names.items()
    )
    return [(attribute, _number(value)) for attribute, value, before in pairs if value != before]


def _read(data: Any, names: Mapping[str, str], defaults: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, attribute in names.items():
        value, default = data.get_attr(attribute), getattr(defaults, name)
        if value is not None:
            found[name] = type(default)(value)
    return found


def _number(value: Any) -> Any:
    if isinstance(value, PortState | BondMode):
        return value.value
    return int(value) if isinstance(value, bool) else value


def _unpack(packed: bytes) -> int:
    return int.from_bytes(packed, sys.byteorder)


def _settings_but_state() -> dict[str, Any]:
    names: Collection[str] = [name for name in BridgePort.__struct_fields__ if name != "state"]
    return {name: getattr(BridgePort(), name) for name in names}


_PORT_DEFAULTS = _settings_but_state()
