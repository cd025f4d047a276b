"""Rules of users as rules of nftables: firewalls of nodes, and what routers let pass (pure).

Each rule keeps its name as a comment and has a counter, so that a verdict can say which one it was.
A rule about addresses is one for each family in which both of its ends have any. What no rule
decides is decided by a last rule, not by the chain's policy: a policy has neither name nor counter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network

from vnetlab.state.nft_rules import (
    Expressions,
    addresses,
    counter,
    ct_state,
    destination_nat,
    field,
    link_name,
    masquerade,
    meta,
    ports,
    reject,
    rule,
    verdict,
)
from vnetlab.state.nftables import NftChain, NftHook, NftRule, NftTable
from vnetlab.state.objects import Object
from vnetlab.topology.external import EXTERNAL_LINK
from vnetlab.topology.policies import ANYWHERE, Firewall, PolicyRule, RouterPolicy
from vnetlab.topology.topology import Interface

TABLE = "vnetlab"

_Prefixes = Sequence[IPv4Network | IPv6Network]
_PROTOCOLS = {"tcp": b"\6", "udp": b"\x11"}
_ICMP = {4: b"\1", 6: b"\x3a"}
_FAMILIES = {4: b"\2", 6: b"\n"}  # NFPROTO_IPV4, NFPROTO_IPV6
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_WORDS = {4: "ip", 6: "ip6"}
_NEIGHBOUR_DISCOVERY = [bytes((kind,)) for kind in range(133, 138)]  # RFC 4861
_TCP_RESET, _ICMPX = 1, 2  # NFT_REJECT_*
_ADMIN_PROHIBITED = 3  # NFT_REJECT_ICMPX_ADMIN_PROHIBITED
_FILTER, _DESTINATION_NAT, _SOURCE_NAT = 0, -100, 100  # NF_IP_PRI_*


def compile_firewall(netns: str, firewall: Firewall) -> Iterator[Object]:
    """A node's own firewall: a chain for each direction that it says something of."""
    directions = (
        ("input", firewall.input, firewall.input_default),
        ("output", firewall.output, firewall.output_default),
    )
    chains = []
    for name, rules, rest in directions:
        if rules or rest != "allow":
            loopback = link_name("iifname" if name == "input" else "oifname", "lo")
            compiled = [
                rule("loopback", loopback, counter(), verdict("accept")),
                *_filter(f"firewall {name}", rules, rest),
            ]
            chains.append(_base(netns, name, "filter", name, _FILTER, compiled))
    yield from _table(netns, chains)


def compile_router_policy(
    netns: str,
    policy: RouterPolicy,
    links: dict[str, str],
    held: dict[str, tuple[Interface, ...]],
    *,
    external: bool,
) -> Iterator[Object]:
    """What a router forwards, and the addresses that it translates.

    `links` are the names of its interfaces by segment, `held` their addresses; `external`: it has
    a link to the host as well.
    """
    chains = []
    if policy.acl or policy.default != "allow":
        rules = _filter("acl", policy.acl, policy.default)
        chains.append(_base(netns, "forward", "filter", "forward", _FILTER, rules))
    if policy.forwards:
        rules = [it for forward in _forwards(policy, links, held) for it in forward]
        name = "prerouting"
        chains.append(_base(netns, name, "nat", name, _DESTINATION_NAT, rules))
    hidden = {f"masquerade to {segment}": links[segment] for segment in policy.masquerade}
    hidden |= {"masquerade to the host": EXTERNAL_LINK} if external else {}
    if hidden:
        rules = [
            rule(text, link_name("oifname", link), counter(), masquerade())
            for text, link in hidden.items()
        ]
        name = "postrouting"
        chains.append(_base(netns, name, "nat", name, _SOURCE_NAT, rules))
    yield from _table(netns, chains)


def always_allowed(word: str, *, bridge: bool = False) -> Iterator[NftRule]:
    """What passes in every filter, by the verdict `word`: replies, and what finds neighbours."""
    yield rule("replies", ct_state("established", "related"), counter(), verdict(word))
    if bridge:
        yield rule("ARP", meta("protocol", b"\x08\x06"), counter(), verdict(word))
    neighbours = (meta("l4proto", _ICMP[6]), field("icmp type", _NEIGHBOUR_DISCOVERY))
    yield rule("neighbour discovery", *neighbours, counter(), verdict(word))


def compile_rule(
    name: str, policy: PolicyRule, decision: Expressions, *, bridge: bool = False
) -> Iterator[NftRule]:
    """The rules of nftables for one rule."""
    protocol = _PROTOCOLS.get(policy.protocol)
    transport = [meta("l4proto", protocol)] if protocol else []
    everybody = policy.sources == policy.destinations == ANYWHERE
    if everybody and policy.protocol != "icmp" and (transport or not bridge):
        yield rule(name, *transport, ports("th dport", policy.ports), counter(), decision)
        return
    for version in (4, 6):
        sources, destinations = (
            [prefix for prefix in prefixes if prefix.version == version]
            for prefixes in (policy.sources, policy.destinations)
        )
        if not (sources and destinations):
            continue
        family = (
            meta("protocol", _ETHERTYPES[version])
            if bridge
            else meta("nfproto", _FAMILIES[version])
        )
        if policy.protocol == "icmp":
            transport = [meta("l4proto", _ICMP[version])]
        yield rule(
            name,
            family,
            addresses(f"{_WORDS[version]} saddr", sources),
            addresses(f"{_WORDS[version]} daddr", destinations),
            *transport,
            ports("th dport", policy.ports),
            counter(),
            decision,
        )


def _filter(name: str, rules: Sequence[PolicyRule], rest: str) -> list[NftRule]:
    compiled = list(always_allowed("accept"))
    for number, policy in enumerate(rules, 1):
        named = f"{name} {number}: {policy.text}"
        compiled += compile_rule(named, policy, _decision(policy))
    return [*compiled, rule(f"{name}: {rest} the rest", counter(), _WORD_OF[rest])]


def _decision(policy: PolicyRule) -> Expressions:
    """A rejected connection of TCP is reset, so that its sender does not wait."""
    if policy.action == "reject":
        reset = policy.protocol == "tcp"
        return reject(_TCP_RESET) if reset else reject(_ICMPX, _ADMIN_PROHIBITED)
    return _WORD_OF[policy.action]


def _forwards(
    policy: RouterPolicy, links: dict[str, str], held: dict[str, tuple[Interface, ...]]
) -> Iterator[list[NftRule]]:
    for forward in policy.forwards:
        name = f"forward {forward.protocol}/{forward.port} from {forward.segment}"
        for target in forward.to:
            own = [it.ip for it in held[forward.segment] if it.version == target.version]
            if own:
                packed = [address.packed for address in own]
                version = target.version
                yield [
                    rule(
                        f"{name} to {target}",
                        link_name("iifname", links[forward.segment]),
                        meta("nfproto", _FAMILIES[version]),
                        field(f"{_WORDS[version]} daddr", packed),
                        meta("l4proto", _PROTOCOLS[forward.protocol]),
                        ports("th dport", [(forward.port, forward.port)]),
                        counter(),
                        destination_nat(_FAMILIES[version][0], target.packed, forward.to_port),
                    )
                ]


def _base(
    netns: str, name: str, kind: str, point: str, priority: int, rules: Iterable[NftRule]
) -> NftChain:
    return NftChain(
        netns=netns,
        family="inet",
        table=TABLE,
        name=name,
        rules=tuple(rules),
        hook=NftHook(kind=kind, point=point, priority=priority),
    )


def _table(netns: str, chains: Sequence[NftChain]) -> Iterator[Object]:
    if chains:
        yield NftTable(netns=netns, family="inet", name=TABLE)
        yield from chains


_WORD_OF = {"allow": verdict("accept"), "deny": verdict("drop")}
