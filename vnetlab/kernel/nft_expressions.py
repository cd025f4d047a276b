"""The expressions of a rule as the kernel's attributes, and back (pure).

How it works: a table says which attributes a kind of expression has and how each is read
(include/uapi/linux/netfilter/nf_tables.h). pyroute2's own classes are of no use here: what they do
not know they lose, and a rule of somebody else must be told from another one to the last bit. An
expression that is not in the table keeps its attributes as they are, in hexadecimal.

What the kernel fills in by itself (an operation of 0, no flags) is left out, and so are counts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping

from vnetlab.state.nftables import NftExpression

Elements = Mapping[str, tuple[str, ...]]
"""The contents of the anonymous sets of a table, by name."""

_HEADER = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED, NLA_F_NET_BYTEORDER
_NESTED = 0x8000
_LIST_ELEMENT, _EXPRESSION_NAME, _EXPRESSION_DATA = 1, 1, 2
_DATA_VALUE, _DATA_VERDICT = 1, 2
_VERDICT_CODE, _VERDICT_CHAIN = 1, 2
_LOOKUP_SET, _LOOKUP_SET_ID = 1, 4
_VERDICTS = {0: "drop", 1: "accept", -1: "continue", -2: "break", -5: "return"}
_CHAIN_VERDICTS = {-3: "jump", -4: "goto"}
_CODES = {word: code for code, word in (_VERDICTS | _CHAIN_VERDICTS).items()}
_RAW = "attributes"
_COUNT = "count"  # the form of what changes with each packet

_KINDS: dict[str, dict[int, tuple[str, str]]] = {
    "meta": {1: ("dreg", "be32"), 2: ("key", "be32"), 3: ("sreg", "be32")},
    "payload": {
        1: ("dreg", "be32"),
        2: ("base", "be32"),
        3: ("offset", "be32"),
        4: ("len", "be32"),
        5: ("sreg", "be32"),
        6: ("csum_type", "be32"),
        7: ("csum_offset", "be32"),
        8: ("csum_flags", "be32"),
    },
    "cmp": {1: ("sreg", "be32"), 2: ("op", "be32"), 3: ("data", "data")},
    "range": {
        1: ("sreg", "be32"),
        2: ("op", "be32"),
        3: ("from", "data"),
        4: ("to", "data"),
    },
    "bitwise": {
        1: ("sreg", "be32"),
        2: ("dreg", "be32"),
        3: ("len", "be32"),
        4: ("mask", "data"),
        5: ("xor", "data"),
        6: ("operation", "be32"),
        7: ("data", "data"),
        8: ("sreg2", "be32"),
    },
    "byteorder": {
        1: ("sreg", "be32"),
        2: ("dreg", "be32"),
        3: ("op", "be32"),
        4: ("len", "be32"),
        5: ("size", "be32"),
    },
    "ct": {1: ("dreg", "be32"), 2: ("key", "be32"), 3: ("direction", "u8"), 4: ("sreg", "be32")},
    "lookup": {
        1: ("set", "text"),
        2: ("sreg", "be32"),
        3: ("dreg", "be32"),
        4: ("set_id", "be32"),
        5: ("flags", "be32"),
    },
    "dynset": {
        1: ("set", "text"),
        2: ("set_id", "be32"),
        3: ("op", "be32"),
        4: ("sreg_key", "be32"),
        5: ("sreg_data", "be32"),
        6: ("timeout", "be64"),
        7: ("expression", "nested"),
        9: ("flags", "be32"),
        10: ("expressions", "nested"),
    },
    "immediate": {1: ("dreg", "be32"), 2: ("data", "data")},
    "reject": {1: ("type", "be32"), 2: ("code", "u8")},
    "limit": {
        1: ("rate", "be64"),
        2: ("unit", "be64"),
        3: ("burst", "be32"),
        4: ("type", "be32"),
        5: ("flags", "be32"),
    },
    "log": {
        1: ("group", "be16"),
        2: ("prefix", "text"),
        3: ("snaplen", "be32"),
        4: ("qthreshold", "be16"),
        5: ("level", "be32"),
        6: ("flags", "be32"),
    },
    "masq": {1: ("flags", "be32"), 2: ("reg_proto_min", "be32"), 3: ("reg_proto_max", "be32")},
    "redir": {1: ("reg_proto_min", "be32"), 2: ("reg_proto_max", "be32"), 3: ("flags", "be32")},
    "nat": {
        1: ("type", "be32"),
        2: ("family", "be32"),
        3: ("reg_addr_min", "be32"),
        4: ("reg_addr_max", "be32"),
        5: ("reg_proto_min", "be32"),
        6: ("reg_proto_max", "be32"),
        7: ("flags", "be32"),
    },
    "numgen": {
        1: ("dreg", "be32"),
        2: ("modulus", "be32"),
        3: ("type", "be32"),
        4: ("offset", "be32"),
    },
    "quota": {1: ("bytes", "be64"), 2: ("flags", "be32"), 4: ("consumed", _COUNT)},
    "last": {1: ("set", _COUNT), 2: ("msecs", _COUNT)},
    "fib": {1: ("dreg", "be32"), 2: ("result", "be32"), 3: ("flags", "be32")},
}
_DEFAULT_ZERO = ("operation", "flags")


def encode_expressions(expressions: Iterable[NftExpression], set_ids: Iterator[int]) -> bytes:
    """The content of NFTA_RULE_EXPRESSIONS; each anonymous set is called by the next of its ids."""
    encoded = b""
    for item in expressions:
        content = _encode_values(item, set_ids)
        name = attribute(_EXPRESSION_NAME, item.kind.encode() + b"\0")
        body = attribute(_EXPRESSION_DATA | _NESTED, content)
        encoded += attribute(_LIST_ELEMENT | _NESTED, name + body)
    return encoded


def decode_expressions(content: bytes, anonymous: Elements) -> tuple[NftExpression, ...]:
    """Undo `encode_expressions`, with the contents of the table's anonymous sets."""
    return tuple(_decode_expression(body, anonymous) for _, body in attributes(content))


def decode_data(content: bytes) -> str:
    """NFTA_DATA_VALUE in hexadecimal, or the words of NFTA_DATA_VERDICT."""
    for kind, value in attributes(content):
        if kind == _DATA_VALUE:
            return f"0x{value.hex()}"
        if kind == _DATA_VERDICT:
            return decode_verdict(value)
    return ""


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute with its padding."""
    return _HEADER.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in `content`, each with its type and value."""
    at = 0
    while at + 4 <= len(content):
        length, kind = _HEADER.unpack_from(content, at)
        if length < 4:
            return
        yield kind & _TYPE_MASK, content[at + 4 : at + length]
        at += -(-length // 4) * 4


def _encode_values(item: NftExpression, set_ids: Iterator[int]) -> bytes:
    given = dict(item.values)
    encoded = b""
    for kind, (name, form) in _KINDS.get(item.kind, {}).items():
        if name in given:
            encoded += attribute(kind, _ENCODERS[form](given[name]))
    if "elements" in given:
        encoded += attribute(_LOOKUP_SET, ANONYMOUS_SET.encode() + b"\0")
        encoded += attribute(_LOOKUP_SET_ID, struct.pack(">I", next(set_ids)))
    return encoded


def _decode_expression(body: bytes, anonymous: Elements) -> NftExpression:
    found = dict(attributes(body))
    kind = found[_EXPRESSION_NAME].rstrip(b"\0").decode()
    content = found.get(_EXPRESSION_DATA, b"")
    if kind == "counter":
        return NftExpression(kind=kind)
    values = _decode_values(_KINDS.get(kind, {}), content)
    if isinstance(name := values.get("set"), str) and name in anonymous:
        values.pop("set_id", None)
        del values["set"]
        values["elements"] = " ".join(anonymous[name])
    return NftExpression(kind=kind, values=tuple(sorted(values.items())))


def _decode_values(known: dict[int, tuple[str, str]], content: bytes) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    for kind, value in attributes(content):
        if kind not in known:
            return {_RAW: content.hex()} if content else {}
        name, form = known[kind]
        if form != _COUNT:
            values[name] = _DECODERS[form](value)
    return {k: v for k, v in values.items() if not (k in _DEFAULT_ZERO and v == 0)}


def _encode_data(value: int | str) -> bytes:
    text = str(value)
    if text.startswith("0x"):
        return attribute(_DATA_VALUE, bytes.fromhex(text[2:]))
    word, _, chain = text.partition(" ")
    content = attribute(_VERDICT_CODE, struct.pack(">i", _CODES[word]))
    if chain:
        content += attribute(_VERDICT_CHAIN, chain.encode() + b"\0")
    return attribute(_DATA_VERDICT | _NESTED, content)


def decode_verdict(content: bytes) -> str:
    """The words of NFTA_DATA_VERDICT: `drop`, `jump CHAIN`."""
    found = dict(attributes(content))
    (code,) = struct.unpack(">i", found[_VERDICT_CODE])
    if code in _CHAIN_VERDICTS:
        return f"{_CHAIN_VERDICTS[code]} {found[_VERDICT_CHAIN].rstrip(bytes(1)).decode()}"
    return _VERDICTS.get(code, f"verdict {code}")


def _number(value: bytes) -> int:
    return int.from_bytes(value)


ANONYMOUS_SET = "__set%d"
"""The name under which the kernel makes an anonymous set and numbers it."""

_ENCODERS: dict[str, Callable[[int | str], bytes]] = {
    "be32": lambda value: struct.pack(">I", value),
    "be16": lambda value: struct.pack(">H", value),
    "be64": lambda value: struct.pack(">Q", value),
    "u8": lambda value: struct.pack("B", value),
    "nested": lambda value: bytes.fromhex(str(value)),
    "text": lambda value: str(value).encode() + b"\0",
    "data": _encode_data,
}
_DECODERS: dict[str, Callable[[bytes], int | str]] = {
    "be16": _number,
    "be32": _number,
    "be64": _number,
    "u8": _number,
    "nested": bytes.hex,
    "text": lambda value: value.rstrip(b"\0").decode(errors="replace"),
    "data": decode_data,
}
