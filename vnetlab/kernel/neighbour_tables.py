"""Neighbours, addresses still in question, and what bridges learned, from their dumps (pure).

Layouts: rtnetlink(7); include/uapi/linux/neighbour.h, if_addr.h, if_bridge.h.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, ip_address
from socket import AF_BRIDGE, AF_INET, AF_INET6, inet_ntop

from msgspec import Struct

from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.link_tables import number
from vnetlab.kernel.messages import BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED
from vnetlab.state.objects import BridgeVlan
from vnetlab.state.switching import PortState
from vnetlab.state.tables import LearnedEntry, NeighbourEntry, NeighbourState

RTM_GETADDR, RTM_GETNEIGH, RTM_GETVLAN = 22, 30, 114
_NDMSG = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type
_IFADDR = struct.Struct("=BBBBi")  # family, prefix length, flags, scope, index
_NTF_PROXY = 8
_NUD_PERMANENT, _NUD_NOARP = 0x80, 0x40
_NDA_DST, _NDA_LLADDR, _NDA_VLAN, _NDA_MASTER = 1, 2, 5, 9
_IFA_ADDRESS, _IFA_FLAGS = 1, 8
_DAD_FAILED, _TENTATIVE = 0x08, 0x40
_VLANDB_ENTRY, _ENTRY_INFO, _ENTRY_RANGE, _ENTRY_TUNNEL, _TUNNEL_ID = 1, 1, 2, 4, 1
_VLAN_OPTIONS = {
    3: ("state", PortState.FORWARDING.value),
    6: ("multicast_router", 1),
    8: ("max_groups", 0),
    9: ("neighbour_suppression", 0),
}
"""BRIDGE_VLANDB_ENTRY_*, and what each is in a new VLAN."""

_STATES = {
    0x01: NeighbourState.INCOMPLETE,
    0x02: NeighbourState.REACHABLE,
    0x04: NeighbourState.STALE,
    0x08: NeighbourState.DELAY,
    0x10: NeighbourState.PROBE,
    0x20: NeighbourState.FAILED,
    0x40: NeighbourState.NOARP,
    0x80: NeighbourState.PERMANENT,
}

IpAddress = IPv4Address | IPv6Address
Names = Mapping[int, str]


class Ipv6Address(Struct, frozen=True, kw_only=True):
    """An IPv6 address of a link, and what duplicate address detection has said of it."""

    link: str
    interface: IPv6Interface
    tentative: bool
    duplicate: bool


def neighbour_request(*, bridges: bool = False, proxied: bool = False) -> bytes:
    """The content of the request for neighbours, forwarding entries, or what is answered for."""
    family = AF_BRIDGE if bridges else 0
    return _NDMSG.pack(family, 0, 0, _NTF_PROXY if proxied else 0, 0)


def address_request() -> bytes:
    """The content of the request for the IPv6 addresses."""
    return _IFADDR.pack(AF_INET6, 0, 0, 0, 0)


def vlan_request(flags: int = 0) -> bytes:
    """The content of the request for the VLANs of bridge ports; a flag of 1 adds their counters."""
    return struct.pack("=BxxxI", AF_BRIDGE, 0) + struct.pack("=HHI", 8, 1, flags)


def read_neighbours(netns: str, bodies: Iterable[bytes], names: Names) -> Iterator[NeighbourEntry]:
    """The entries of the ARP and neighbour discovery caches."""
    for body in bodies:
        family, index, state, _, _ = _NDMSG.unpack_from(body)
        if family in (AF_INET, AF_INET6) and state in _STATES and index in names:
            found = dict(attributes(body[_NDMSG.size :]))
            yield NeighbourEntry(
                netns=netns,
                link=names[index],
                address=ip_address(found[_NDA_DST]),
                mac=found.get(_NDA_LLADDR, b"").hex(":"),
                state=_STATES[state],
            )


def neighbour_addresses(bodies: Iterable[bytes], *, but: int) -> Iterator[tuple[int, int, str]]:
    """Family, link and address of the entries that are in none of the states `but` (NUD_*)."""
    for body in bodies:
        family, index, state, _, _ = _NDMSG.unpack_from(body)
        address = dict(attributes(body[_NDMSG.size :])).get(_NDA_DST)
        if address is not None and not state & but:
            yield family, index, inet_ntop(family, address)


def read_proxied(bodies: Iterable[bytes], names: Names) -> Iterator[tuple[str, IpAddress]]:
    """The addresses that links answer for, each with the link; some do on all of their links."""
    for body in bodies:
        _, index, _, _, _ = _NDMSG.unpack_from(body)
        address = ip_address(dict(attributes(body[_NDMSG.size :]))[_NDA_DST])
        yield from ((name, address) for i, name in names.items() if index in (0, i))


def read_learned(
    netns: str, bodies: Iterable[bytes], names: Names, *, filtering: Collection[str]
) -> Iterator[LearnedEntry]:
    """The entries of bridges and VXLAN links that nobody made: `filtering` are bridges that do."""
    for body in bodies:
        _, index, state, _, _ = _NDMSG.unpack_from(body)
        found = dict(attributes(body[_NDMSG.size :]))
        is_local = bool(state & _NUD_PERMANENT)
        remote, vlan = found.get(_NDA_DST), found.get(_NDA_VLAN)
        bridge = names.get(number(found[_NDA_MASTER])) if _NDA_MASTER in found else None
        if index not in names or state & _NUD_NOARP:
            continue  # static, or of a link that came after the others were read
        if bridge is None and (remote is None or is_local):
            continue  # what a link receives besides its own MAC
        if vlan and bridge not in filtering:
            continue  # such a bridge has an entry for each VLAN beside the one that counts
        yield LearnedEntry(
            netns=netns,
            link=names[index],
            mac=found[_NDA_LLADDR].hex(":"),
            vlan=number(vlan) if vlan else None,
            local=is_local,
            remote=ip_address(remote) if remote else None,
        )


def read_ipv6_addresses(bodies: Iterable[bytes], names: Names) -> Iterator[Ipv6Address]:
    """All but the loopback's."""
    for body in bodies:
        _, prefix_length, flags, _, index = _IFADDR.unpack_from(body)
        if index not in names:
            continue
        found = dict(attributes(body[_IFADDR.size :]))
        flags = number(found[_IFA_FLAGS]) if _IFA_FLAGS in found else flags
        yield Ipv6Address(
            link=names[index],
            interface=IPv6Interface((found[_IFA_ADDRESS], prefix_length)),
            tentative=bool(flags & _TENTATIVE) and not flags & _DAD_FAILED,
            duplicate=bool(flags & _DAD_FAILED),
        )


def read_bridge_vlans(
    netns: str, bodies: Iterable[bytes], names: Names, bridges: Collection[str]
) -> Iterator[BridgeVlan]:
    """The VLANs of ports.

    Those of the `bridges` say what their namespace may receive, which uses no bridge.
    """
    for body in bodies:
        (index,) = struct.unpack_from("=4xI", body)
        link = names.get(index)
        if link is None or link in bridges:
            continue
        for kind, content in attributes(body[8:]):
            if kind != _VLANDB_ENTRY:
                continue
            entry = dict(attributes(content))
            flags, first = struct.unpack_from("=HH", entry[_ENTRY_INFO])
            last = number(entry[_ENTRY_RANGE]) if _ENTRY_RANGE in entry else first
            options = tuple(sorted(_vlan_options(entry)))
            tunnel = dict(options).get("tunnel", 0)
            for vid in range(first, last + 1):
                own = {"tunnel": tunnel + vid - first} if tunnel else {}
                yield BridgeVlan(
                    netns=netns,
                    link=link,
                    vid=vid,
                    pvid=bool(flags & BRIDGE_VLAN_INFO_PVID),
                    untagged=bool(flags & BRIDGE_VLAN_INFO_UNTAGGED),
                    options=tuple(sorted((dict(options) | own).items())),
                )


def _vlan_options(entry: Mapping[int, bytes]) -> Iterator[tuple[str, int]]:
    """What is not as in a new VLAN."""
    for place, (name, default) in _VLAN_OPTIONS.items():
        if place in entry and (value := number(entry[place])) != default:
            yield name, value
    tunnel = dict(attributes(entry.get(_ENTRY_TUNNEL, b"")))
    if _TUNNEL_ID in tunnel:
        yield "tunnel", number(tunnel[_TUNNEL_ID])
