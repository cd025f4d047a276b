"""What the kernel counts, and what moved between two looks at it (pure).

before = read_counters(...)     # vnetlab.kernel.counters
...                             # something happens
for moved in read_counters(...) - before:
print(moved.words)          # tbf of hv1.eno1: +12 drops
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum

from msgspec import Struct


class CounterKind(Enum):
    """What counts."""

    LINK = "link"
    VLAN = "vlan"
    QDISC = "qdisc"
    CLASS = "class"
    ACTION = "action"
    RULE = "rule"
    PROTOCOL = "protocol"
    CPU = "cpu"


class Counter(Struct, frozen=True, kw_only=True):
    """One number that the kernel keeps.

    `subject` says in words what counts (`tbf of hv1.eno1`, `rule 'web ingress 1' in hv1`, `Ip`),
    `name` what is counted, in the kernel's word (`drops`, `InAddrErrors`). `link` is where, None
    where that is a namespace as a whole; `netns` is empty for what is the machine's. `place` tells
    things apart that have the same words: a handle, a number. `item` is the type and id of the
    State object that counts, if one does.
    """

    kind: CounterKind
    netns: str
    subject: str
    name: str
    link: str | None = None
    place: tuple[int | str, ...] = ()
    item: tuple[type, Hashable] | None = None


class Moved(Struct, frozen=True, kw_only=True):
    """A counter that went up `by` so much."""

    counter: Counter
    by: int

    @property
    def words(self) -> str:
        """What moved where: `Ip:InAddrErrors +1 in db1`, `tbf of hv1.eno1: +12 drops`."""
        counter = self.counter
        if counter.kind is CounterKind.PROTOCOL:
            return f"{counter.subject}:{counter.name} +{self.by} in {counter.netns}"
        one = {"packets": "packet", "drops": "drop", "overlimits": "overlimit"}
        name = one.get(counter.name, counter.name) if self.by == 1 else counter.name
        return f"{counter.subject}: +{self.by} {name}"


class Counters(Struct, frozen=True, kw_only=True):
    """What every counter stood at; what stands at 0 need not be in `values`."""

    values: Mapping[Counter, int]

    def __sub__(self, before: Counters) -> tuple[Moved, ...]:
        """What went up since `before`, by namespace, kind, subject and name.

        One that went down belongs to a thing that was made anew: it counted from 0.
        """
        moved = []
        for counter, value in self.values.items():
            earlier = before.values.get(counter, 0)
            by = value - earlier if value >= earlier else value
            if by:
                moved.append(Moved(counter=counter, by=by))
        return tuple(sorted(moved, key=_order))


def _order(moved: Moved) -> tuple[str, ...]:
    counter = moved.counter
    kinds = list(CounterKind)
    return (
        counter.netns,
        str(kinds.index(counter.kind)),
        counter.subject,
        counter.name,
        str(counter.place),
    )
