"""Whether a key is in a set of nftables, and what a map has for it (pure).

Elements are in the form of `NftExpression` and `NftSet`: `KEY`, `FIRST-LAST`, in a map
`KEY:DATA`; an empty key is the element for all others. Octets of a key may be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from vnetlab.trace.forwarding.headers import Octets

_WITH_CHAIN = ("jump", "goto")


def split_elements(joined: str) -> Iterator[str]:
    """The elements of an anonymous set, which are joined by spaces; so is a verdict's chain."""
    words = iter(joined.split())
    for word in words:
        names_chain = word.endswith(tuple(f":{verdict}" for verdict in _WITH_CHAIN))
        yield f"{word} {next(words)}" if names_chain else word


def look_up(
    key: Octets, elements: Iterable[str], fields: Sequence[int] = ()
) -> tuple[bool | None, str]:
    """Whether the key is in the set (None: unknown), and what is kept with it.

    `fields` are the lengths in bytes of what the key is put together from: a range is one of each.
    """
    unknown = False
    rest: str | None = None
    for element in elements:
        place, _, data = element.partition(":")
        if not place:
            rest = data
            continue
        first, _, last = place.partition("-")
        answer = _within(key, bytes.fromhex(first), bytes.fromhex(last or first), fields)
        if answer:
            return True, data
        unknown = unknown or answer is None
    if unknown:
        return None, ""
    return (False, "") if rest is None else (True, rest)


def within(key: Octets, first: bytes, last: bytes) -> bool | None:
    """Whether the key is in the range, its ends included, None where that is unknown."""
    lowest = bytes(0 if octet is None else octet for octet in key)
    highest = bytes(255 if octet is None else octet for octet in key)
    if first <= lowest and highest <= last:
        return True
    if highest < first or lowest > last or (first == last and _differs(key, first)):
        return False
    return None


def equal(key: Octets, value: bytes) -> bool | None:
    """Whether the key is that value, None where that is unknown."""
    if _differs(key, value):
        return False
    return None if None in key[: len(value)] else True


def _within(key: Octets, first: bytes, last: bytes, fields: Sequence[int]) -> bool | None:
    if first == last:
        return equal(key, first)
    starts = [0]
    for length in fields or (len(first),):
        starts.append(starts[-1] + -(-length // 4) * 4 if fields else length)
    answers = [within(key[a:b], first[a:b], last[a:b]) for a, b in pairwise(starts)]
    if False in answers:
        return False
    return None if None in answers else True


def _differs(key: Octets, value: bytes) -> bool:
    return any(octet not in (None, wanted) for octet, wanted in zip(key, value, strict=False))
