"""What nftables holds: tables, and chains with their rules (pure).

A rule is a list of expressions, as the kernel runs them: load a field into a register, compare the
register, count, give a verdict (nft(8), `nft --debug=netlink`). `nft_rules.py` writes them, and
`nft_words.py` says them in nft's own language. The counters of a rule are no part of it: a rule
that is as it should be stays, and goes on counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from msgspec import Struct


class NftTable(Struct, frozen=True, kw_only=True):
    """A table. A dormant one does nothing. With it go its chains, rules and sets."""

    netns: str
    family: str
    name: str
    dormant: bool = False

    @property
    def id(self) -> tuple[str, str, str]:
        """Namespace, family and name."""
        return (self.netns, self.family, self.name)


class NftHook(Struct, frozen=True, kw_only=True):
    """Where a base chain is hooked in: nft(8), "chains".

    `kind` is filter, nat or route; `point` prerouting, input, forward... `devices` are links, in
    the netdev family.
    """

    kind: str
    point: str
    priority: int
    devices: tuple[str, ...] = ()


_VERDICT_REGISTER = 0  # NFT_REG_VERDICT


class NftExpression(Struct, frozen=True, kw_only=True):
    """One step of a rule: its kind and its attributes by name, sorted.

    Registers and other numbers are int. Bytes are hexadecimal, in network order where the field
    is; a verdict is a word (`accept`, `jump web1.eth0`); `elements` are the contents of an
    anonymous set, `KEY` or `FIRST-LAST` each. Counts are left out.
    """

    kind: str
    values: tuple[tuple[str, int | str], ...] = ()


class NftRule(Struct, frozen=True, kw_only=True):
    """A rule; `name` is its comment, empty where it has none."""

    name: str
    expressions: tuple[NftExpression, ...]

    @property
    def rejects(self) -> bool:
        """Whether it refuses what it matches, with an error to the sender."""
        return any(it.kind == "reject" for it in self.expressions)

    @property
    def stops(self) -> bool:
        """Whether it drops or refuses what it matches."""
        drops = (("dreg", _VERDICT_REGISTER), ("data", "drop"))
        return self.rejects or any(
            it.kind == "immediate" and all(value in it.values for value in drops)
            for it in self.expressions
        )


class NftChain(Struct, frozen=True, kw_only=True):
    """A chain and its rules in their order; `hook` is None for one that others jump to.

    `accepts` is a base chain's policy: what happens to what no rule decides.
    """

    netns: str
    family: str
    table: str
    name: str
    rules: tuple[NftRule, ...]
    hook: NftHook | None = None
    accepts: bool = True

    @property
    def id(self) -> tuple[str, str, str, str]:
        """Namespace, family, table and name."""
        return (self.netns, self.family, self.table, self.name)


class NftSet(Struct, frozen=True, kw_only=True):
    """A named set or map. vnetlab's own rules hold their sets themselves: this one is foreign.

    `elements` are as in an expression, in a map `KEY:DATA` or `FIRST-LAST:DATA`; an empty key is
    all others. The fields of a concatenated key have points between them, and a range is one of
    each field.
    """

    netns: str
    family: str
    table: str
    name: str
    elements: tuple[str, ...]

    @property
    def id(self) -> tuple[str, str, str, str]:
        """Namespace, family, table and name."""
        return (self.netns, self.family, self.table, self.name)


class NftNamed(Struct, frozen=True, kw_only=True):
    """A named counter, quota, limit or the like, or a flowtable. vnetlab makes none.

    `kind` is nft's word for it, or the kernel's number (NFT_OBJECT_*) in `object 8`.
    """

    netns: str
    family: str
    table: str
    kind: str
    name: str

    @property
    def id(self) -> tuple[str, str, str, str, str]:
        """Namespace, family, table, kind and name."""
        return (self.netns, self.family, self.table, self.kind, self.name)


NftObject = NftTable | NftChain | NftSet | NftNamed

Edit = tuple[int | None, NftRule | None]
"""A rule that stays (old place, itself), goes (old place, None) or is new (None, itself)."""


def edit_rules(old: tuple[NftRule, ...], new: tuple[NftRule, ...]) -> Iterator[Edit]:
    """How the rules `old` become `new`, in order, with as many as can be left as they are."""
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(range(old_from, old_to), new[new_from:new_to], strict=True)
        else:
            yield from ((place, None) for place in range(old_from, old_to))
            yield from ((None, rule) for rule in new[new_from:new_to])
