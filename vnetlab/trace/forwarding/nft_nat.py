"""What a rule of nftables for address translation makes of a packet (pure).

The first packet of a connection decides it for the whole connection: net/netfilter/nf_nat_core.c.
A source port is kept: whether it is free in the table of connections is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec.structs import replace

from vnetlab.trace.forwarding.headers import Octets
from vnetlab.trace.forwarding.nft_place import Place
from vnetlab.trace.forwarding.packet import Packet

TRANSLATIONS = ("nat", "masq", "redir")

_DESTINATION = 1  # NFT_NAT_DNAT
_NETMAP = 64  # NF_NAT_RANGE_NETMAP


def masquerade(packet: Packet, place: Place, port: Octets) -> Packet | None:
    """From the address of the link that it leaves by; None where that has none: it is dropped."""
    address = _own_address(place, place.oif, packet)
    if address is None:
        return None
    return replace(packet, source=address, source_port=_port(port, packet.source_port))


def redirect(packet: Packet, place: Place, port: Octets) -> Packet | None:
    """To the namespace itself; None where the link it came by has no address: it is dropped."""
    address: IPv4Address | IPv6Address | None
    if place.point == "output":
        address = IPv4Address("127.0.0.1") if packet.version == 4 else IPv6Address("::1")
    else:
        address = _own_address(place, place.iif, packet)
    if address is None:
        return None
    there = _port(port, packet.destination_port)
    return replace(packet, destination=address, destination_port=there)


def translate(
    packet: Packet, values: Mapping[str, int | str], lowest: Octets, highest: Octets, port: Octets
) -> Packet | None:
    """To (or from) the address and port of the rule; None where it is not known which.

    `lowest`, `highest` are the ends of the range of addresses, empty where only the port changes.
    """
    to_destination = values.get("type") == _DESTINATION
    old = packet.destination if to_destination else packet.source
    address = old
    if lowest:
        if None in lowest or None in highest:
            return None
        first, last = (int.from_bytes(bytes(it or 0 for it in end)) for end in (lowest, highest))
        if int(values.get("flags", 0)) & _NETMAP:
            first = first & ~(first ^ last) | int(old) & (first ^ last)
        elif first != last:
            return None  # the kernel takes one by a hash of the connection
        address = ip_address(first.to_bytes(len(lowest)))
    if None in port:
        return None
    if to_destination:
        there = _port(port, packet.destination_port)
        return replace(packet, destination=address, destination_port=there)
    return replace(packet, source=address, source_port=_port(port, packet.source_port))


def _port(port: Octets, old: int | None) -> int | None:
    if not port or old is None:
        return old
    return int.from_bytes(bytes(octet or 0 for octet in port))


def _own_address(
    place: Place, link: str | None, packet: Packet
) -> IPv4Address | IPv6Address | None:
    """The address of a link: one of the destination's prefix, or the first."""
    held = sorted(
        (
            address.interface
            for address in place.tables.state.addresses
            if (address.netns, address.link) == (place.netns, link)
            and address.interface.version == packet.version
            and not (address.interface.is_link_local or address.interface.is_loopback)
        ),
        key=lambda interface: (packet.destination not in interface.network, interface.ip.packed),
    )
    return held[0].ip if held else None
