"""The registers of nftables, and what is calculated and compared in them (pure).

An octet is None where the model does not know it, and BY_CHANCE where it is random. Registers
overlap as in the kernel: four of 16 bytes, or sixteen of 4; net/netfilter/nf_tables_api.c,
nft_parse_register; nft_bitwise.c, nft_byteorder.c, nft_cmp.c.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vnetlab.trace.forwarding.headers import Octets
from vnetlab.trace.forwarding.nft_sets import equal, within

BY_CHANCE = -1

_FIRST_SHORT = 8  # NFT_REG32_00
_SHORT, _LONG, _ALL = 4, 16, 80  # bytes; the first 16 are the verdict's
_LEFT, _RIGHT, _AND, _OR, _XOR = 1, 2, 3, 4, 5  # NFT_BITWISE_*


class Registers:
    """The registers of one rule being run."""

    def __init__(self) -> None:
        self._octets: list[int | None] = [None] * _ALL

    def read(self, register: int, length: int) -> Octets:
        """So many octets from the start of a register."""
        start = _start(register)
        return tuple(self._octets[start : start + length])

    def write(self, register: int, octets: Octets) -> None:
        """Fill a register; the kernel fills up its last word with zeros."""
        padded = (*octets, *(0,) * (-len(octets) % _SHORT))
        start = _start(register)
        self._octets[start : start + len(padded)] = padded


def calculate(values: Mapping[str, int | str], source: Octets, second: Octets) -> Octets:
    """`bitwise`: (source & mask) ^ xor, a shift, or source and `second` by a logical operation."""
    operation = values.get("operation", 0)
    if operation in (_LEFT, _RIGHT):
        bits = int.from_bytes(bytes.fromhex(str(values["data"])[2:]), sys.byteorder)
        return _shift(source, bits, left=operation == _LEFT)
    if operation in (_AND, _OR, _XOR):
        return tuple(_of_both(operation, a, b) for a, b in zip(source, second, strict=True))
    mask, flip = (bytes.fromhex(str(values[name])[2:]) for name in ("mask", "xor"))
    return tuple(map(_masked, source, mask, flip))


def swap(source: Octets, size: int) -> Octets:
    """`byteorder`: each number of `size` bytes from network to the kernel's order, or back."""
    if sys.byteorder == "big":
        return source
    starts = range(0, len(source), size)
    return tuple(octet for at in starts for octet in reversed(source[at : at + size]))


def compare(key: Octets, operator: int, data: bytes) -> bool | None:
    """`cmp`: NFT_CMP_EQ, NEQ, LT, LTE, GT, GTE as memcmp(3) does; None where it is not known."""
    same = equal(key, data)
    low, high = bytes(len(data)), b"\xff" * len(data)
    match operator:
        case 0:
            return same
        case 1:
            return None if same is None else not same
        case 2 | 5:
            at_least = within(key, data, high)
            return at_least if operator == 5 or at_least is None else not at_least
    at_most = within(key, low, data)
    return at_most if operator == 3 or at_most is None else not at_most


def _start(register: int) -> int:
    """Where a register begins."""
    if register < _FIRST_SHORT:
        return register * _LONG
    return _LONG + (register - _FIRST_SHORT) * _SHORT


def _masked(octet: int | None, mask: int, flip: int) -> int | None:
    if not mask:
        return flip
    return octet if octet is None or octet == BY_CHANCE else octet & mask ^ flip


def _of_both(operation: int | str, first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return None
    if BY_CHANCE in (first, second):
        return BY_CHANCE
    if operation == _AND:
        return first & second
    return first | second if operation == _OR else first ^ second


def _shift(source: Octets, bits: int, *, left: bool) -> Octets:
    """Over words of 32 bits in the kernel's order, the first being the highest."""
    if BY_CHANCE in source:
        return source
    if None in source:
        return (None,) * len(source)
    octets = bytes(octet or 0 for octet in source).ljust(-(-len(source) // 4) * 4, b"\0")
    words = [octets[at : at + 4] for at in range(0, len(octets), 4)]
    number = int.from_bytes(b"".join(_ordered(word) for word in words))
    shifted = (number << bits if left else number >> bits) % (1 << 8 * len(octets))
    result = shifted.to_bytes(len(octets))
    back = b"".join(_ordered(result[at : at + 4]) for at in range(0, len(result), 4))
    return tuple(back[: len(source)])


def _ordered(word: bytes) -> bytes:
    return word if sys.byteorder == "big" else word[::-1]
