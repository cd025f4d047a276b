"""EFFECT: the routes, rules, addresses and static neighbours of a namespace, as State objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from socket import AF_INET, AF_INET6, AF_UNSPEC
from typing import Any

from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_GETNEIGH, RTM_GETROUTE, RTM_GETRULE
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.routing_messages import (
    NUD_PERMANENT,
    RTPROT_KERNEL,
    RULE_ACTIONS,
)
from vnetlab.state.compile.parts import DEFAULT_ROUTE
from vnetlab.state.objects import Address, Object, Route, RouteKind
from vnetlab.state.routing import Neighbour, PolicyRule

_LOCAL_TABLE = 255
_IPV6_METRIC = 1024
"""What a route of IPv6 has that was given no metric: IP6_RT_PRIO_USER."""

_ROUTE_KINDS = {kind.value: kind for kind in RouteKind}
_RTM_F_CLONED = 0x200
_VERSIONS = {AF_INET: 4, AF_INET6: 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLinks:
    """The names of a namespace's links by index, and which of them are up."""

    names: dict[int, str]
    up: frozenset[str]


def read_routing(netns: str, channel: Channel, links: NamedLinks) -> Iterator[Object]:
    """Everything of the namespace that decides where it sends a packet."""
    routes = list(_dump_routes(channel))
    yield from _addresses(netns, channel, links, routes)
    yield from _routes(netns, links, routes)
    yield from _policy_rules(netns, channel)
    yield from _neighbours(netns, channel, links)


def _dump_routes(channel: Channel) -> Iterator[Any]:
    message = rtmsg()
    message["header"]["type"] = RTM_GETROUTE
    message["family"] = AF_UNSPEC  # pyroute2 would ask for IPv4 alone
    for reply in channel.dump(message):
        if _table(reply) != _LOCAL_TABLE and not reply["flags"] & _RTM_F_CLONED:
            yield reply


def _table(reply: Any) -> int:
    return int(reply.get_attr("RTA_TABLE") or reply["table"])


def _addresses(
    netns: str, channel: Channel, links: NamedLinks, routes: list[Any]
) -> Iterator[Address]:
    message = ifaddrmsg()
    message["header"]["type"] = RTM_GETADDR
    brought = {
        (_destination(reply), links.names.get(reply.get_attr("RTA_OIF")))
        for reply in routes
        if reply["proto"] == RTPROT_KERNEL
    }
    for reply in channel.dump(message):
        text = reply.get_attr("IFA_LOCAL") or reply.get_attr("IFA_ADDRESS")
        interface = ip_interface(f"{text}/{reply['prefixlen']}")
        if interface.is_loopback or (interface.version == 6 and interface.is_link_local):
            continue
        link = links.names[reply["index"]]
        single = interface.network.num_addresses == 1
        routed = single or link not in links.up or (interface.network, link) in brought
        yield Address(netns=netns, link=link, interface=interface, prefix_route=routed)


def _routes(netns: str, links: NamedLinks, routes: list[Any]) -> Iterator[Route]:
    """Those that the kernel did not make itself."""
    for reply in routes:
        kind = _ROUTE_KINDS.get(reply["type"])
        if kind is None or reply["proto"] == RTPROT_KERNEL:
            continue
        unicast = kind is RouteKind.UNICAST
        via = reply.get_attr("RTA_GATEWAY")
        metric = reply.get_attr("RTA_PRIORITY") or 0
        by_default = reply["family"] == AF_INET6 and metric == _IPV6_METRIC
        yield Route(
            netns=netns,
            destination=_destination(reply),
            via=ip_address(via) if via else None,
            link=links.names.get(reply.get_attr("RTA_OIF")) if unicast else None,
            table=_table(reply),
            kind=kind,
            metric=0 if by_default else metric,
        )


def _destination(reply: Any) -> IPv4Network | IPv6Network:
    address = reply.get_attr("RTA_DST")
    version = _VERSIONS[reply["family"]]
    return ip_network(f"{address}/{reply['dst_len']}") if address else DEFAULT_ROUTE[version]


def _policy_rules(netns: str, channel: Channel) -> Iterator[PolicyRule]:
    """All but the one that sends packets of a VRF to its table: it comes with the VRF."""
    message = fibmsg()
    message["header"]["type"] = RTM_GETRULE
    message["family"] = AF_UNSPEC
    for reply in channel.dump(message):
        family = reply["family"]
        if family not in _VERSIONS or reply.get_attr("FRA_L3MDEV"):
            continue
        source, destination = reply.get_attr("FRA_SRC"), reply.get_attr("FRA_DST")
        yield PolicyRule(
            netns=netns,
            version=_VERSIONS[family],
            priority=reply.get_attr("FRA_PRIORITY") or 0,
            action=RULE_ACTIONS.get(reply["action"], "nop"),
            table=reply.get_attr("FRA_TABLE") or reply["table"] or None,
            source=ip_network(f"{source}/{reply['src_len']}") if source else None,
            destination=ip_network(f"{destination}/{reply['dst_len']}") if destination else None,
            iif=reply.get_attr("FRA_IIFNAME"),
            oif=reply.get_attr("FRA_OIFNAME"),
            mark=reply.get_attr("FRA_FWMARK"),
        )


def _neighbours(netns: str, channel: Channel, links: NamedLinks) -> Iterator[Neighbour]:
    message = ndmsg()
    message["header"]["type"] = RTM_GETNEIGH
    for reply in channel.dump(message):
        mac = reply.get_attr("NDA_LLADDR")
        if reply["family"] in _VERSIONS and reply["state"] & NUD_PERMANENT and mac:
            yield Neighbour(
                netns=netns,
                link=links.names[reply["ifindex"]],
                address=ip_address(reply.get_attr("NDA_DST")),
                mac=mac,
            )
