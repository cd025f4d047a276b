"""Rates and delays, as far as a topology may go."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import Bench

SHAPED = """\
hypervisors: {hv1: {pnics: {eno1: {%s}}}}
vms: {a: }
"""
NETEM = pytest.mark.needs("netem")


@pytest.mark.parametrize(
    "asked",
    [
        "rate: 8kbit",
        "rate: 34.4gbit",
        "rate: 100gbit",
        "rate: 10tbit",
        pytest.param("delay: 1ns", marks=NETEM),
        pytest.param("delay: 100s", marks=NETEM),
        pytest.param("rate: 8kbit, delay: 100s", marks=NETEM),
    ],
)
def test_the_kernel_keeps_the_extremes(bench: Bench, asked: str) -> None:
    """What is read back is what was asked for: nothing is left to change."""
    bench.up(SHAPED % asked)
    assert bench.plan(SHAPED % asked).changes == ()
