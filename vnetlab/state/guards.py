"""What a new namespace has by itself, and which of its settings are watched (pure).

A lab's namespaces are the user's too: `sysctl` and `ip rule` work in them. What decides where
packets go is therefore compared with what the kernel gives to a new namespace, also where the
topology says nothing of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from vnetlab.state.objects import (
    MAIN_TABLE,
    Kind,
    Link,
    Namespace,
    Role,
    State,
    Sysctl,
)
from vnetlab.state.routing import L3MDEV, PolicyRule
from vnetlab.topology.values import LOWEST_IPV6_MTU

_LOCAL_TABLE, _DEFAULT_TABLE = 255, 253
_FIRST, _MAIN, _DEFAULT = 0, 32766, 32767
_GIVEN_RULES = {
    4: ((_FIRST, _LOCAL_TABLE), (_MAIN, MAIN_TABLE), (_DEFAULT, _DEFAULT_TABLE)),
    6: ((_FIRST, _LOCAL_TABLE), (_MAIN, MAIN_TABLE)),
}
"""Priority and table: net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c."""

_OF_VRFS = 1000
"""FIB_RULE_PREF of drivers/net/vrf.c."""

_LAYER_2 = (Role.HYPERVISOR, Role.PHYSICAL_SWITCH)

_OF_NODE = (
    "net/ipv4/icmp_echo_ignore_all",
    "net/ipv4/icmp_echo_ignore_broadcasts",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_default_ttl",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv6/icmp/echo_ignore_all",
    "net/ipv6/conf/all/disable_ipv6",
)
_OF_LINKS = {
    "net/ipv4/conf": (
        "accept_local",
        "accept_redirects",
        "arp_announce",
        "arp_filter",
        "arp_ignore",
        "forwarding",
        "ignore_routes_with_linkdown",
        "proxy_arp",
        "proxy_arp_pvlan",
        "route_localnet",
        "rp_filter",
        "send_redirects",
        "src_valid_mark",
    ),
    "net/ipv6/conf": ("disable_ipv6", "forwarding", "accept_ra", "hop_limit"),
    "net/ipv4/neigh": ("mcast_solicit",),
    "net/ipv6/neigh": ("mcast_solicit",),
}
_OF_ALL_LINKS = (
    "accept_local",
    "accept_source_route",
    "arp_accept",
    "arp_announce",
    "arp_filter",
    "arp_ignore",
    "bc_forwarding",
    "drop_gratuitous_arp",
    "drop_unicast_in_l2_multicast",
    "ignore_routes_with_linkdown",
    "proxy_arp",
    "route_localnet",
    "send_redirects",
    "src_valid_mark",
)
_LIKE_NEW = {
    "net/ipv4/conf": "default",
    "net/ipv6/conf": "default",
    "net/ipv4/neigh": "lo",
    "net/ipv6/neigh": "lo",
}
"""Where a setting is as that of a new link. No namespace but the first has `neigh/default`."""
_FORWARDING = {
    "net/ipv4/conf": "net/ipv4/ip_forward",
    "net/ipv6/conf": "net/ipv6/conf/all/forwarding",
}
"""The setting that gives every link its `forwarding` (net/ipv4/devinet.c, inet_forward_change)."""

KEYS_OF_NEW_NAMESPACE = (
    *_OF_NODE,
    *(f"net/ipv4/conf/all/{name}" for name in _OF_ALL_LINKS),
    *(
        f"{family}/{_LIKE_NEW[family]}/{name}"
        for family, names in _OF_LINKS.items()
        for name in names
    ),
)
"""The settings whose values in a new namespace `guard` must know."""


def given_rules(netns: str) -> frozenset[PolicyRule]:
    """The rules that every namespace has."""
    return frozenset(
        PolicyRule(netns=netns, version=version, priority=priority, table=table)
        for version, rules in _GIVEN_RULES.items()
        for priority, table in rules
    )


def rules_of_vrfs(netns: str) -> frozenset[PolicyRule]:
    """The rules that a namespace gets with its first VRF, and then keeps."""
    return frozenset(
        PolicyRule(netns=netns, version=version, priority=_OF_VRFS, action=L3MDEV)
        for version in _GIVEN_RULES
    )


def nodes_with_vrfs(links: Iterable[Link]) -> frozenset[str]:
    """The namespaces of those of `links` that are VRFs."""
    return frozenset(link.netns for link in links if link.kind is Kind.VRF)


def guard(state: State, given: Mapping[str, str]) -> State:
    """Return `state` with what its nodes have by themselves: settings, where they speak IP.

    Switches do not, and of a hypervisor only its own NICs do.

    `given` are the values of KEYS_OF_NEW_NAMESPACE in a new namespace. What `state` says of a
    setting itself counts.
    """
    said = {setting.id for setting in state.sysctls}
    of_node: dict[str, dict[str, str]] = defaultdict(dict)
    for setting in state.sysctls:
        of_node[setting.netns][setting.key] = setting.value
    nodes = sorted(state.namespaces, key=lambda node: node.name)
    links: dict[str, list[Link]] = {node.name: [] for node in nodes}
    bridging = {node.name for node in nodes if node.role in _LAYER_2}
    for link in state.links:
        if link.netns not in bridging or link.role is Role.HYPERVISOR_NIC:
            links.get(link.netns, []).append(link)
    settings = (
        setting
        for node in nodes
        for setting in _settings(node, links[node.name], {**given, **of_node[node.name]})
        if setting.id not in said
    )
    return with_given_rules(replace(state, sysctls=state.sysctls.union(settings)))


def with_given_rules(state: State) -> State:
    """Return `state` with the rules that each of its namespaces has by itself."""
    rules = {rule for node in state.namespaces for rule in given_rules(node.name)}
    rules.update(rule for node in nodes_with_vrfs(state.links) for rule in rules_of_vrfs(node))
    return replace(state, policy_rules=state.policy_rules | rules)


def _settings(node: Namespace, links: list[Link], values: Mapping[str, str]) -> Iterator[Sysctl]:
    """The guarded settings of a node; `values` are what it has for those of new links."""
    for key in (*_OF_NODE, *(f"net/ipv4/conf/all/{name}" for name in _OF_ALL_LINKS)):
        if key in values:
            yield Sysctl(netns=node.name, key=key, value=values[key], given=True)
    for family, names in _OF_LINKS.items():
        for link in links:
            if family.startswith("net/ipv6/") and link.mtu < LOWEST_IPV6_MTU:
                continue
            for name in names:
                of_new = values.get(f"{family}/{_LIKE_NEW[family]}/{name}")
                value = values.get(_FORWARDING[family]) if name == "forwarding" else of_new
                if of_new is not None and value is not None:
                    key = f"{family}/{link.name}/{name}"
                    yield Sysctl(netns=node.name, key=key, value=value, given=True)
