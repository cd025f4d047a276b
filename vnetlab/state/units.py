"""Quantities as the topology language writes them: `100mbit`, `200us` (pure)."""

from __future__ import annotations

_RATES = (("tbit", 10**12), ("gbit", 10**9), ("mbit", 10**6), ("kbit", 10**3), ("bit", 1))
_TIMES = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def show_rate(rate_bit_s: int) -> str:
    """A rate in the largest unit of tc(8) that leaves at least 1: `1.5mbit`."""
    return _show(rate_bit_s, _RATES)


def show_time(time_ns: int) -> str:
    """A duration likewise: `200us`, `1.311ms`."""
    return _show(time_ns, _TIMES)


def _show(value: int, units: tuple[tuple[str, int], ...]) -> str:
    unit, factor = next((u for u in units if abs(value) >= u[1]), units[-1])
    number = value / factor
    return f"{number:.4g}{unit}" if number < 1000 else f"{number:.0f}{unit}"
