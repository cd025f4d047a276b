"""The walk through one base chain of nftables and all chains that it jumps to (pure).

See `nft.py` for how a hook is passed.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from vnetlab.state.compile.policies import TABLE
from vnetlab.state.nft_words import show_expressions, show_rule
from vnetlab.state.nftables import NftChain, NftRule
from vnetlab.trace.forwarding.nft_expressions import Outcome, run_rule
from vnetlab.trace.forwarding.nft_nat import TRANSLATIONS
from vnetlab.trace.forwarding.nft_place import Place
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, WalkStep

_MOST_JUMPS = 16  # NFT_JUMP_STACK_SIZE
_UNCONDITIONAL = ("immediate", "counter", "log", "reject")
_STOPS = ("drop", "reject", "redirect")


class Decision(Struct, frozen=True, kw_only=True):
    """A rule (None: the policy) of a chain that decided something, and what: `accept`, `drop`...

    `number` counts a chain's rules from 1. `packet` is the packet behind it. `interfaces` are the
    links that this rule and those that jumped there name; `by_chance`: it does not always match.
    """

    chain: NftChain
    number: int
    rule: NftRule | None
    verdict: str
    packet: Packet
    interfaces: tuple[str, ...] = ()
    by_chance: bool = False

    @property
    def stops(self) -> bool:
        """Whether the packet ends here."""
        return self.verdict in _STOPS

    @property
    def is_rest(self) -> bool:
        """Whether it is what the chain does with all the rest: its policy, or its last rule."""
        if self.rule is None:
            return True
        if self.number < len(self.chain.rules):
            return False
        return all(it.kind in _UNCONDITIONAL for it in self.rule.expressions)

    @property
    def row(self) -> str:
        """The rule in the words of nft(8)."""
        chain = f"{self.chain.family} {self.chain.table} {self.chain.name}"
        if self.rule is None:
            return f"nft {chain}: policy {self.verdict}"
        told = f": {show_expressions(self.rule)}" if self.rule.name else ""
        return f"nft {chain} rule {self.number} {show_rule(self.rule)}{told}"

    def step(self, *, harms: bool = False) -> WalkStep:
        """The same as a step of a walk; `harms` says that it stops some packets only."""
        link = self.interfaces[-1] if self.interfaces else None
        netns = self.chain.netns
        finding = None
        if self.stops:
            finding = Finding(
                reason=_reason(self),
                netns=netns,
                link=link,
                row=self.row,
                item=self.chain,
                harms=harms,
            )
        return WalkStep(netns=netns, link=link, packet=self.packet, row=self.row, finding=finding)


class ChainWalk:
    """The packet on its way through base chains; what decided something is kept in `decisions`.

    It goes on behind a rule that stops it, as if that were not there. What a chain does with all
    the rest is no second reason there: nobody meant the packet to come so far.
    `chanced` says that something depended on chance, `translated` that NAT has decided.
    """

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.decisions: list[Decision] = []
        self.unmodelled: list[str] = []
        self.chanced = False
        self.translated = False

    @property
    def stops(self) -> frozenset[str]:
        """The rows that stop it."""
        return frozenset(it.row for it in self.decisions if it.stops)

    def pass_base(self, base: NftChain, chains: Mapping[str, NftChain], place: Place) -> None:
        """Run a base chain and, if none of its rules accepts, its policy.

        `chains` are those of its table by name.
        """
        if self._run(base, chains, place, ()) == "accept":
            return
        verdict = "accept" if base.accepts else "drop"
        if base.rules or not base.accepts:
            self._note(base, 0, None, verdict, ())

    def _run(
        self,
        chain: NftChain,
        chains: Mapping[str, NftChain],
        place: Place,
        interfaces: tuple[str, ...],
        depth: int = 0,
    ) -> str:
        """Run the rules of a chain; `accept`, or `return` where it comes to an end."""
        for number, rule in enumerate(chain.rules, 1):
            before = self.packet
            outcome = run_rule(rule, before, place)
            self._take(chain, number, outcome)
            asked = interfaces + outcome.interfaces
            word, _, target = (outcome.verdict or "").partition(" ")
            if word in ("jump", "goto") and target in chains and depth < _MOST_JUMPS:
                verdict = self._run(chains[target], chains, place, asked, depth + 1)
                if verdict == "accept" or word == "goto":
                    return verdict
            elif word in ("accept", "return", *_STOPS):
                self._note(chain, number, rule, word, asked, by_chance=outcome.chanced)
                if word not in _STOPS:
                    self.translated |= any(it.kind in TRANSLATIONS for it in rule.expressions)
                    return word
            elif self.packet != before:
                self._note(chain, number, rule, "continue", asked)
        return "return"

    def _take(self, chain: NftChain, number: int, outcome: Outcome) -> None:
        self.packet = outcome.packet
        self.chanced |= outcome.chanced
        name = f"{chain.family} {chain.table} {chain.name} rule {number}"
        self.unmodelled += (f"nft {name}: {what}" for what in outcome.unmodelled)

    def _note(
        self,
        chain: NftChain,
        number: int,
        rule: NftRule | None,
        verdict: str,
        interfaces: tuple[str, ...],
        *,
        by_chance: bool = False,
    ) -> None:
        decision = Decision(
            chain=chain,
            number=number,
            rule=rule,
            verdict=verdict,
            packet=self.packet,
            interfaces=interfaces,
            by_chance=by_chance,
        )
        again = any(it.stops and not it.by_chance and it.chain == chain for it in self.decisions)
        if not (again and decision.stops and decision.is_rest):
            self.decisions.append(decision)


def _reason(decision: Decision) -> Reason:
    """By whose table it is: security groups, port security and routers' ACLs are in vnetlab's."""
    chain = decision.chain
    if decision.verdict == "redirect":
        return Reason.FILTER_REDIRECT
    if chain.table == TABLE and chain.family == "bridge":
        return Reason.SECURITY_GROUP if chain.hook is None else Reason.PORT_SECURITY
    if chain.table == TABLE and chain.hook is not None and chain.hook.point == "forward":
        return Reason.ACL
    if decision.verdict == "reject":
        return Reason.FIREWALL_REJECT
    of_base = decision.is_rest and chain.hook is not None
    of_base &= decision.rule is None or chain.table == TABLE
    return Reason.FIREWALL_POLICY if of_base else Reason.FIREWALL_DROP
