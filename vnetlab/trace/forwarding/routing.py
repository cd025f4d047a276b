"""Routing: which row of which table decides where a packet goes next (pure).

As net/ipv4/fib_rules.c, fib_trie.c and net/ipv6/ip6_fib.c do it: the policy rules in the order of
their priority, in each table the longest prefix, of equal ones the least metric. A table that has
no route hands on to the next rule; a route of another type than unicast ends the search.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

from vnetlab.state.objects import Address, LinkId, Object
from vnetlab.state.routing import L3MDEV, PolicyRule
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.fib import (
    LOOPBACK,
    Entry,
    Fate,
    Fib,
    table_name,
)
from vnetlab.trace.forwarding.fib_index import index_fib
from vnetlab.trace.request import IpAddress

_STOPPING = {fate.value: fate for fate in (Fate.BLACKHOLE, Fate.UNREACHABLE, Fate.PROHIBIT)}
_NOTHING: frozenset[Object] = frozenset()


class Flow(Struct, frozen=True, kw_only=True):
    """What a lookup is about.

    `iif` is the link that the packet came in by, None for one of the namespace's own; `oif` is the
    link that it is bound to, None where it is to none.
    """

    netns: str
    source: IpAddress
    destination: IpAddress
    iif: LinkId | None = None
    oif: LinkId | None = None
    mark: int = 0


class Decision(Struct, frozen=True, kw_only=True):
    """What a lookup gave: the entry that won, and the rule that led to its table.

    `entry` is None where a rule itself stops the packet, or nothing matched; `rule` None for the
    rule that comes with VRFs. `equal` are other entries that the kernel could have taken.
    """

    fate: Fate
    entry: Entry | None = None
    rule: PolicyRule | None = None
    equal: tuple[Entry, ...] = ()
    unmodelled: tuple[str, ...] = ()

    @property
    def link(self) -> LinkId | None:
        """Where the packet leaves."""
        return self.entry.link if self.entry else None

    @property
    def item(self) -> Object | None:
        """The object that decided."""
        return self.entry.item if self.entry else self.rule

    @property
    def way(self) -> tuple[Fate, LinkId | None, IpAddress | None]:
        """Where it leads: two decisions of one way send a packet to the same place."""
        via = self.entry.via if self.entry else None
        return (self.fate, None if self.fate is Fate.LOCAL else self.link, via)

    @property
    def row(self) -> str:
        """The route as `ip route` shows it, behind its rule where that is not one of the usual."""
        if self.entry is None:
            return show_rule(self.rule) if self.rule else self.fate.value
        if self.rule is not None and _selects(self.rule):
            return f"{show_rule(self.rule)}: {self.entry.row}"
        return self.entry.row


def lookup(fib: Fib, flow: Flow, *, without: frozenset[Object] = _NOTHING) -> Decision:
    """Look a packet's destination up, in tables and by rules other than those in `without`."""
    version = flow.destination.version
    unmodelled: list[str] = []
    for rule in fib.rules.get((flow.netns, version), ()):
        if rule in without or not _matches(fib, rule, flow):
            continue
        if rule.action in _STOPPING:
            fate = _STOPPING[rule.action]
            return Decision(fate=fate, rule=rule, unmodelled=tuple(unmodelled))
        if rule.action not in (L3MDEV, "lookup"):
            if rule.action != "nop":
                unmodelled.append(f"{flow.netns}: {show_rule(rule)}")
            continue
        table = _device_table(fib, flow) if rule.action == L3MDEV else rule.table
        rows = fib.entries.get((flow.netns, table or 0, version), ())
        matching = [
            it
            for it in rows
            if _fits(fib, it, flow) and (it.item is None or it.item not in without)
        ]
        if not matching or matching[0].fate is Fate.THROW:
            continue
        equal = _equal(matching)
        if len(equal) > 1:
            prefix = matching[0].destination
            unmodelled.append(f"{flow.netns}: which of {len(equal)} equal routes to {prefix}")
        return Decision(
            fate=matching[0].fate,
            entry=matching[0],
            rule=None if rule.action == L3MDEV else rule,
            equal=equal[1:],
            unmodelled=tuple(unmodelled),
        )
    return Decision(fate=Fate.NONE, unmodelled=tuple(unmodelled))


def choose_source(tables: Tables, netns: str, destination: IpAddress) -> IpAddress | None:
    """Return the address that the kernel gives to what `netns` sends; None where it has none.

    IPv4: the first on the way out whose network the next hop is in, else the first there, else
    any (net/ipv4/devinet.c, inet_select_addr). IPv6: RFC 6724, rules 1, 5 and 8.
    """
    fib = index_fib(tables)
    unspecified = IPv4Address(0) if destination.version == 4 else IPv6Address(0)
    flow = Flow(netns=netns, source=unspecified, destination=destination)
    decision = lookup(fib, flow)
    entry = decision.entry
    if entry is None or entry.fate not in (Fate.UNICAST, Fate.LOCAL):
        return None
    if entry.preferred_source is not None:
        return entry.preferred_source
    return select_address(fib, netns, entry.link, entry.via or destination)


def select_address(
    fib: Fib, netns: str, link: LinkId | None, neighbour: IpAddress
) -> IpAddress | None:
    """The address that a namespace uses towards a neighbour out of `link`."""
    table = fib.table_of(link)
    held = [
        it
        for it in fib.addresses.get(netns, ())
        if it.interface.version == neighbour.version
        and fib.table_of(LinkId(netns=netns, name=it.link)) == table
    ]
    rank = _rank_4 if neighbour.version == 4 else _rank_6
    best = min(held, key=lambda it: rank(it, link, neighbour), default=None)
    return best.interface.ip if best else None


def show_rule(rule: PolicyRule) -> str:
    """As `ip rule` shows it."""
    words = [f"{rule.priority}: from {rule.source or 'all'}"]
    words += [f"to {rule.destination}"] if rule.destination else []
    words += [f"fwmark {rule.mark:#x}"] if rule.mark is not None else []
    words += [f"iif {rule.iif}"] if rule.iif else []
    words += [f"oif {rule.oif}"] if rule.oif else []
    words += [rule.action] + ([table_name(rule.table)] if rule.table is not None else [])
    return " ".join(words)


def _matches(fib: Fib, rule: PolicyRule, flow: Flow) -> bool:
    if rule.action == L3MDEV and _device_table(fib, flow) is None:
        return False
    return (
        (rule.source is None or flow.source in rule.source)
        and (rule.destination is None or flow.destination in rule.destination)
        and (rule.iif is None or rule.iif in _names(fib, flow.iif, LOOPBACK))
        and (rule.oif is None or rule.oif in _names(fib, flow.oif, ""))
        and (rule.mark is None or rule.mark == flow.mark)
    )


def _names(fib: Fib, link: LinkId | None, otherwise: str) -> tuple[str, ...]:
    """A link's name, and that of its VRF."""
    return (link.name, fib.device(link).name) if link else (otherwise,)


def _device_table(fib: Fib, flow: Flow) -> int | None:
    return fib.table_of(flow.oif) or fib.table_of(flow.iif)


def _fits(fib: Fib, entry: Entry, flow: Flow) -> bool:
    if flow.destination not in entry.destination:
        return False
    if entry.sources is not None and flow.source not in entry.sources:
        return False
    if flow.oif is None or entry.fate is not Fate.UNICAST or entry.link is None:
        return True
    return flow.oif in (entry.link, fib.device(entry.link))


def _equal(matching: list[Entry]) -> tuple[Entry, ...]:
    """The best entries: of those that lead on there can be several."""
    best = matching[0]
    if best.fate is not Fate.UNICAST:
        return (best,)
    ways = {
        (it.link, it.via): it
        for it in reversed(matching)
        if (it.destination, it.metric, it.fate) == (best.destination, best.metric, best.fate)
    }
    return (best, *(it for it in ways.values() if it is not best))


def _selects(rule: PolicyRule) -> bool:
    selectors = (rule.source, rule.destination, rule.iif, rule.oif, rule.mark)
    return any(it is not None for it in selectors) or rule.action != "lookup"


def _rank_4(address: Address, link: LinkId | None, neighbour: IpAddress) -> tuple[object, ...]:
    on_link = link is not None and address.link == link.name
    return (not on_link, neighbour not in address.interface.network)


def _rank_6(address: Address, link: LinkId | None, neighbour: IpAddress) -> tuple[object, ...]:
    ip = address.interface.ip
    on_link = link is not None and address.link == link.name
    scopes_differ = ip.is_link_local != neighbour.is_link_local
    common = 128 - (int(ip) ^ int(neighbour)).bit_length()
    return (ip != neighbour, scopes_differ, not on_link, -common)
