"""What `status` and fixes say, in the words of the tools: ip(8) reads it as it was meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT
from vnetlab import lab as verbs
from vnetlab.state.commands import commands
from vnetlab.state.diff import Change
from vnetlab.state.routing import PolicyRule

InNode = Callable[..., str]


@pytest.mark.parametrize(
    "words",
    [
        "pref 90 not to 10.0.0.0/8 ipproto udp dport 53-60 lookup 7",
        "pref 91 uidrange 5-6 lookup 254 suppress_prefixlength 0",
        "pref 92 fwmark 1/0xf lookup 7",
        "pref 93 tos 0x10 sport 80 iif lo lookup 7",
        "pref 94 goto 32766",
    ],
)
def test_a_rule_is_told_in_words_that_make_it_again(
    bench: Bench, in_node: InNode, words: str
) -> None:
    """With all that ip-rule(8) knows, as the fix of a verdict shows it."""
    bench.up(FLAT)
    in_node("a", "ip", "rule", "add", *words.split())

    def rules() -> set[PolicyRule]:
        state = verbs.snapshot("bench", bench.root).tables.state
        return {rule for rule in state.policy_rules if rule.netns == "a"}

    made = rules()
    (rule,) = (it for it in made if it.priority == int(words.split()[1]))
    for change in (Change(old=rule, new=None), Change(old=None, new=rule)):
        for command in commands(change):
            in_node("a", *command.split())
        assert (rule in rules()) == (change.new is not None)
    assert rules() == made
