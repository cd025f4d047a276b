"""Intervals of shares and medians, held against published values."""

from __future__ import annotations

import pytest

from vnetlab.trace.intervals import Share, middle


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (0, 100, 0.0, 0.0362),
        (5, 100, 0.0164, 0.1128),
        (50, 100, 0.3983, 0.6017),
        (100, 100, 0.9638, 1.0),
        (1, 10, 0.0025, 0.4450),
        (3, 2048, 0.0003, 0.0043),
    ],
)
def test_the_interval_of_a_share(count: int, total: int, low: float, high: float) -> None:
    """That of Clopper and Pearson, as R's binom.test gives it."""
    found = Share(count=count, total=total).interval()
    assert found == pytest.approx((low, high), abs=6e-5)


def test_nothing_tells_nothing() -> None:
    """Of no packets any probability may be the one."""
    assert Share(count=0, total=0).interval() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("total", "ranks"), [(5, None), (6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (100, (40, 61))]
)
def test_the_interval_of_a_median(total: int, ranks: tuple[int, int] | None) -> None:
    """The ranks are those of the tables for the sign test (Conover)."""
    found = middle(range(total, 0, -1))
    assert found is not None
    assert found.interval_ns() == ranks
