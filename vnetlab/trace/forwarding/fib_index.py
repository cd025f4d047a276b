"""The routing of all namespaces, put together from the tables (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from vnetlab.state.guards import given_rules
from vnetlab.state.objects import MAIN_TABLE, Address, Link, LinkId
from vnetlab.state.routing import PolicyRule
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.fib import LOCAL_TABLE, Entry, Fate, Fib
from vnetlab.trace.forwarding.fib_entries import made_entries, read_entries


def index_fib(tables: Tables) -> Fib:
    """Index the routing of `tables`, as the kernel has it."""
    fib = _without_entries(tables)
    read = {route.netns for route in tables.fib}
    rows = [
        *read_entries(tables, fib),
        *((netns, it) for netns, it in made_entries(tables, fib) if netns not in read),
    ]
    return replace(fib, entries=_sorted(rows))


def index_meant(tables: Tables) -> Fib:
    """Index the routing that the State of `tables` means, as if all its links were up."""
    fib = _without_entries(tables)
    return replace(fib, entries=_sorted(made_entries(tables, fib, with_dead=True)))


def _without_entries(tables: Tables) -> Fib:
    links = {link.id: link for link in tables.state.links}
    addresses: defaultdict[str, list[Address]] = defaultdict(list)
    for address in sorted(tables.state.addresses, key=lambda it: (it.link, str(it.interface))):
        addresses[address.netns].append(address)
    for link_id, interface in tables.link_locals:
        it = Address(netns=link_id.netns, link=link_id.name, interface=interface)
        addresses[link_id.netns].append(it)
    return Fib(
        entries={},
        rules=_rules(tables),
        links=links,
        vrfs=dict(_vrfs(links)),
        addresses={netns: tuple(held) for netns, held in addresses.items()},
    )


def _sorted(
    rows: Iterable[tuple[str, Entry]],
) -> dict[tuple[str, int, int], tuple[Entry, ...]]:
    groups: defaultdict[tuple[str, int, int], list[Entry]] = defaultdict(list)
    for netns, entry in rows:
        groups[netns, entry.table, entry.destination.version].append(entry)
    return {key: tuple(sorted(found, key=_order)) for key, found in groups.items()}


def _order(entry: Entry) -> tuple[object, ...]:
    local = entry.fate is not Fate.LOCAL
    return (-entry.destination.prefixlen, local, entry.metric, str(entry.link), str(entry.via))


def _vrfs(links: Mapping[LinkId, Link]) -> Iterator[tuple[LinkId, Link]]:
    for link in links.values():
        if link.table is not None:
            yield link.id, link
        master = links.get(LinkId(netns=link.netns, name=link.master or ""))
        if master is not None and master.table is not None:
            yield link.id, master


def _rules(tables: Tables) -> dict[tuple[str, int], tuple[PolicyRule, ...]]:
    rules = [*tables.state.policy_rules, *_merged(tables.state.policy_rules)]
    groups: defaultdict[tuple[str, int], list[PolicyRule]] = defaultdict(list)
    for rule in sorted(rules, key=lambda rule: (rule.priority, str(rule.id))):
        groups[rule.netns, rule.version].append(rule)
    return {key: tuple(found) for key, found in groups.items()}


def _merged(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The tables local and main of IPv4 are one until somebody adds a rule.

    So the rule of `local` finds what is in `main`, though that one's own rule was deleted. That a
    rule was there and is gone again cannot be seen: the tables are apart then
    (net/ipv4/fib_rules.c and fib_trie.c, fib_trie_unmerge; measured on Linux 6.1).
    """
    by_node: defaultdict[str, set[PolicyRule]] = defaultdict(set)
    for rule in rules:
        if rule.version == 4:  # IPv4
            by_node[rule.netns].add(rule)
    found = []
    for netns, held in by_node.items():
        tables = {rule.table for rule in held}
        if held < given_rules(netns) and LOCAL_TABLE in tables and MAIN_TABLE not in tables:
            found.append(PolicyRule(netns=netns, version=4, priority=0, table=MAIN_TABLE))
    return found
