"""The routes of all tables as the kernel has them, from their dump (pure).

Layouts: rtnetlink(7), include/uapi/linux/rtnetlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from socket import AF_INET, AF_INET6

from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.link_tables import number
from vnetlab.state.tables import FibRoute, NextHop

RTM_GETROUTE = 26
LOCAL_TABLE = 255
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBi")  # length, flags, weight - 1, link's index
_DST, _SRC, _OIF, _GATEWAY, _PRIORITY, _PREFSRC = 1, 2, 4, 5, 6, 7
_METRICS, _MULTIPATH, _TABLE, _VIA = 8, 9, 15, 18
_RTAX_MTU = 2
_DEAD, _ONLINK, _LINK_DOWN = 1, 4, 16
_CLONED = 0x200
_KINDS = (
    *("none", "unicast", "local", "broadcast", "anycast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "throw", "nat"),
)

Names = Mapping[int, str]


def route_request() -> bytes:
    """The content of the request for all routes."""
    return _RTMSG.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)


def read_routes(netns: str, bodies: Iterable[bytes], names: Names) -> Iterator[FibRoute]:
    """All routes, but for what the kernel noted down about single destinations."""
    for body in bodies:
        family, length, source_length, tos, table, protocol, scope, kind, flags = (
            _RTMSG.unpack_from(body)
        )
        if flags & _CLONED or family not in (AF_INET, AF_INET6):
            continue
        found = dict(attributes(body[_RTMSG.size :]))
        network = IPv4Network if family == AF_INET else IPv6Network
        unspecified = bytes(4 if family == AF_INET else 16)
        metrics = dict(attributes(found.get(_METRICS, b"")))
        yield FibRoute(
            netns=netns,
            table=number(found[_TABLE]) if _TABLE in found else table,
            destination=network((found.get(_DST, unspecified), length)),
            kind=_KINDS[kind],
            metric=number(found.get(_PRIORITY, b"")),
            hops=tuple(_hops(found, flags, names)),
            tos=tos,
            scope=scope,
            protocol=protocol,
            source=ip_address(found[_PREFSRC]) if _PREFSRC in found else None,
            of=IPv6Network((found[_SRC], source_length)) if _SRC in found else None,
            mtu=number(metrics[_RTAX_MTU]) if _RTAX_MTU in metrics else None,
        )


def _hops(found: dict[int, bytes], flags: int, names: Names) -> Iterator[NextHop]:
    if _MULTIPATH in found:
        rest = found[_MULTIPATH]
        while len(rest) >= _RTNEXTHOP.size:
            length, its_flags, more, index = _RTNEXTHOP.unpack_from(rest)
            content = dict(attributes(rest[_RTNEXTHOP.size : length]))
            yield _hop(content, its_flags, names.get(index), more + 1)
            rest = rest[-(-length // 4) * 4 :]
    elif _OIF in found or _GATEWAY in found or _VIA in found:
        yield _hop(found, flags, names.get(number(found.get(_OIF, b""))), 1)


def _hop(found: dict[int, bytes], flags: int, link: str | None, weight: int) -> NextHop:
    via = found.get(_GATEWAY) or found.get(_VIA, b"")[2:]  # struct rtvia: the family comes first
    return NextHop(
        link=link,
        via=ip_address(via) if via else None,
        weight=weight,
        dead=bool(flags & _DEAD),
        link_down=bool(flags & _LINK_DOWN),
        onlink=bool(flags & _ONLINK),
    )
