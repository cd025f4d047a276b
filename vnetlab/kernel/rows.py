"""Rows of a dump, read where they are asked for (pure): netlink(7), rtnetlink(7).

pyroute2 decodes every attribute of a message, as text: of a lab with a thousand namespaces that
takes longer than the kernel needs to build it. A `Row` has the interface of pyroute2's messages,
finds an attribute when it is asked for, and decodes the plain ones itself. What is nested it leaves
to pyroute2. Layouts: include/uapi/linux/rtnetlink.h, if_addr.h, fib_rules.h, neighbour.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, TypeAlias

from msgspec import Struct
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from vnetlab.kernel.attributes import attributes

_HEADER_BYTES = 16
_NUMBERED = 8  # the place of nlmsg_seq and nlmsg_pid
_UNNUMBERED = bytes(_HEADER_BYTES - _NUMBERED)
_Decode: TypeAlias = Callable[[bytes], Any]
_NUMBERS = {1: "=B", 2: "=H", 4: "=I", 8: "=Q"}


def _number(content: bytes) -> int:
    (value,) = struct.unpack(_NUMBERS[len(content)], content)
    return int(value)


def _address(content: bytes) -> str:
    return inet_ntop(AF_INET if len(content) == 4 else AF_INET6, content)


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode()


def _mac(content: bytes) -> str:
    return content.hex(":")


def decoded(kind: type[Any], raw: bytes) -> Any:
    """A message as pyroute2 has it."""
    message = kind(raw)
    message.decode()
    return message


class Layout(Struct, frozen=True, kw_only=True):
    """A kind of message: what returns pyroute2's, its request, the fields in front, its attributes.

    An attribute has a name, its number (behind those of the attributes that it is within) and how
    its content is read, None for what is left to pyroute2.
    """

    message: Callable[[], type[Any]]
    request: int
    fields: tuple[str, ...]
    front: struct.Struct
    attributes: Mapping[str, tuple[tuple[int, ...], _Decode | None]]


class Row:
    """One message of a dump, with its header."""

    __slots__ = ("_fields", "_layout", "_nested", "_raw", "_whole")

    def __init__(self, raw: bytes, layout: Layout) -> None:
        self._raw = raw
        self._layout = layout
        self._fields = layout.front.unpack_from(raw, _HEADER_BYTES)
        self._nested: dict[tuple[int, ...], dict[int, bytes]] = {}
        self._whole: Any = None

    @property
    def raw(self) -> bytes:
        """The whole message."""
        return self._raw

    @property
    def unnumbered(self) -> bytes:
        """The message without its sequence number and port: the same for equal objects."""
        return self._raw[:_NUMBERED] + _UNNUMBERED + self._raw[_HEADER_BYTES:]

    def __getitem__(self, field: str) -> int:
        """A field of those in front."""
        return int(self._fields[self._layout.fields.index(field)])

    def get_attr(self, name: str) -> Any:
        """An attribute's value, None without one: what pyroute2's `get_attr` returns."""
        place, decode = self._layout.attributes[name]
        content = self._within(place[:-1]).get(place[-1])
        if content is None:
            return None
        if decode is not None:
            return decode(content)
        if self._whole is None:
            self._whole = decoded(self._layout.message(), self._raw)
        return self._whole.get_attr(name)

    def _within(self, place: tuple[int, ...]) -> dict[int, bytes]:
        """The attributes within the one at `place`; none where there is no such one."""
        if place not in self._nested:
            if place:
                packed = self._within(place[:-1]).get(place[-1], b"")
            else:
                packed = self._raw[_HEADER_BYTES + self._layout.front.size :]
            self._nested[place] = dict(attributes(packed))
        return self._nested[place]


def _tcmsg() -> type[Any]:
    """Imported where there is a qdisc: it brings along some thirty modules."""
    from vnetlab.kernel.traffic_control import tcmsg

    return tcmsg  # type: ignore[no-any-return] # pyroute2 has no types


LINKS = Layout(
    message=lambda: ifinfmsg,
    request=18,
    fields=("family", "type", "index", "flags", "change"),
    front=struct.Struct("=BxHiII"),
    attributes={
        "IFLA_ADDRESS": ((1,), _mac),
        "IFLA_IFNAME": ((3,), _text),
        "IFLA_MTU": ((4,), _number),
        "IFLA_LINK": ((5,), _number),
        "IFLA_MASTER": ((10,), _number),
        "IFLA_LINKINFO": ((18,), None),
        "IFLA_INFO_KIND": ((18, 1), _text),
        "IFLA_IFALIAS": ((20,), _text),
        "IFLA_INET_CONF": ((26, 2, 1), bytes),
        "IFLA_INET6_CONF": ((26, 10, 2), bytes),
        "IFLA_INET6_ADDR_GEN_MODE": ((26, 10, 8), _number),
    },
)
QDISCS = Layout(
    message=_tcmsg,
    request=38,
    fields=("family", "index", "handle", "parent", "info"),
    front=struct.Struct("=BxxxiIII"),
    attributes={"TCA_KIND": ((1,), _text), "TCA_OPTIONS": ((2,), None)},
)
ROUTES = Layout(
    message=lambda: rtmsg,
    request=26,
    fields=("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags"),
    front=struct.Struct("=8BI"),
    attributes={
        "RTA_DST": ((1,), _address),
        "RTA_SRC": ((2,), _address),
        "RTA_OIF": ((4,), _number),
        "RTA_GATEWAY": ((5,), _address),
        "RTA_PRIORITY": ((6,), _number),
        "RTA_PREFSRC": ((7,), _address),
        "RTA_METRICS": ((8,), None),
        "RTA_MULTIPATH": ((9,), None),
        "RTA_FLOW": ((11,), _number),
        "RTA_TABLE": ((15,), _number),
        "RTA_VIA": ((18,), None),
        "RTA_ENCAP_TYPE": ((21,), None),
    },
)
ADDRESSES = Layout(
    message=lambda: ifaddrmsg,
    request=22,
    fields=("family", "prefixlen", "flags", "scope", "index"),
    front=struct.Struct("=4BI"),
    attributes={
        "IFA_ADDRESS": ((1,), _address),
        "IFA_LOCAL": ((2,), _address),
        "IFA_FLAGS": ((8,), _number),
    },
)
RULES = Layout(
    message=lambda: fibmsg,
    request=34,
    fields=("family", "dst_len", "src_len", "tos", "table", "res1", "res2", "action", "flags"),
    front=struct.Struct("=8BI"),
    attributes={
        "FRA_DST": ((1,), _address),
        "FRA_SRC": ((2,), _address),
        "FRA_IIFNAME": ((3,), _text),
        "FRA_GOTO": ((4,), _number),
        "FRA_PRIORITY": ((6,), _number),
        "FRA_FWMARK": ((10,), _number),
        "FRA_FLOW": ((11,), _number),
        "FRA_TUN_ID": ((12,), None),
        "FRA_SUPPRESS_IFGROUP": ((13,), _number),
        "FRA_SUPPRESS_PREFIXLEN": ((14,), _number),
        "FRA_TABLE": ((15,), _number),
        "FRA_FWMASK": ((16,), _number),
        "FRA_OIFNAME": ((17,), _text),
        "FRA_L3MDEV": ((19,), _number),
        "FRA_UID_RANGE": ((20,), None),
        "FRA_IP_PROTO": ((22,), _number),
        "FRA_SPORT_RANGE": ((23,), None),
        "FRA_DPORT_RANGE": ((24,), None),
    },
)
NEIGHBOURS = Layout(
    message=lambda: ndmsg,
    request=30,
    fields=("family", "ifindex", "state", "flags", "ndm_type"),
    front=struct.Struct("=BxxxiHBB"),
    attributes={"NDA_DST": ((1,), _address), "NDA_LLADDR": ((2,), _mac)},
)
