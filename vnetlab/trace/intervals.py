"""Intervals that hold what was estimated from a sample, with a given confidence (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, lgamma, log
from statistics import median

from msgspec import Struct

SHOWN = 0.95
"""The confidence of the intervals that are shown."""
JUDGED = 0.999
"""That of those by which a value is said to differ: of a thousand that agree, one seems to."""
_HALVINGS = 50


class Share(Struct, frozen=True, kw_only=True):
    """`count` of `total`, and the interval that holds the probability behind it.

    That of Clopper and Pearson (1934), which holds it at least as often as is promised.
    """

    count: int
    total: int

    @property
    def share(self) -> float:
        """The share itself, 0 of nothing."""
        return self.count / self.total if self.total else 0.0

    def interval(self, confidence: float = SHOWN) -> tuple[float, float]:
        """The probabilities, from and to; 0 to 1 where there is nothing to tell by."""
        count, total, tail = self.count, self.total, (1 - confidence) / 2
        if not total:
            return 0.0, 1.0
        low = _bisect(lambda p: 1 - _at_most(count - 1, total, p) < tail) if count else 0.0
        high = _bisect(lambda p: _at_most(count, total, p) > tail) if count < total else 1.0
        return low, high


class Middle(Struct, frozen=True, kw_only=True):
    """The median of some times, in nanoseconds, in order, and the interval that holds the true one.

    The interval is between two of the times, by their ranks: it takes no distribution for granted.
    """

    times_ns: tuple[int, ...]

    @property
    def median_ns(self) -> int:
        """The median."""
        return round(median(self.times_ns))

    def interval_ns(self, confidence: float = SHOWN) -> tuple[int, int] | None:
        """From and to; None of so few times that even all of them are not enough."""
        total, tail = len(self.times_ns), (1 - confidence) / 2
        rank = 0
        while rank < total // 2 and _at_most(rank, total, 0.5) <= tail:
            rank += 1
        return (self.times_ns[rank - 1], self.times_ns[-rank]) if rank else None


def middle(times_ns: Sequence[int]) -> Middle | None:
    """The median of times in any order; None without any."""
    return Middle(times_ns=tuple(sorted(times_ns))) if times_ns else None


def _at_most(count: int, total: int, probability: float) -> float:
    """How likely it is that at most `count` of `total` happen: the binomial distribution."""
    if probability <= 0:
        return 1.0 if count >= 0 else 0.0
    if probability >= 1:
        return 1.0 if count >= total else 0.0
    whole, yes, no = lgamma(total + 1), log(probability), log(1 - probability)
    return sum(
        exp(whole - lgamma(k + 1) - lgamma(total - k + 1) + k * yes + (total - k) * no)
        for k in range(count + 1)
    )


def _bisect(is_above: Callable[[float], bool]) -> float:
    """The greatest probability for which something holds that holds for all smaller ones."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle_of = (low + high) / 2
        low, high = (middle_of, high) if is_above(middle_of) else (low, middle_of)
    return (low + high) / 2
