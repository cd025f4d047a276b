"""nftables as a lab's state: what is asked for is read back, and only what differs is touched."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from tests.kernel.conftest import Bench
from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.apply import apply
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe
from vnetlab.state.diff import Change, diff_states
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
from vnetlab.state.objects import State
from vnetlab.state.plan import order_changes
from vnetlab.state.show import describe_change

pytestmark = pytest.mark.needs("veth", "bridge", "nftables-inet", "nftables-nat", "conntrack")

_FILTER = NftHook(kind="filter", point="forward", priority=0)
_TABLE = NftTable(netns="web1", family="inet", name="vnetlab")
_RULES = tuple(
    rule(f"rule {number}", *parts, counter(), verdict("accept"))
    for number, parts in enumerate[tuple[Expressions, ...]](
        [
            (meta("l4proto", b"\6"), ports("th dport", [(80, 80), (443, 443)])),
            (meta("l4proto", b"\6"), ports("th dport", [(1, 1), (1000, 2000), (65535, 65535)])),
            (meta("l4proto", b"\x11"), ports("th dport", [(53, 53)])),
            (meta("l4proto", b"\x11"), ports("th sport", [(1000, 2000)])),
            (meta("nfproto", b"\2"), addresses("ip saddr", [ip_network("10.0.0.0/9")])),
            (addresses("ip daddr", [ip_network("10.0.0.1/32")]),),
            (
                addresses(
                    "ip daddr",
                    [ip_network(it) for it in ("10.0.0.1/32", "10.0.0.2/31", "224.0.0.0/3")],
                ),
            ),
            (addresses("ip6 daddr", [ip_network("fd00::/64"), ip_network("fd00:1::1/128")]),),
            (addresses("ip6 saddr", [ip_network("::/0")]), ct_state("established", "related")),
            (link_name("iifname", "eth0"), link_name("oifname", "eth1", negate=True)),
            (field("icmp type", [b"\1", b"\3"]), field("icmp type", [b"\4"], negate=True)),
            (field("icmp type", [b"\1", b"\3"], negate=True),),
        ]
    )
)


def _chain(*rules: NftRule, **settings: object) -> NftChain:
    chain = NftChain(
        netns="web1", family="inet", table="vnetlab", name="forward", rules=rules, hook=_FILTER
    )
    return replace(chain, **settings)


@pytest.fixture
def nodes(bench: Bench) -> Iterator[Nodes]:
    """A lab of one VM."""
    bench.up("vms: {web1: {}}\n")
    with Nodes(bench.lab()) as nodes:
        yield nodes


def _reach(nodes: Nodes, *objects: NftTable | NftChain) -> tuple[list[str], Observed]:
    """Make the nftables of the lab those of `objects`; the changes in words, and the result."""
    observed = observe(nodes)
    desired = replace(
        observed.state,
        nft_tables=frozenset(it for it in objects if isinstance(it, NftTable)),
        nft_chains=frozenset(it for it in objects if isinstance(it, NftChain)),
        nft_sets=frozenset(),
    )
    changes = diff_states(desired=desired, observed=observed.state)
    apply(order_changes(changes), nodes, observed)
    result = observe(nodes)
    assert not _left(desired, result.state)
    return [describe_change(change) for change in changes], result


def _left(desired: State, observed: State) -> list[str]:
    changes: tuple[Change, ...] = diff_states(desired=desired, observed=observed)
    return [describe_change(change) for change in changes]


def test_every_kind_of_rule_is_read_back_as_it_was_asked_for(nodes: Nodes) -> None:
    """Tables, chains and rules of every kind: the difference is empty when they are made."""
    nat = _chain(
        rule("out", link_name("oifname", "eth0"), counter(), masquerade()),
        name="postrouting",
        hook=NftHook(kind="nat", point="postrouting", priority=100),
    )
    forward = _chain(
        rule("v4", meta("nfproto", b"\2"), destination_nat(2, bytes((10, 0, 0, 9)), 80)),
        rule("v6", meta("nfproto", b"\n"), destination_nat(10, bytes(15) + b"\1", None)),
        name="prerouting",
        hook=NftHook(kind="nat", point="prerouting", priority=-100),
    )
    other = _chain(rule("", counter(), reject(2, 3), verdict("drop")), name="other", hook=None)
    jumping = _chain(*_RULES, rule("jump", verdict("jump other")), accepts=False)
    _reach(nodes, _TABLE, jumping, other, nat, forward)
    _reach(nodes, _TABLE, jumping, other, nat, replace(forward, rules=forward.rules[1:]))


def test_an_edit_touches_the_rules_that_differ_alone(nodes: Nodes) -> None:
    """Rules added, removed and changed: those that stay keep their handles, and so their counts."""
    _, before = _reach(nodes, _TABLE, _chain(*_RULES[:6]))
    chain = _chain(_RULES[7], _RULES[0], _RULES[8], _RULES[9], *_RULES[2:5], _RULES[10])
    words, after = _reach(nodes, _TABLE, chain)
    old, new = before.rule_handles[chain.id], after.rule_handles[chain.id]
    assert (new[1], *new[4:7]) == (old[0], *old[2:5])
    (told,) = words
    assert told.startswith("~ nftables chain inet vnetlab forward in web1: - rule 'rule 1'")
    assert "+ rule 'rule 7'" in told


def test_a_policy_a_hook_and_a_dormant_table_are_set(nodes: Nodes) -> None:
    """A policy is changed in place, for another hook the chain is made again."""
    chain = _chain(*_RULES[:2])
    _reach(nodes, _TABLE, chain)
    assert _reach(nodes, _TABLE, replace(chain, accepts=False))[0] == [
        "~ nftables chain inet vnetlab forward in web1: policy none -> drop"
    ]
    words, _ = _reach(nodes, _TABLE, replace(chain, hook=replace(_FILTER, priority=5)))
    assert [word[0] for word in words] == ["-", "+"]
    _reach(nodes, replace(_TABLE, dormant=True), chain)
    words, _ = _reach(nodes, _TABLE, chain)
    assert words[:2] == [
        "- nftables table inet vnetlab in web1",
        "+ nftables table inet vnetlab in web1",
    ]


def test_what_one_rule_is_refused_for_changes_nothing(nodes: Nodes) -> None:
    """A batch with a rule that the kernel refuses is refused whole, with that rule's name."""
    observed = observe(nodes)
    bad = rule("bad", verdict("jump nowhere"))
    changes = [Change(old=None, new=it) for it in (_TABLE, _chain(_RULES[0], bad))]
    with pytest.raises(KernelRefusedError, match="the rule 'bad' of nftables chain"):
        apply(order_changes(changes), nodes, observed)
    assert not observe(nodes).state.nft_tables


def test_all_goes_in_one_transaction(nodes: Nodes) -> None:
    """Chains that jump to each other go, with and without their table."""
    first = _chain(rule("jump", verdict("jump second")))
    second = _chain(*_RULES, rule("more", verdict("jump third")), name="second", hook=None)
    third = _chain(name="third", hook=None)
    _reach(nodes, _TABLE, first, second, third)
    _reach(nodes, _TABLE, replace(first, rules=()))
    _reach(nodes, _TABLE, first, second, third)
    assert _reach(nodes)[0] == ["- nftables table inet vnetlab in web1"]


def test_thousands_of_rules_and_elements_fit_into_one_batch(nodes: Nodes) -> None:
    """The socket takes a transaction of any size, and a set more than one attribute holds."""
    many = [(port, port) for port in range(1, 65000, 10)]
    rules = [rule(f"{n}", ports("th dport", [(n, n)]), counter()) for n in range(1, 3000)]
    _reach(nodes, _TABLE, _chain(rule("many", ports("th dport", many), counter()), *rules))
