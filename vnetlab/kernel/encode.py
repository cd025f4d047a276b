"""pyroute2's messages as the bytes that pyroute2 makes of them, in a quarter of the time (pure).

How it works: pyroute2 makes an object of each attribute of each message. Its classes say what
these are: the fields of a message with their formats, its attributes with their numbers and types.
From that the same is put together here directly. A message with anything that is not plain - a
class that encodes in its own way, an array - is left to pyroute2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from socket import AF_INET, AF_INET6, inet_pton
from types import FunctionType
from typing import Any, NamedTuple

from pyroute2.netlink import NLA_F_NESTED, NLM_F_REQUEST, nlmsg_atoms
from pyroute2.netlink.rtnl.ifinfmsg import ifinfbase

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_PLAIN = frozenset("BHIQbhiq")

Payload = Callable[[Any], bytes]
Kind = Any
"""A class of pyroute2's, of a message or an attribute; of an attribute also a function for one."""


class _NotPlainError(Exception):
    """pyroute2 has to encode it."""


class _Entry(NamedTuple):
    """An attribute that a message may have: its number with flags, and its type."""

    number: int
    kind: Kind


def encode(message: Any, flags: int, sequence: int) -> bytes:
    """Return a request with these flags and this sequence number as the kernel takes it."""
    header = message["header"]
    flags |= header.get("flags", 0) | NLM_F_REQUEST
    try:
        body = _content(type(message), message)
    except _NotPlainError:
        header["flags"], header["sequence_number"] = flags, sequence
        message.reset()  # it may have been encoded before, for a transaction that was too large
        message.encode()
        return bytes(message.data)
    return _HEADER.pack(_HEADER.size + len(body), header["type"], flags, sequence, 0) + body


def _content(kind: Kind, value: Mapping[str, Any]) -> bytes:
    """The fields of a message or a nested attribute, and its attributes."""
    packer, names = _fields(kind)
    front = packer.pack(*(_given(value, name, default) for name, default in names))
    parts = [front, b"\0" * (-len(front) % 4)]
    entries = _entries(kind)
    for name, content, *flags in value.get("attrs", ()):
        entry = entries.get(name)
        if entry is None or entry.kind is None or flags:
            raise _NotPlainError
        own = _chosen(kind, entry.kind, value)
        payload = b"" if content is None else _payload_of(own)(content)
        number = entry.number | own.nla_flags
        parts.append(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), number))
        parts.append(payload)
        parts.append(b"\0" * (-len(payload) % 4))
    return b"".join(parts)


def _given(value: Mapping[str, Any], name: str, default: int) -> int:
    found = value[name] if name in value else None  # noqa: SIM401 # its `get` looks at attributes too
    return default if found is None else int(found)


def _chosen(holder: Kind, kind: Kind, value: Mapping[str, Any]) -> Kind:
    """The type of an attribute of `value`: it may depend on what else is there."""
    if isinstance(kind, FunctionType):
        asking = holder()
        asking.update(value)
        return kind(asking, value=None)
    return kind


@cache
def _payload_of(kind: Kind) -> Payload:
    """What encodes the content of an attribute."""
    atom = _ATOMS.get(kind)
    if atom is not None:
        return atom
    _require_plain(kind)
    if kind.nla_map:
        return lambda value: _content(kind, value)
    packer, names = _fields(kind)
    if [name for name, _ in names] == ["value"]:
        return lambda value: packer.pack(int(value))
    return lambda value: packer.pack(*(_given(value, name, default) for name, default in names))


@cache
def _fields(kind: Kind) -> tuple[struct.Struct, tuple[tuple[str, int], ...]]:
    """The layout of a message's fields; which they are, with what they are if not given."""
    _require_plain(kind)
    form, names = "=", []
    for name, code in kind.fields:
        if code[-1] == "x":
            form += code
        elif code in _PLAIN:
            form += code
            names.append((name, kind.defaults.get(name, 0)))
        else:
            raise _NotPlainError
    return struct.Struct(form), tuple(names)


@cache
def _entries(kind: Kind) -> dict[str, _Entry]:
    """The attributes that it may have, by name."""
    if not isinstance(kind.nla_map, tuple):
        raise _NotPlainError
    numbered = isinstance(kind.nla_map[0][0], int) if kind.nla_map else False
    found = {}
    for place, entry in enumerate(kind.nla_map):
        number, name, words, *more = entry if numbered else (place, *entry)
        flags = more[0] if more else 0
        if words in ("nested", "recursive"):
            flags |= NLA_F_NESTED if words == "nested" else 0
            own = kind
        else:
            own = getattr(kind, words, None)  # an array has a star before it: none
        found[name] = _Entry(number | flags, own)
    return found


def _require_plain(kind: Kind) -> None:
    own = any(getattr(kind, way, None) not in usual for way, usual in _USUAL_WAYS.items())
    if own or kind.value_map or getattr(kind, "zstring", 0):
        raise _NotPlainError


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _address(value: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in value else AF_INET, value)


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


_USUAL: Kind = nlmsg_atoms.uint32
_OTHERS_WITH_NUMBERS = (ifinfbase.encode, ifinfbase.netns_fd.encode)
"""They also take names, of flags and of namespaces: ours are numbers."""

_USUAL_WAYS: dict[str, tuple[Any, ...]] = {
    "encode": (_USUAL.encode, *_OTHERS_WITH_NUMBERS),
    "ft_encode": (_USUAL.ft_encode,),
    "encode_nlas": (_USUAL.encode_nlas,),
    "encode_field": (_USUAL.encode_field,),
    "setvalue": (_USUAL.setvalue,),
}
_ATOMS: dict[Any, Payload] = {
    nlmsg_atoms.asciiz: _text,
    nlmsg_atoms.l2addr: _mac,
    nlmsg_atoms.ipaddr: _address,
    nlmsg_atoms.flag: lambda _: b"",
}
