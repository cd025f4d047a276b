"""Rates, delays, sizes and shares as users write them, in the units of tc(8) (pure)."""

from __future__ import annotations

import re
from decimal import Decimal

from vnetlab.topology.wording import InvalidValueError, got

_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([a-z/%]*)", re.ASCII)

_BIT_S = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "tbit": 10**12}
_RATE = "a rate such as 1gbit, 100mbit, 64kbit or 1.5mbit"
SLOWEST_BIT_S, FASTEST_BIT_S = 8000, 10 * 10**12
"""tc's bucket holds what is sent in 4.3 s at most: slower, and full-size packets fit into none."""

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_DELAY = "a delay such as 200us, 1.5ms or 2s"
LONGEST_DELAY_NS = 100 * 10**9
"""tc keeps delays in 32 bits of 64 ns: 274 s."""

_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
_SIZE = "a size such as 64kb, 1.5mb or 128kib"
LARGEST_BYTES = 10**9
"""tc keeps sizes in 32 bits; a queue and a burst are added up."""

_SHARE = "a share such as 0.1% or 25%"
_PPM = 10**6


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


def parse_size(value: object) -> int:
    """A number of bytes from `64kb`, `128kib` or a plain whole number. Raises InvalidValueError."""
    number, unit = _split(value, _SIZE)
    if unit.endswith("bit"):
        raise got(value, _SIZE, fix="it is in bytes, 8 bits each")
    size = number * _factor(value, unit or "b", _BYTES, _SIZE)
    if not 1 <= size <= LARGEST_BYTES or size != int(size):
        raise got(value, "a whole number of bytes from 1b to 1000mb")
    return int(size)


def parse_share(value: object) -> int:
    """A share in millionths from `0.1%` or 0. Raises InvalidValueError."""
    number, unit = _split(value, _SHARE)
    if not unit and number:
        raise got(value, _SHARE, fix=f"write '{number:f}%' if you mean percent")
    share = number * _factor(value, unit or "%", {"%": _PPM // 100}, _SHARE)
    if share > _PPM or share != int(share):
        raise got(value, "a share from 0% to 100% in steps of 0.0001%")
    return int(share)


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
