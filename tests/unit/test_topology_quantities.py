"""Rates, delays and kernel names."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnetlab.topology.names import LONGEST_KERNEL_NAME, check_name, kernel_name, make_name
from vnetlab.topology.quantities import parse_delay, parse_rate
from vnetlab.topology.wording import InvalidValueError


@pytest.mark.parametrize(
    ("text", "rate_bit_s"),
    [
        ("1gbit", 10**9),
        ("100mbit", 10**8),
        ("64kbit", 64_000),
        ("1.5mbit", 1_500_000),
        ("0.1gbit", 10**8),
        ("10 Gbit", 10**10),
        ("9600bit", 9600),
        ("9600", 9600),
        (9600, 9600),
    ],
)
def test_a_rate_has_the_units_of_tc(text: object, rate_bit_s: int) -> None:
    """Decimal multiples of bit/s, exact in fractions; a plain number is bit/s."""
    assert parse_rate(text) == rate_bit_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "1",
        0,
        -5,
        "1e9bit",
        "1gb",
        "100mbps",
        "11tbit",
        True,
        None,
        1.5,
        [],
        "\u0661gbit",
    ],
)
def test_what_is_no_rate_is_refused(text: object) -> None:
    """Also what tc would read differently (`mbps`), too slow and too fast."""
    with pytest.raises(InvalidValueError, match=r"^got .*, expected a rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "delay_ns"),
    [("200us", 200_000), ("1.5ms", 1_500_000), ("2s", 2 * 10**9), ("30 ns", 30), (0, 0), ("0", 0)],
)
def test_a_delay_has_a_unit(text: object, delay_ns: int) -> None:
    """Nanoseconds to seconds; only 0 needs no unit."""
    assert parse_delay(text) == delay_ns


@pytest.mark.parametrize("text", ["", 200, "200", "1min", "-1ms", "1001s", True, None, 0.5, {}])
def test_what_is_no_delay_is_refused(text: object) -> None:
    """Also a number without a unit: tc would take it for microseconds."""
    with pytest.raises(InvalidValueError, match=r"^got .*, expected a delay"):
        parse_delay(text)


@settings(deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.integers(), st.floats(), st.from_regex(r"[0-9.]{1,30}[a-z]{0,5}")))
def test_any_quantity_is_parsed_or_refused(value: object) -> None:
    """Nothing but InvalidValueError comes out of a bad quantity."""
    for parse in (parse_rate, parse_delay):
        with contextlib.suppress(InvalidValueError):
            assert parse(value) >= 0


def test_a_short_kernel_name_is_the_name() -> None:
    """Up to 15 bytes nothing is changed."""
    assert kernel_name("web1-0") == "web1-0"
    assert kernel_name("a" * 15) == "a" * 15


def test_a_long_kernel_name_is_cut_and_hashed() -> None:
    """The name is readable, of 15 bytes at most, and the same on every machine."""
    assert kernel_name("frontend-server-17-0") == "fronte-und3tgkb"


@settings(deadline=None, derandomize=True)
@given(st.sets(st.from_regex(r"[a-z0-9][a-z0-9-]{0,60}", fullmatch=True), max_size=50))
def test_kernel_names_fit_and_differ(names: set[str]) -> None:
    """Different names have different kernel names of at most 15 bytes that never end in `-`."""
    short = {kernel_name(name) for name in names}
    assert len(short) == len(names)
    assert all(len(name) <= LONGEST_KERNEL_NAME for name in short)


def test_ten_thousand_alike_names_differ() -> None:
    """Names that only differ at their end do not collide."""
    names = {kernel_name(f"database-server-in-rack-{number}-0") for number in range(10_000)}
    assert len(names) == 10_000


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_any_text_makes_a_valid_name_or_none(text: str) -> None:
    """`make_name` gives only names that users could give."""
    if name := make_name(text):
        check_name(name)
