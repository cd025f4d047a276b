"""EFFECT: the changes of one namespace's nftables, carried out as one transaction.

How it works: what goes comes first: rules, then sets, chains and tables, each after what uses it;
then tables, chains, and rules, which may jump to any chain. The kernel does the whole batch or
nothing of it, so that no packet meets half of the rules. Of a chain that stays only the rules that
differ are touched: the others keep their counts.

What is too large for one transaction is done in several where no packet can meet half of it: in a
new table, which is made dormant, filled, and then woken up at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import nft_messages as messages
from vnetlab.kernel.netlink import Channel, Request, TransactionTooLargeError
from vnetlab.state.diff import Change
from vnetlab.state.nftables import (
    NftChain,
    NftNamed,
    NftObject,
    NftRule,
    NftSet,
    NftTable,
    edit_rules,
)
from vnetlab.state.show import describe

ChainId = tuple[str, str, str, str]
RuleHandles = Mapping[ChainId, tuple[int, ...]]
"""The handles of a chain's rules, in their order."""

Group = Sequence[Request]
"""What must be in one transaction: a rule with the sets that are its own."""

TableId = tuple[str, str, str]


def change_nftables(
    channel: Channel | None, changes: Sequence[Change], handles: RuleHandles
) -> None:
    """Carry out `changes`, all of the namespace of `channel`.

    Raises KernelRefusedError with the first that the kernel refused; then it has done nothing, or
    left a dormant table, which does nothing.
    """
    assert channel is not None, "without netfilter the features are missing"
    try:
        _at_once(channel, _groups(changes, handles))
    except TransactionTooLargeError:
        _fill_asleep(channel, changes, handles)


def _fill_asleep(channel: Channel, changes: Sequence[Change], handles: RuleHandles) -> None:
    """Carry out `changes` of new or dormant tables in pieces, those of the others at once."""
    asleep = {
        change.new.id: change.new
        for change in changes
        if isinstance(change.new, NftTable) and (change.old is None or _is_dormant(change.old))
    }
    parts = [change for change in changes if _table_of(change) in asleep]
    others = [change for change in changes if _table_of(change) not in asleep]
    if not parts:
        node, *_ = _table_of(changes[0])
        raise KernelRefusedError(
            f"{node}: that change of its nftables is too large for one transaction",
            fix=f"'vnetlab restart {node}', which begins anew, or raise net.core.wmem_max, as root",
        )
    if others:
        change_nftables(channel, others, handles)
    filled = [
        Change(old=change.old, new=replace(change.new, dormant=True))
        if isinstance(change.new, NftTable)
        else change
        for change in parts
    ]
    _in_pieces(channel, _groups(filled, handles))
    _at_once(channel, [[_request("make", it, messages.make_table(it))] for it in asleep.values()])


def _in_pieces(channel: Channel, groups: Sequence[Group]) -> None:
    try:
        _at_once(channel, groups)
    except TransactionTooLargeError:
        if len(groups) == 1:
            raise
        half = len(groups) // 2
        _in_pieces(channel, groups[:half])
        _in_pieces(channel, groups[half:])


def _at_once(channel: Channel, groups: Sequence[Group]) -> None:
    requests = [request for group in groups for request in group]
    channel.change_at_once(messages.batch_begin(), requests, messages.batch_end())


def _groups(changes: Sequence[Change], handles: RuleHandles) -> list[Group]:
    removals = ([request] for request in _removals(changes, handles))
    return [*removals, *_additions(changes, handles)]


def _table_of(change: Change) -> TableId:
    subject = change.subject
    assert isinstance(subject, NftTable | NftChain | NftSet | NftNamed)
    family, name = subject.id[1:3]
    return (subject.netns, family, name)


def _is_dormant(table: object) -> bool:
    return isinstance(table, NftTable) and table.dormant


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
        if isinstance(item, NftNamed):
            yield _request("remove", item, messages.remove_named(item))
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


def _additions(changes: Sequence[Change], handles: RuleHandles) -> Iterator[Group]:
    for change in changes:
        if isinstance(table := change.new, NftTable):
            yield [_request("make", table, messages.make_table(table))]
    chains = [(change.old, change.new) for change in changes if isinstance(change.new, NftChain)]
    for _, chain in chains:
        assert isinstance(chain, NftChain)
        yield [_request("make", chain, messages.make_chain(chain))]
    set_ids = messages.new_set_ids()
    for old, chain in chains:
        assert isinstance(chain, NftChain)
        present = old if isinstance(old, NftChain) else None
        for rule, before in _new_rules(present, chain, handles):
            purpose = f"make the rule '{rule.name}' of"
            made = messages.make_rule(chain, rule, set_ids, before)
            yield [_request(purpose, chain, message) for message in made]


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


def _request(verb: str, item: NftObject, message: object) -> Request:
    return Request(message=message, purpose=f"{verb} {describe(item)}")
