"""nftables as values: rules in words, edits, and what policies become."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vnetlab.kernel.nft_expressions import (
    ANONYMOUS_SET,
    decode_expressions,
    encode_expressions,
)
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change, diff_states
from vnetlab.state.features import Feature, required_features
from vnetlab.state.nft_words import show_expressions
from vnetlab.state.nftables import NftChain, NftExpression, NftRule, edit_rules
from vnetlab.state.objects import State
from vnetlab.state.plan import Phase, order_changes
from vnetlab.state.show import describe_change
from vnetlab.topology.load import load
from vnetlab.topology.store import dump, parse

GOLDEN = Path(__file__).parents[1] / "golden"
POLICIES = compile_topology(load(GOLDEN / "plan-policies" / "topology.yaml"))
CHAINS = {(chain.netns, chain.name): chain for chain in POLICIES.nft_chains}

letters = st.lists(st.sampled_from("abcdef"), max_size=8)


def rules_of(netns: str, chain: str) -> list[str]:
    """The rules of a chain, each by its name and what it does."""
    return [f"{rule.name}: {show_expressions(rule)}" for rule in CHAINS[netns, chain].rules]


def named(names: list[str]) -> tuple[NftRule, ...]:
    """Rules that differ by their names."""
    return tuple(NftRule(name=name, expressions=()) for name in names)


def test_a_security_group_is_rules_at_the_port() -> None:
    """Replies, ARP and neighbour discovery, then the groups' rules, then nothing else."""
    rules = rules_of("hv1", "a.eth0-ingress")
    assert rules[:3] == [
        "replies: ct state established,related counter return",
        "ARP: meta protocol arp counter return",
        (
            "neighbour discovery: meta l4proto ipv6-icmp "
            "icmp type { 133, 134, 135, 136, 137 } counter return"
        ),
    ]
    assert rules[3:] == [
        (
            "web ingress 1: tcp/80,443,8000-8099 from wan: "
            "meta protocol ip ip saddr 10.0.20.0/24 "
            "meta l4proto tcp th dport { 80, 443, 8000-8099 } counter return"
        ),
        "web ingress 2: icmp: meta protocol ip meta l4proto icmp counter return",
        "web ingress 2: icmp: meta protocol ip6 meta l4proto ipv6-icmp counter return",
        "web+quiet ingress: nothing else: counter drop",
    ]
    jumps = rules_of("hv1", "forward")[-2:]
    assert [rule.split(":")[0] for rule in jumps] == ["a.eth0 egress", "a.eth0 ingress"]


def test_port_security_is_a_rule_for_each_way() -> None:
    """Forged sources go before they are learned, other destinations and isolated ports at last."""
    (forged,) = rules_of("hv1", "prerouting")
    assert forged.startswith('a.eth0 security: forged transmit: meta iifname "a.eth0" ether')
    changed, isolated = rules_of("hv1", "forward")[:2]
    assert changed.startswith(
        'a.eth0 security: another MAC address: meta oifname "a.eth0" '
        "ether daddr & 0x010000000000 0x000000000000 ether daddr != 02:"
    )
    assert isolated.startswith("a.eth0 isolated: port group private of other vSwitches: ")


def test_a_firewall_and_nat_are_rules_of_the_node() -> None:
    """A rejected connection is reset; what is translated goes to the address of its family."""
    assert "firewall input 1: reject tcp/22: meta l4proto tcp th dport 22 counter reject" in (
        rules_of("b", "input")
    )
    assert rules_of("b", "input")[-1] == "firewall input: deny the rest: counter drop"
    (forward,) = rules_of("gw", "prerouting")
    assert 'meta iifname "eth0.20" meta nfproto ipv4 ip daddr 10.0.20.1' in forward
    assert forward.endswith(" port 80")
    assert rules_of("gw", "postrouting") == [
        'masquerade to wan: meta oifname "eth0.20" counter masquerade'
    ]


def test_policies_are_stored_with_the_topology() -> None:
    """What is cached beside a running lab says them all."""
    topology = load(GOLDEN / "plan-policies" / "topology.yaml")
    assert parse(dump(topology)) == topology


def test_policies_need_their_features() -> None:
    """Each kind of rule is a feature of the kernel, shown by the first object that needs it."""
    needed = set(required_features(POLICIES))
    assert {
        Feature.NFT_BRIDGE,
        Feature.NFT_INET,
        Feature.BRIDGE_CONNTRACK,
        Feature.CONNTRACK,
        Feature.NFT_NAT,
        Feature.NFT_REJECT,
    } <= needed


def test_one_rule_changed_is_one_change() -> None:
    """The chain is told with the rule that goes and the one that comes."""
    old = CHAINS["gw", "forward"]
    new = replace(old, rules=(*old.rules[:-2], *old.rules[-1:]))
    observed = replace(POLICIES, nft_chains=POLICIES.nft_chains - {old} | {new})
    (change,) = diff_states(desired=POLICIES, observed=observed)
    assert describe_change(change) == (
        "~ nftables chain inet vnetlab forward in gw: + rule 'acl 1: deny tcp/22 to guarded'"
    )


def test_a_rule_that_only_its_content_tells_is_told_by_it() -> None:
    """Two rules of one name are told with what they do."""
    old = CHAINS["gw", "postrouting"]
    wrong = replace(old.rules[0], expressions=old.rules[0].expressions[2:])
    change = Change(old=replace(old, rules=(wrong,)), new=old)
    assert describe_change(change).partition(": ")[2] == (
        "- rule 'masquerade to wan' (counter masquerade), "
        "+ rule 'masquerade to wan' (meta oifname \"eth0.20\" counter masquerade)"
    )


def test_another_hook_makes_the_chain_anew() -> None:
    """It goes before it comes, in the one phase that is one transaction."""
    old = CHAINS["gw", "forward"]
    assert old.hook is not None
    moved = replace(old, hook=replace(old.hook, priority=9))
    observed = replace(POLICIES, nft_chains=POLICIES.nft_chains - {old} | {moved})
    plan = order_changes(diff_states(desired=POLICIES, observed=observed))
    ((phase, changes),) = plan.phases
    assert phase is Phase.NFTABLES
    assert [(change.old, change.new) for change in changes] == [(moved, None), (None, old)]


def test_a_table_takes_all_in_it_along() -> None:
    """Foreign tables go in one step each."""
    changes = diff_states(desired=State(namespaces=POLICIES.namespaces), observed=POLICIES)
    removed = [change.old for change in changes]
    assert POLICIES.nft_tables <= set(removed)
    assert not any(isinstance(item, NftChain) for item in removed)


@given(old=letters, new=letters)
def test_edits_turn_old_rules_into_new_ones(old: list[str], new: list[str]) -> None:
    """Those that stay, in their order, with those that are new between them."""
    before, after = named(old), named(new)
    edits = list(edit_rules(before, after))
    assert tuple(rule for _, rule in edits if rule is not None) == after
    stays = [place for place, rule in edits if place is not None and rule is not None]
    gone = [place for place, rule in edits if place is not None and rule is None]
    assert stays == sorted(stays)
    assert sorted(stays + gone) == list(range(len(before)))
    assert all(before[place] == rule for place, rule in edits if place is not None and rule)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=lambda chain: str(chain.id))
def test_every_rule_is_read_as_it_is_written(chain: NftChain) -> None:
    """Expressions survive the way to the kernel's attributes and back."""
    for rule in chain.rules:
        held = [it for item in rule.expressions for key, it in item.values if key == "elements"]
        sets = dict(zip([ANONYMOUS_SET], [tuple(str(it).split()) for it in held], strict=False))
        encoded = encode_expressions(rule.expressions, count(1))
        assert decode_expressions(encoded, sets) == rule.expressions


def test_what_is_not_known_is_kept_as_it_is() -> None:
    """An expression of another kind, or with another attribute, differs from every one of ours."""
    unknown = bytes.fromhex("1c0001800a0001007866726d000000000c0002800800010000000001")
    (item,) = decode_expressions(unknown[: 4 + 24], {})
    assert item == NftExpression(kind="xfrm", values=(("attributes", "0800010000000001"),))
    assert show_expressions(NftRule(name="", expressions=(item,))) == "xfrm"
