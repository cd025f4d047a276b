"""EFFECT: the changes of one namespace's nftables, carried out as one transaction.

How it works: what goes comes first: rules, then sets, chains and tables, each after what uses it;
then tables, chains, and rules, which may jump to any chain. The kernel does the whole batch or
nothing of it, so that no packet meets half of the rules. Of a chain that stays only the rules that
differ are touched: the others keep their counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vnetlab.kernel import nft_messages as messages
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.state.diff import Change
from vnetlab.state.nftables import NftChain, NftRule, NftSet, NftTable, edit_rules
from vnetlab.state.show import describe

ChainId = tuple[str, str, str, str]
RuleHandles = Mapping[ChainId, tuple[int, ...]]
"""The handles of a chain's rules, in their order."""


def change_nftables(
    channel: Channel | None, changes: Sequence[Change], handles: RuleHandles
) -> None:
    """Carry out `changes`, all of the namespace of `channel`.

    Raises KernelRefusedError with the first that the kernel refused; then it has done nothing.
    """
    assert channel is not None, "without netfilter the features are missing"
    requests = [*_removals(changes, handles), *_additions(changes, handles)]
    channel.change_at_once(messages.batch_begin(), requests, messages.batch_end())


def _removals(changes: Sequence[Change], handles: RuleHandles) -> Iterator[Request]:
    gone = [change.old for change in changes if change.new is None]
    for change in changes:
        if isinstance(change.old, NftChain) and isinstance(change.new, NftChain):
            yield from _surplus_rules(change.old, change.new, handles)
    for chain in gone:
        if isinstance(chain, NftChain):
            yield _request("remove the rules of", chain, messages.remove_rules(chain))
    for item in gone:
        if isinstance(item, NftSet):
            yield _request("remove", item, messages.remove_set(item))
    for item in gone:
        match item:
            case NftChain():
                yield _request("remove", item, messages.remove_chain(item))
            case NftTable():
                yield _request("remove", item, messages.remove_table(item))


def _surplus_rules(old: NftChain, new: NftChain, handles: RuleHandles) -> Iterator[Request]:
    of_chain = handles[old.id]
    for place, rule in edit_rules(old.rules, new.rules):
        if rule is None and place is not None:
            message = messages.remove_rules(old, of_chain[place])
            yield _request("remove a rule of", old, message)


def _additions(changes: Sequence[Change], handles: RuleHandles) -> Iterator[Request]:
    for change in changes:
        if isinstance(table := change.new, NftTable):
            yield _request("make", table, messages.make_table(table))
    chains = [(change.old, change.new) for change in changes if isinstance(change.new, NftChain)]
    for _, chain in chains:
        assert isinstance(chain, NftChain)
        yield _request("make", chain, messages.make_chain(chain))
    set_ids = messages.new_set_ids()
    for old, chain in chains:
        assert isinstance(chain, NftChain)
        present = old if isinstance(old, NftChain) else None
        for rule, before in _new_rules(present, chain, handles):
            for message in messages.make_rule(chain, rule, set_ids, before):
                yield _request(f"make the rule '{rule.name}' of", chain, message)


def _new_rules(
    old: NftChain | None, new: NftChain, handles: RuleHandles
) -> Iterator[tuple[NftRule, int | None]]:
    """The rules to be made, each with the handle of the next one behind it that stays."""
    if old is None:
        yield from ((rule, None) for rule in new.rules)
        return
    edits = list(edit_rules(old.rules, new.rules))
    stays = [(at, place) for at, (place, rule) in enumerate(edits) if None not in (place, rule)]
    for at, (place, rule) in enumerate(edits):
        if place is None and rule is not None:
            behind = next((old_place for other, old_place in stays if other > at), None)
            yield rule, None if behind is None else handles[new.id][behind]


def _request(verb: str, item: NftTable | NftChain | NftSet, message: object) -> Request:
    return Request(message=message, purpose=f"{verb} {describe(item)}")
