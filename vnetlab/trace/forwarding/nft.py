"""What nftables does with a packet at one hook: all chains that are hooked in there (pure).

How it works: the kernel calls the base chains of a hook in the order of their priorities, those of
the inet family among those of ip and ip6; an accepted packet goes on to the next one
(netfilter.org, nft(8)). A rule that stops the packet is a finding, and the walk goes on as if that
rule were not there (`vnetlab.trace.forwarding.walk`). What depends on chance or rates is evaluated
for both cases: what stops the packet in one of them only, harms it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.nftables import NftChain, NftHook, NftSet, NftTable
from vnetlab.state.objects import State
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.nft_chains import ChainWalk, Decision
from vnetlab.trace.forwarding.nft_place import Place
from vnetlab.trace.forwarding.packet import CtState, Packet, Payload
from vnetlab.trace.forwarding.walk import Finding, WalkStep

_NAT_PRIORITIES = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
"""All chains for NAT are called at one priority, whatever theirs: net/netfilter/nf_nat_proto.c."""


class Verdict(Enum):
    """What becomes of the packet at this hook."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"


class Ruling(Struct, frozen=True, kw_only=True):
    """What the hook does with a packet.

    `packet` is the packet as it leaves the hook (translated, marked), if need be as if nothing had
    stopped it; `verdict` what becomes of it in fact; `decision` the rule or policy that says so,
    None where no chain is hooked in. `steps` has one step for each rule that decided something,
    with its finding if it stops or harms the packet: they can be put into a walk as they are.
    """

    packet: Packet
    verdict: Verdict = Verdict.ACCEPT
    decision: Decision | None = None
    steps: tuple[WalkStep, ...] = ()
    unmodelled: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """The rules that decided something, in nft's words."""
        return tuple(step.row for step in self.steps)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that stops or harms the packet here, in order."""
        return tuple(step.finding for step in self.steps if step.finding)

    @property
    def finding(self) -> Finding | None:
        """The first of them."""
        return next(iter(self.findings), None)


def evaluate(
    tables: Tables,
    netns: str,
    family: str,
    point: str,
    packet: Packet,
    *,
    iif: str | None,
    oif: str | None,
) -> Ruling:
    """Pass the packet through a hook of a namespace.

    `family` is ip, ip6, arp, bridge or netdev; `point` prerouting, input, forward, output,
    postrouting, of netdev ingress or egress. `iif` and `oif` are the links that the kernel knows
    at this point, None where it knows none: in the bridge family ports, in netdev the device.
    """
    hooked = _hooked(tables.state, netns, family, point, iif if point == "ingress" else oif)
    if not hooked:
        return Ruling(packet=packet)
    place = Place(
        tables=tables,
        netns=netns,
        family=family,
        point=point,
        priority=0,
        iif=iif,
        oif=oif,
        links={link.name: link for link in tables.state.links if link.netns == netns},
        sets={},
    )
    usual = _pass_hook(hooked, packet, place)
    if not usual.chanced:
        return _ruling(usual, usual.decisions, harming=frozenset())
    other = _pass_hook(hooked, packet, replace(place, chance=True))
    better, worse = sorted((usual, other), key=lambda walk: len(walk.stops))
    sometimes = better.stops ^ worse.stops
    more = [it for it in worse.decisions if it.row in sometimes]
    return _ruling(better, [*more, *better.decisions], harming=sometimes)


def _pass_hook(hooked: Sequence[_Hooked], packet: Packet, place: Place) -> ChainWalk:
    """All base chains in their order; of those for NAT, none behind the one that translates."""
    walk = ChainWalk(packet)
    for base in hooked:
        hook = base.chain.hook
        assert hook is not None, "only chains with a hook are hooked in"
        if hook.kind == "nat" and (not _is_new(walk.packet) or walk.translated):
            continue
        here = replace(
            place, family=base.chain.family, priority=hook.priority, sets=base.table.sets
        )
        walk.pass_base(base.chain, base.table.chains, here)
    return walk


def _is_new(packet: Packet) -> bool:
    """Only the first packet of a connection gets to the rules for NAT."""
    return packet.state is CtState.NEW and packet.payload is Payload.IP


def _ruling(walk: ChainWalk, decisions: Sequence[Decision], harming: frozenset[str]) -> Ruling:
    stopping = [it for it in walk.decisions if it.stops and it.row not in harming]
    deciding = next(iter(stopping or reversed(walk.decisions)), None)
    verdict = Verdict.ACCEPT
    if stopping:
        verdict = Verdict.REJECT if stopping[0].verdict == "reject" else Verdict.DROP
    return Ruling(
        packet=walk.packet,
        verdict=verdict,
        decision=deciding,
        steps=tuple(it.step(harms=it.row in harming) for it in decisions),
        unmodelled=tuple(dict.fromkeys(walk.unmodelled)),
    )


class _Table(Struct, frozen=True, kw_only=True):
    """The chains and sets of a table by name."""

    chains: Mapping[str, NftChain]
    sets: Mapping[str, NftSet]


class _Hooked(Struct, frozen=True, kw_only=True):
    """A base chain and its table."""

    chain: NftChain
    table: _Table


_FAMILIES = {"ip": ("ip", "inet"), "ip6": ("ip6", "inet"), "netdev": ("netdev", "inet")}


def _hooked(
    state: State, netns: str, family: str, point: str, device: str | None
) -> tuple[_Hooked, ...]:
    """The base chains of a hook, in the order in which the kernel calls them."""
    found = _base_chains(state.nft_tables, state.nft_chains, state.nft_sets).get(netns, ())
    families = _FAMILIES.get(family, (family,))
    return tuple(
        base
        for base in found
        if base.chain.family in families
        and base.chain.hook is not None
        and base.chain.hook.point == point
        and (family != "netdev" or _is_at(base.chain.hook, device))
    )


def _is_at(hook: NftHook, device: str | None) -> bool:
    """Whether a chain is hooked in at a device; one with a `*` at all whose names begin so."""
    name = device or ""
    return any(name.startswith(it[:-1]) if it.endswith("*") else name == it for it in hook.devices)


@lru_cache(maxsize=4)
def _base_chains(
    tables: frozenset[NftTable], chains: frozenset[NftChain], sets: frozenset[NftSet]
) -> Mapping[str, tuple[_Hooked, ...]]:
    """All base chains of tables that are not dormant by namespace, in order."""
    members: dict[tuple[str, str, str], _Table] = {}
    asleep = {table.id for table in tables if table.dormant}
    for id_, of_table in _by_table(chains).items():
        if id_ not in asleep:
            held = [item for item in sets if (item.netns, item.family, item.table) == id_]
            members[id_] = _Table(
                chains={chain.name: chain for chain in of_table},
                sets={item.name: item for item in held},
            )
    bases: dict[str, list[_Hooked]] = defaultdict(list)
    for (netns, _, _), table in members.items():
        for chain in table.chains.values():
            if chain.hook is not None:
                bases[netns].append(_Hooked(chain=chain, table=table))
    return {netns: tuple(sorted(found, key=_order)) for netns, found in bases.items()}


def _by_table(chains: Iterable[NftChain]) -> Mapping[tuple[str, str, str], list[NftChain]]:
    found: dict[tuple[str, str, str], list[NftChain]] = defaultdict(list)
    for chain in chains:
        found[chain.netns, chain.family, chain.table].append(chain)
    return found


def _order(base: _Hooked) -> tuple[int, int, tuple[str, str, str, str]]:
    hook = base.chain.hook
    assert hook is not None, "only chains with a hook are sorted"
    called = _NAT_PRIORITIES[hook.point] if hook.kind == "nat" else hook.priority
    return (called, hook.priority, base.chain.id)
