"""Whether a key is in a set of nftables, and what a map has for it (pure).

Elements are in the form of `NftExpression` and `NftSet`: `KEY`, `FIRST-LAST`, in a map
`KEY:DATA`; an empty key is the element for all others, and points are between the fields of a
concatenated key. Octets of a key may be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vnetlab.trace.forwarding.headers import Octets

_WITH_CHAIN = ("jump", "goto")


def split_elements(joined: str) -> Iterator[str]:
    """The elements of an anonymous set, which are joined by spaces; so is a verdict's chain."""
    words = iter(joined.split())
    for word in words:
        names_chain = word.endswith(tuple(f":{verdict}" for verdict in _WITH_CHAIN))
        yield f"{word} {next(words)}" if names_chain else word


def key_length(elements: Iterable[str]) -> int:
    """How many octets a key of the set has."""
    return max(len(_places(element)[0].replace(".", "")) for element in elements) // 2


def look_up(key: Octets, elements: Iterable[str]) -> tuple[bool | None, str]:
    """Whether the key is in the set (None: unknown), and what is kept with it."""
    unknown = False
    rest: str | None = None
    for element in elements:
        first, last, data = _places(element)
        if not first:
            rest = data
            continue
        answer = _between(key, first, last)
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
    if highest < first or lowest > last:
        return False
    return None


def equal(key: Octets, value: bytes) -> bool | None:
    """Whether the key is that value, None where that is unknown."""
    if _differs(key, value):
        return False
    return None if None in key[: len(value)] else True


def _places(element: str) -> tuple[str, str, str]:
    """The first and the last key of an element, and its data."""
    key, _, data = element.partition(":")
    first, _, last = key.partition("-")
    return first, last or first, data


def _between(key: Octets, first: str, last: str) -> bool | None:
    """Whether each field of the key is in its range."""
    answers: list[bool | None] = []
    start = 0
    for low, high in zip(first.split("."), last.split("."), strict=True):
        end = start + len(low) // 2
        field = key[start:end]
        lowest, highest = bytes.fromhex(low), bytes.fromhex(high)
        same = lowest == highest
        answers.append(equal(field, lowest) if same else within(field, lowest, highest))
        start = end
    if False in answers:
        return False
    return None if None in answers else True


def _differs(key: Octets, value: bytes) -> bool:
    return any(octet not in (None, wanted) for octet, wanted in zip(key, value, strict=False))
