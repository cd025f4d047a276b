"""Faults of policies: rules of ACLs and security groups lost or reversed, NAT, replies (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from vnetlab.faults.fault import LARGE, Fault, Flow, Place, node_places
from vnetlab.faults.firewalls import chained
from vnetlab.state.edit import put
from vnetlab.state.nft_rules import (
    counter,
    ct_state,
    destination_nat,
    field,
    rule,
    verdict,
)
from vnetlab.state.nftables import NftChain, NftRule
from vnetlab.state.objects import Role, State

_ALWAYS = ("replies", "ARP", "neighbour discovery")
_LONG = [length.to_bytes(2) for length in (LARGE,)]
_NFPROTO_IPV4 = 2
_NOBODYS = bytes((203, 0, 113, 77))
"""Of TEST-NET-3 (RFC 5737)."""
_Sieve = Callable[[tuple[NftRule, ...]], tuple[NftRule, ...]]


def policy_faults() -> Iterator[Fault]:
    """What the topology's own rules turn into when somebody edits them."""
    for name, area, reason, places in (
        ("acl", "router", "acl", _acls),
        ("security-group", "hypervisor", "security-group", _security_groups),
    ):
        yield Fault(
            kind=f"{name}-emptied",
            code=f"{area}.{reason}",
            title=f"all that {_WORDS[name]} allows is taken from it",
            places=places,
            change=_sifted(_without_permissions),
        )
        yield Fault(
            kind=f"{name}-reversed",
            code=f"{area}.{reason}",
            title=f"{_WORDS[name]} forbids what it allowed",
            places=places,
            change=_sifted(_forbidding),
        )
    for area, roles, point in (
        ("guest", (Role.VM, Role.HOST), "input"),
        ("router", (Role.ROUTER,), "forward"),
    ):
        yield Fault(
            kind=f"{area}-replies-drop",
            code=f"{area}.firewall-drop",
            title=f"a rule of a {area} drops what belongs to a known connection",
            places=node_places(*roles),
            change=chained(
                "inet", point, (rule("", ct_state("established"), counter(), verdict("drop")),)
            ),
        )
        yield Fault(
            kind=f"{area}-new-drop",
            code=f"{area}.firewall-drop",
            title=f"a rule of a {area} drops the first packet of each connection",
            places=node_places(*roles),
            change=chained("inet", point, (rule("", ct_state("new"), counter(), verdict("drop")),)),
        )
        yield Fault(
            kind=f"{area}-large-drop",
            code=f"{area}.firewall-drop",
            title=f"a rule of a {area} drops packets of {LARGE} bytes",
            places=node_places(*roles),
            change=chained(
                "inet", point, (rule("", field("ip length", _LONG), counter(), verdict("drop")),)
            ),
            flow=Flow(size=LARGE, version=4),
        )

    decision = destination_nat(_NFPROTO_IPV4, _NOBODYS, None)
    yield Fault(
        kind="router-wrong-dnat",
        code="router.wrong-nat",
        title="a router translates the destination of all packets into one that nobody holds",
        places=node_places(Role.ROUTER),
        change=chained("ip", "prerouting", (rule("", counter(), decision),), kind="nat"),
        flow=Flow(version=4),
    )


_WORDS = {"acl": "a router's ACL", "security-group": "a security group of a vNIC"}


def _acls(state: State) -> Iterator[Place]:
    routers = {node.name for node in state.namespaces if node.role is Role.ROUTER}
    return _places(state, lambda it: it.netns in routers and it.name == "forward")


def _security_groups(state: State) -> Iterator[Place]:
    hypervisors = {node.name for node in state.namespaces if node.role is Role.HYPERVISOR}
    return _places(state, lambda it: it.netns in hypervisors and it.hook is None)


def _places(state: State, fits: Callable[[NftChain], bool]) -> Iterator[Place]:
    for chain in sorted(state.nft_chains, key=lambda it: it.id):
        if fits(chain) and _without_permissions(chain.rules) != chain.rules:
            yield Place(object=chain.netns, netns=chain.netns, item=chain)


def _sifted(sieve: _Sieve) -> Callable[[State, Place], State]:
    def change(state: State, place: Place) -> State:
        assert isinstance(place.item, NftChain)
        return put(state, replace(place.item, rules=sieve(place.item.rules)))

    return change


def _without_permissions(rules: tuple[NftRule, ...]) -> tuple[NftRule, ...]:
    return tuple(it for it in rules if it.name in _ALWAYS or it.expressions[-1:] not in _PERMITS)


def _forbidding(rules: tuple[NftRule, ...]) -> tuple[NftRule, ...]:
    return tuple(
        it
        if it.name in _ALWAYS or it.expressions[-1:] not in _PERMITS
        else replace(it, expressions=(*it.expressions[:-1], *verdict("drop")))
        for it in rules
    )


_PERMITS = (verdict("accept"), verdict("return"))
