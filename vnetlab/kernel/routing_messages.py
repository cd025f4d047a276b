"""Routing as route-netlink messages: routes, rules, static neighbours, made and removed (pure).

Layouts: include/uapi/linux/rtnetlink.h, fib_rules.h, neighbour.h; rtnetlink(7).
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import NLM_F_CREATE, NLM_F_EXCL
from pyroute2.netlink.rtnl import (
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_NEWRULE,
)
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vnetlab.kernel.messages import FAMILIES, Indexes
from vnetlab.state.objects import LinkId, Route, RouteKind
from vnetlab.state.routing import L3MDEV, Neighbour, PolicyRule

RULE_ACTIONS = {1: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
RTPROT_KERNEL, _RTPROT_STATIC = 2, 4
NUD_PERMANENT, NUD_NOARP = 0x80, 0x40
NTF_PROXY, NTF_EXT_LEARNED = 8, 0x10
RULE_FIELDS = ("tos", "flags")
"""What a rule can say in its header beside its prefixes, table and action."""

_NEW = NLM_F_CREATE | NLM_F_EXCL
_RT_TABLE_UNSPEC = 0
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RT_SCOPE_NOWHERE = 0, 253, 255
_LARGEST_U8 = 0xFF


def route(item: Route, indexes: Indexes, *, remove: bool = False) -> Any:
    """A route, in any table."""
    message = rtmsg()
    message["header"]["type"] = RTM_DELROUTE if remove else RTM_NEWROUTE
    message["header"]["flags"] = 0 if remove else _NEW
    message["family"] = FAMILIES[item.destination.version]
    message["dst_len"] = item.destination.prefixlen
    message["table"] = item.table if item.table <= _LARGEST_U8 else _RT_TABLE_UNSPEC
    message["type"] = item.kind.value
    message["proto"] = 0 if remove else _RTPROT_STATIC
    message["scope"] = _RT_SCOPE_NOWHERE if remove else _scope(item)
    message["tos"] = item.tos
    attrs: list[tuple[str, Any]] = [("RTA_TABLE", item.table)]
    if item.metric:
        attrs.append(("RTA_PRIORITY", item.metric))
    if item.destination.prefixlen:
        attrs.append(("RTA_DST", str(item.destination.network_address)))
    if item.sources is not None:
        message["src_len"] = item.sources.prefixlen
        attrs.append(("RTA_SRC", str(item.sources.network_address)))
    if item.via is not None:
        attrs.append(("RTA_GATEWAY", str(item.via)))
    if item.link is not None:
        attrs.append(("RTA_OIF", indexes[LinkId(netns=item.netns, name=item.link)]))
    message["attrs"] = attrs
    return message


def policy_rule(item: PolicyRule, *, remove: bool = False) -> Any:
    """A rule that chooses a table."""
    is_of_vrfs = item.action == L3MDEV
    action = "lookup" if is_of_vrfs else item.action
    number = next(number for number, name in RULE_ACTIONS.items() if name == action)
    message = fibmsg()
    message["header"]["type"] = RTM_DELRULE if remove else RTM_NEWRULE
    message["header"]["flags"] = 0 if remove else _NEW
    message["family"] = FAMILIES[item.version]
    message["action"] = number
    table = item.table or 0
    message["table"] = table if table <= _LARGEST_U8 else 0
    attrs: list[tuple[str, Any]] = [("FRA_PRIORITY", item.priority)]
    if not remove:
        attrs.append(("FRA_PROTOCOL", RTPROT_KERNEL))  # as the kernel's own: no more are desired
    if table:
        attrs.append(("FRA_TABLE", table))
    if is_of_vrfs:
        attrs.append(("FRA_L3MDEV", 1))
    for more, said in item.more:
        if more in RULE_FIELDS:
            message[more] = said
        else:
            attrs.append((f"FRA_{more}", said))
    for prefix, name, length in (
        (item.source, "FRA_SRC", "src_len"),
        (item.destination, "FRA_DST", "dst_len"),
    ):
        if prefix is not None:
            message[length] = prefix.prefixlen
            attrs.append((name, str(prefix.network_address)))
    for name, value in (
        ("FRA_IIFNAME", item.iif),
        ("FRA_OIFNAME", item.oif),
        ("FRA_FWMARK", item.mark),
    ):
        if value is not None:
            attrs.append((name, value))
    message["attrs"] = attrs
    return message


def neighbour(item: Neighbour, indexes: Indexes, *, remove: bool = False) -> Any:
    """A neighbour with a fixed MAC address."""
    message = ndmsg()
    message["header"]["type"] = RTM_DELNEIGH if remove else RTM_NEWNEIGH
    message["header"]["flags"] = 0 if remove else _NEW
    message["family"] = FAMILIES[item.address.version]
    message["ifindex"] = indexes[LinkId(netns=item.netns, name=item.link)]
    if item.mac:
        message["state"] = NUD_PERMANENT
        message["attrs"] = [("NDA_DST", str(item.address)), ("NDA_LLADDR", item.mac)]
    else:
        message["flags"] = NTF_PROXY
        message["attrs"] = [("NDA_DST", str(item.address))]
    return message


def _scope(item: Route) -> int:
    """A route to neighbours reaches no further than the link: ip-route(8), `scope`."""
    direct = item.kind is RouteKind.UNICAST and item.via is None
    return _RT_SCOPE_LINK if direct else _RT_SCOPE_UNIVERSE
