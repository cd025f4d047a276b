"""EFFECT: the routes, rules, addresses and static neighbours of a namespace, as State objects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from socket import AF_INET, AF_INET6

from msgspec import Struct
from msgspec.structs import replace
from pyroute2.netlink.rtnl import RTM_GETNEIGH

from vnetlab.kernel.neighbour_tables import neighbour_request, read_proxied
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.routing_messages import (
    NTF_EXT_LEARNED,
    NUD_NOARP,
    NUD_PERMANENT,
    RTPROT_KERNEL,
    RULE_ACTIONS,
    RULE_FIELDS,
)
from vnetlab.kernel.rows import ADDRESSES, NEIGHBOURS, ROUTES, RULES, Row
from vnetlab.state.compile.parts import DEFAULT_ROUTE
from vnetlab.state.objects import Address, Object, Route, RouteKind
from vnetlab.state.overlays import ANY_MAC
from vnetlab.state.routing import L3MDEV, Neighbour, PolicyRule

_IPV6_METRIC = 1024
"""What a route of IPv6 has that was given no metric: IP6_RT_PRIO_USER."""

_ROUTE_KINDS = {kind.value: kind for kind in RouteKind}
_RTM_F_CLONED, _RTNH_F_ONLINK = 0x200, 4
_FIB_RULE_FLAGS_OF_STATE = 0x1D
"""All but FIB_RULE_INVERT: whether its links and its target are there, and the like."""
_IFA_F_DEPRECATED, _IFA_F_PERMANENT = 0x20, 0x80
_SCOPES = {200: "site", 253: "link", 254: "host"}
_MULTICAST = 1  # in the first byte of a MAC
_ALL_BITS = 0xFFFFFFFF
_RULE_ATTRIBUTES = {
    "GOTO": None,
    "FLOW": None,
    "TUN_ID": None,
    "SUPPRESS_IFGROUP": _ALL_BITS,
    "SUPPRESS_PREFIXLEN": _ALL_BITS,
    "FWMASK": _ALL_BITS,
    "UID_RANGE": None,
    "IP_PROTO": None,
    "SPORT_RANGE": None,
    "DPORT_RANGE": None,
}
"""Each with what it is where nobody gave it."""
_VERSIONS: dict[int, int] = {AF_INET: 4, AF_INET6: 6}


class NamedLinks(Struct, frozen=True, kw_only=True):
    """The names of a namespace's links by index, which of them are up, and if one is a VRF.

    `answers`: the namespace forwards, so that its links may answer for others.
    """

    names: dict[int, str]
    up: frozenset[str]
    with_vrf: bool = False
    answers: bool = False


def read_routing(netns: str, channel: Channel, links: NamedLinks) -> Iterator[Object]:
    """Everything of the namespace that decides where it sends a packet."""
    routes = list(_dump_routes(channel))
    yield from _addresses(netns, channel, links, routes)
    yield from _routes(netns, links, routes)
    yield from _policy_rules(netns, channel, links)
    yield from _neighbours(netns, channel, links)


def _dump_routes(channel: Channel) -> Iterator[Row]:
    for reply in channel.dump_rows(ROUTES):
        if not reply["flags"] & _RTM_F_CLONED:
            yield reply


def _table(reply: Row) -> int:
    return int(reply.get_attr("RTA_TABLE") or reply["table"])


def _addresses(
    netns: str, channel: Channel, links: NamedLinks, routes: list[Row]
) -> Iterator[Address]:
    by_kernel = [reply for reply in routes if reply["proto"] == RTPROT_KERNEL]
    brought = {
        (_destination(reply), links.names.get(reply.get_attr("RTA_OIF")))
        for reply in by_kernel
        if reply["type"] == RouteKind.UNICAST.value
    }
    accepted = {
        (reply.get_attr("RTA_DST"), links.names.get(reply.get_attr("RTA_OIF")))
        for reply in by_kernel
        if reply["type"] == RouteKind.LOCAL.value
    }
    for reply in channel.dump_rows(ADDRESSES):
        text = reply.get_attr("IFA_LOCAL") or reply.get_attr("IFA_ADDRESS")
        interface = _interface(text, reply["prefixlen"])
        if interface.is_loopback or (interface.version == 6 and interface.is_link_local):
            continue
        link = links.names[reply["index"]]
        single = reply["prefixlen"] == interface.max_prefixlen
        down = link not in links.up
        yield Address(
            netns=netns,
            link=link,
            interface=interface,
            prefix_route=single or down or (interface.network, link) in brought,
            accepted=interface.version == 6 or down or (text, link) in accepted,
            more=tuple(_more_of_address(reply)),
        )


@cache  # every namespace has those of the loopback
def _interface(address: str, length: int) -> IPv4Interface | IPv6Interface:
    kind = IPv6Interface if ":" in address else IPv4Interface
    return kind((address, length))


def _more_of_address(reply: Row) -> Iterator[str]:
    """What an address says that none of ours does."""
    if reply["family"] == AF_INET and reply["scope"]:
        yield f"scope {_SCOPES.get(reply['scope'], reply['scope'])}"
    local, address = reply.get_attr("IFA_LOCAL"), reply.get_attr("IFA_ADDRESS")
    if local and address != local:
        yield f"peer {address}"
    flags = reply.get_attr("IFA_FLAGS") or reply["flags"]
    if flags & _IFA_F_DEPRECATED:
        yield "deprecated"
    if not flags & _IFA_F_PERMANENT:
        yield "dynamic"


def _routes(netns: str, links: NamedLinks, routes: list[Row]) -> Iterator[Route]:
    """Those that the kernel did not make itself."""
    for reply in routes:
        kind = _ROUTE_KINDS.get(reply["type"])
        if kind is None or _is_by_kernel(reply):
            continue
        unicast = kind is RouteKind.UNICAST
        via = reply.get_attr("RTA_GATEWAY")
        metric = reply.get_attr("RTA_PRIORITY") or 0
        source = reply.get_attr("RTA_SRC")
        by_default = reply["family"] == AF_INET6 and metric == _IPV6_METRIC
        yield Route(
            netns=netns,
            destination=_destination(reply),
            via=ip_address(via) if via else None,
            link=links.names.get(reply.get_attr("RTA_OIF")) if unicast else None,
            table=_table(reply),
            kind=kind,
            metric=0 if by_default else metric,
            tos=reply["tos"],
            sources=IPv6Network((source, reply["src_len"])) if source else None,
            more=tuple(_more(reply)),
        )


def _is_by_kernel(reply: Row) -> bool:
    """Whether an address or link has brought it; such a one has no gateway."""
    by_hand = any(reply.get_attr(name) for name in ("RTA_GATEWAY", "RTA_VIA", "RTA_MULTIPATH"))
    return reply["proto"] == RTPROT_KERNEL and not by_hand


def _more(reply: Row) -> Iterator[str]:
    """What a route says that none of ours does."""
    for name, word in (("RTA_PREFSRC", "src"), ("RTA_FLOW", "realm")):
        if value := reply.get_attr(name):
            yield f"{word} {value}"
    for hop in reply.get_attr("RTA_MULTIPATH") or ():
        yield f"nexthop via {hop.get_attr('RTA_GATEWAY')} weight {hop['hops'] + 1}"
    if reply["flags"] & _RTNH_F_ONLINK:
        yield "onlink"
    if reply.get_attr("RTA_ENCAP_TYPE"):
        yield f"encap {reply.get_attr('RTA_ENCAP_TYPE')}"
    metrics = reply.get_attr("RTA_METRICS")
    for name, value in metrics["attrs"] if metrics else ():
        yield f"{name.removeprefix('RTAX_').lower()} {value}"


def _destination(reply: Row) -> IPv4Network | IPv6Network:
    address = reply.get_attr("RTA_DST")
    version = _VERSIONS[reply["family"]]
    return _network(address, reply["dst_len"]) if address else DEFAULT_ROUTE[version]


@cache  # all guests of a network have a route to it
def _network(address: str, length: int) -> IPv4Network | IPv6Network:
    return ip_network((address, length))


def _policy_rules(netns: str, channel: Channel, links: NamedLinks) -> Iterator[PolicyRule]:
    """All, but without a VRF not the one that sends a VRF's packets to its table: it stays."""
    for reply in channel.dump_rows(RULES):
        rule = _policy_rule(reply.unnumbered)
        if rule is not None and (rule.action != L3MDEV or links.with_vrf):
            yield replace(rule, netns=netns)


@cache  # every namespace has the same ones
def _policy_rule(message: bytes) -> PolicyRule | None:
    """A rule of no namespace yet; None where it is of neither IPv4 nor IPv6."""
    reply = Row(message, RULES)
    family = reply["family"]
    if family not in _VERSIONS:
        return None
    source, destination = reply.get_attr("FRA_SRC"), reply.get_attr("FRA_DST")
    of_vrfs = bool(reply.get_attr("FRA_L3MDEV"))
    return PolicyRule(
        netns="",
        version=_VERSIONS[family],
        priority=reply.get_attr("FRA_PRIORITY") or 0,
        action=L3MDEV if of_vrfs else RULE_ACTIONS.get(reply["action"], "nop"),
        table=reply.get_attr("FRA_TABLE") or reply["table"] or None,
        source=ip_network(f"{source}/{reply['src_len']}") if source else None,
        destination=ip_network(f"{destination}/{reply['dst_len']}") if destination else None,
        iif=reply.get_attr("FRA_IIFNAME"),
        oif=reply.get_attr("FRA_OIFNAME"),
        mark=reply.get_attr("FRA_FWMARK"),
        more=tuple(sorted(_more_of_rule(reply))),
    )


def _more_of_rule(reply: Row) -> Iterator[tuple[str, int | str]]:
    for name in RULE_FIELDS:
        if value := reply[name] & ~_FIB_RULE_FLAGS_OF_STATE if name == "flags" else reply[name]:
            yield name, value
    for name, default in _RULE_ATTRIBUTES.items():
        if (value := reply.get_attr(f"FRA_{name}")) not in (None, default):
            yield name, value


def _neighbours(netns: str, channel: Channel, links: NamedLinks) -> Iterator[Neighbour]:
    for reply in channel.dump_rows(NEIGHBOURS):
        mac = reply.get_attr("NDA_LLADDR")
        if reply["family"] in _VERSIONS and mac and _is_fixed(reply, mac):
            yield Neighbour(
                netns=netns,
                link=links.names[reply["ifindex"]],
                address=ip_address(reply.get_attr("NDA_DST")),
                mac=mac,
            )
    if links.answers:
        proxied = channel.dump_bodies(RTM_GETNEIGH, neighbour_request(proxied=True))
        for link, address in read_proxied(proxied, links.names):
            yield Neighbour(netns=netns, link=link, address=address, mac="")


def _is_fixed(reply: Row, mac: str) -> bool:
    """The kernel itself takes no question for needed where many or nobody are meant."""
    state = reply["state"]
    if reply["flags"] & NTF_EXT_LEARNED:
        return True
    first = int(mac[:2], 16)
    needs_none = bool(state & NUD_NOARP) and not first & _MULTICAST and mac != ANY_MAC
    return bool(state & NUD_PERMANENT) or needs_none
