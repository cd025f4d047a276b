"""Rates and delays as users write them, in the units of tc(8) (pure)."""

from __future__ import annotations

import re
from decimal import Decimal

from vnetlab.topology.wording import InvalidValueError, got

_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([a-z/]*)", re.ASCII)

_BIT_S = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "tbit": 10**12}
_RATE = "a rate such as 1gbit, 100mbit, 64kbit or 1.5mbit"
SLOWEST_BIT_S, FASTEST_BIT_S = 8000, 10 * 10**12
"""tc's bucket holds what is sent in 4.3 s at most: slower, and full-size packets fit into none."""

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_DELAY = "a delay such as 200us, 1.5ms or 2s"
LONGEST_DELAY_NS = 100 * 10**9
"""tc keeps delays in 32 bits of 64 ns: 274 s."""


def parse_rate(value: object) -> int:
    """A rate in bit/s from `1gbit`, `1.5mbit` or a plain whole number of bit/s.

    Raises InvalidValueError, also for `mbps` and its like: tc(8) reads it as megabytes.
    """
    number, unit = _split(value, _RATE)
    if unit.endswith(("bps", "b/s", "bit/s")):
        bits = f"{number:f}{unit[0] if unit[0] in 'kmgt' else ''}bit"
        raise got(value, _RATE, fix=f"write '{bits}' if you mean bits")
    rate_bit_s = int(number * _factor(value, unit or "bit", _BIT_S, _RATE))
    if not SLOWEST_BIT_S <= rate_bit_s <= FASTEST_BIT_S:
        raise got(value, "a rate from 8kbit to 10tbit")
    return rate_bit_s


def parse_delay(value: object) -> int:
    """A delay in nanoseconds from `200us`, `1.5ms`, `2s` or 0. Raises InvalidValueError."""
    number, unit = _split(value, _DELAY)
    if not unit and number:
        raise got(value, _DELAY, fix=f"add a unit: '{number:f}us' or '{number:f}ms'")
    delay_ns = int(number * _factor(value, unit or "ns", _NS, _DELAY))
    if delay_ns > LONGEST_DELAY_NS:
        raise got(value, "a delay of 100s at most")
    return delay_ns


def _split(value: object, expected: str) -> tuple[Decimal, str]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise got(value, expected)
    match = _QUANTITY.fullmatch(str(value).lower())
    if not match:
        raise got(value, expected)
    return Decimal(match[1]), match[2]


def _factor(value: object, unit: str, units: dict[str, int], expected: str) -> int:
    if unit not in units:
        raise InvalidValueError(
            f"got {value!r}, expected {expected}", fix=f"the units are {', '.join(units)}"
        )
    return units[unit]
