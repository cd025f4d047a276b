"""The model's packet as the bytes of its headers, and back (pure).

Rules of nftables and filters of tc look at bytes. What a `Packet` does not tell (a checksum, an
identification) is an octet None: unknown. Layouts: RFC 791, 792, 826, 4861, 8200, 9293.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from itertools import repeat

from msgspec.structs import replace

from vnetlab.trace.forwarding.packet import CtState, Packet, Payload

Octets = tuple[int | None, ...]

LINK, NETWORK, TRANSPORT = 0, 1, 2
"""NFT_PAYLOAD_LL_HEADER and so on: include/uapi/linux/netfilter/nf_tables.h."""

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136

_ETHERTYPES = {4: 0x0800, 6: 0x86DD}
_ARP, _TAGGED = 0x0806, 0x8100
_IPV4_BYTES, _IPV6_BYTES = 20, 40
_SYN, _SYN_ACK = 0x02, 0x12
_DONT_FRAGMENT = 0x40


def is_arp(packet: Packet) -> bool:
    """Whether it is no IP packet, but one of ARP."""
    return packet.payload is not Payload.IP and packet.version == 4


def ether_type(packet: Packet) -> int:
    """The EtherType of what is in the frame, whatever its tag."""
    return _ARP if is_arp(packet) else _ETHERTYPES[packet.version]


def transport_protocol(packet: Packet) -> int | None:
    """The number of the IP protocol; None for ARP."""
    if packet.payload is Payload.IP:
        return packet.protocol
    return None if packet.version == 4 else ICMPV6


def header(packet: Packet, base: int) -> Octets | None:
    """The octets from the start of a header on, as far as the header goes; None without one."""
    if base == LINK:
        return _link_header(packet)
    if base == NETWORK:
        return _network_header(packet)
    if base == TRANSPORT and not is_arp(packet):
        return _transport_header(packet)
    return None


def write_header(packet: Packet, base: int, offset: int, octets: Octets) -> Packet | None:
    """The packet with these octets in its header; None where it does not tell that field."""
    old = header(packet, base)
    if old is None or None in octets or offset + len(octets) > len(old):
        return None
    new = (*old[:offset], *octets, *old[offset + len(octets) :])
    read = _read_header(packet, base, new)
    return read if read is not None and header(read, base) == new else None


def _link_header(packet: Packet) -> Octets:
    macs = _mac(packet.destination_mac) + _mac(packet.source_mac)
    tag = b"" if packet.vlan is None else _TAGGED.to_bytes(2) + packet.vlan.to_bytes(2)
    return tuple(macs + tag + ether_type(packet).to_bytes(2))


def _network_header(packet: Packet) -> Octets:
    source, destination = packet.source.packed, packet.destination.packed
    if is_arp(packet):
        return _arp(packet)
    protocol = transport_protocol(packet)
    if packet.version == 4:
        length = packet.length.to_bytes(2)
        flags = _DONT_FRAGMENT if packet.dont_fragment else 0
        upper = (0x45, packet.dscp << 2, *length, None, None, flags, 0)
        return (*upper, packet.ttl, protocol, None, None, *source, *destination)
    neighbour = packet.payload is not Payload.IP
    first = (0x60 | packet.dscp >> 2, (packet.dscp & 3) << 6, None, None)
    length = max(packet.length - _IPV6_BYTES, 0).to_bytes(2)
    ttl = 255 if neighbour else packet.ttl
    return (*first, *length, protocol, ttl, *source, *destination)


def _arp(packet: Packet) -> Octets:
    """An ARP packet of IPv4 over Ethernet."""
    asks = packet.payload is Payload.WHO_HAS
    subject = packet.target or (packet.destination if asks else packet.source)
    sender, target = (packet.source, subject) if asks else (subject, packet.destination)
    target_mac = bytes(6) if asks else _mac(packet.destination_mac)
    fixed = bytes((0, 1, 8, 0, 6, 4, 0, 1 if asks else 2))
    return tuple(fixed + _mac(packet.source_mac) + sender.packed + target_mac + target.packed)


def _transport_header(packet: Packet) -> Octets:
    if packet.payload is not Payload.IP:
        return _neighbour_discovery(packet)
    behind = packet.length - (_IPV4_BYTES if packet.version == 4 else _IPV6_BYTES)
    ports = (*_number(packet.source_port), *_number(packet.destination_port))
    match packet.protocol:
        case 1 | 58:
            return (packet.icmp_type, 0 if packet.icmp_type in _ECHOES else None, *repeat(None, 6))
        case 17:
            return (*ports, *_number(max(behind, 0)), None, None)
        case 6:
            flags = {CtState.NEW: _SYN, CtState.ESTABLISHED: _SYN_ACK}.get(packet.state)
            return (*ports, *repeat(None, 9), flags, *repeat(None, 6))
    return (*ports, *repeat(None, 4))


_ECHOES = (0, 8, 128, 129)


def _neighbour_discovery(packet: Packet) -> Octets:
    asks = packet.payload is Payload.WHO_HAS
    kind = NEIGHBOUR_SOLICITATION if asks else NEIGHBOUR_ADVERTISEMENT
    flags = 0 if asks else None
    target = packet.target or (packet.destination if asks else packet.source)
    option = (1 if asks else 2, 1, *_mac(packet.source_mac))
    return (kind, 0, None, None, flags, 0, 0, 0, *target.packed, *option)


def _read_header(packet: Packet, base: int, octets: Octets) -> Packet | None:
    """The packet with all that this header tells."""
    known = bytes(octet or 0 for octet in octets)
    if base == LINK:
        macs = [":".join(f"{octet:02x}" for octet in known[at : at + 6]) for at in (0, 6)]
        return replace(packet, destination_mac=macs[0], source_mac=macs[1])
    if base == TRANSPORT:
        if packet.source_port is None or packet.destination_port is None:
            return replace(packet, icmp_type=known[0])
        first, second = int.from_bytes(known[:2]), int.from_bytes(known[2:4])
        return replace(packet, source_port=first, destination_port=second)
    if packet.payload is not Payload.IP:
        return None
    if packet.version == 4:
        return replace(
            packet,
            dscp=known[1] >> 2,
            dont_fragment=bool(known[6] & _DONT_FRAGMENT),
            ttl=known[8],
            source=IPv4Address(known[12:16]),
            destination=IPv4Address(known[16:20]),
        )
    return replace(
        packet,
        dscp=(int.from_bytes(known[:2]) >> 6) & 0x3F,
        ttl=known[7],
        source=IPv6Address(known[8:24]),
        destination=IPv6Address(known[24:40]),
    )


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _number(value: int | None) -> Octets:
    return (None, None) if value is None else tuple(value.to_bytes(2))
