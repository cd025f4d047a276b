"""What `meta` and `ct` load into a register of nftables (pure).

Numbers of the kernel itself are in its byte order, as it keeps them. Numbers of keys:
include/uapi/linux/netfilter/nf_tables.h; meanings: net/netfilter/nft_meta.c, nft_ct.c.
"""

from __future__ import annotations

import sys
from enum import Enum

from vnetlab.state.objects import LinkId
from vnetlab.trace.forwarding.headers import Octets, ether_type, transport_protocol
from vnetlab.trace.forwarding.nft_place import Place
from vnetlab.trace.forwarding.packet import BROADCAST, CtState, Packet, Payload

CT_MARK = 3
META_MARK = 3


class Loaded(Enum):
    """Why there are no octets."""

    ABSENT = "absent"
    """There is no such thing: the kernel goes on with the next rule."""
    UNKNOWN = "unknown"
    """The model does not know it."""
    CHANCE = "chance"
    """A random number."""


_NAME_BYTES = 16
_FAMILIES = {"arp": 3, "netdev": 5, "bridge": 7}  # NFPROTO_*
_IP_FAMILIES = {4: 2, 6: 10}
_CT_BITS = {
    CtState.INVALID: 1,
    CtState.ESTABLISHED: 2,
    CtState.RELATED: 4,
    CtState.NEW: 8,
    CtState.UNTRACKED: 64,
}
_TRACKED_FROM = -200  # NF_IP_PRI_CONNTRACK; in the bridge family too


def load_meta(key: int, packet: Packet, place: Place) -> Octets | Loaded:
    """NFT_META_*: what the kernel knows of the packet beside its bytes."""
    match key:
        case 0:
            return _number(packet.length, 4)
        case 1:
            return tuple(ether_type(packet).to_bytes(2))
        case 3:
            return _number(packet.mark, 4)
        case 4 | 5:
            return _index(place.iif if key == 4 else place.oif, place)
        case 6 | 7:
            return _name((place.iif if key == 6 else place.oif) or "")
        case 12 | 25:  # nftrace, secpath
            return (0,)
        case 15:
            return (_FAMILIES.get(place.family) or _IP_FAMILIES[packet.version],)
        case 16:
            protocol = transport_protocol(packet)
            return Loaded.ABSENT if protocol is None else (protocol,)
        case 17 | 18:
            return _bridge(place.iif if key == 17 else place.oif, place)
        case 19:
            return _packet_type(packet, place)
        case 24:
            return Loaded.CHANCE
        case 10 | 11 if place.point != "output":  # a forwarded packet has no socket
            return Loaded.ABSENT
    return Loaded.UNKNOWN


def load_ct(key: int, packet: Packet, place: Place) -> Octets | Loaded:
    """NFT_CT_*: what connection tracking knows of the packet."""
    state = _state(packet, place)
    if key == 0:
        return _number(_CT_BITS[state], 4)
    if state in (CtState.INVALID, CtState.UNTRACKED):
        return Loaded.ABSENT
    match key:
        case 1 if state is not CtState.RELATED:
            return (int(state is CtState.ESTABLISHED),)
        case 3 if state is CtState.NEW and not _marks_connections(place):
            return _number(0, 4)
        case 7:
            return (_IP_FAMILIES[packet.version],)
        case 10:
            return (packet.protocol,)
    return Loaded.UNKNOWN


def _state(packet: Packet, place: Place) -> CtState:
    """What the kernel knows at this place: packets are looked up on the way in only."""
    if place.family in ("arp", "netdev") and place.point != "egress":
        return CtState.INVALID
    if place.point in ("prerouting", "output") and place.priority < _TRACKED_FROM:
        untracked = packet.state is CtState.UNTRACKED
        return CtState.UNTRACKED if untracked else CtState.INVALID
    if packet.payload is not Payload.IP:
        return CtState.UNTRACKED
    return packet.state


def _marks_connections(place: Place) -> bool:
    return any(
        expression.kind == "ct" and {("key", CT_MARK)} <= set(expression.values) and sets
        for chain in place.tables.state.nft_chains
        if chain.netns == place.netns
        for rule in chain.rules
        for expression in rule.expressions
        for sets in ["sreg" in dict(expression.values)]
    )


def _index(link: str | None, place: Place) -> Octets | Loaded:
    if link is None:
        return _number(0, 4)
    index = 1 if link == "lo" else place.tables.indexes.get(LinkId(netns=place.netns, name=link))
    return Loaded.UNKNOWN if index is None else _number(index, 4)


def _bridge(port: str | None, place: Place) -> Octets | Loaded:
    link = place.links.get(port or "")
    if link is None or link.master is None:
        return Loaded.ABSENT
    return _name(link.master)


def _packet_type(packet: Packet, place: Place) -> Octets | Loaded:
    """PACKET_*: 0 for us, 1 broadcast, 2 multicast."""
    if place.iif is None or place.family in ("bridge", "netdev"):
        return Loaded.UNKNOWN
    if not packet.is_group:
        return (0,)
    return (1 if packet.destination_mac == BROADCAST else 2,)


def _name(link: str) -> Octets:
    return tuple(link.encode().ljust(_NAME_BYTES, b"\0"))


def _number(value: int, size: int) -> Octets:
    return tuple(value.to_bytes(size, sys.byteorder))
