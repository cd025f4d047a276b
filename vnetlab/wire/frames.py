"""What a probe's packets look like at a tap (pure).

The taps' filter (`vnetlab.wire.bpf`) lets pass only what begins like a packet of the probe, or like
one of neighbour resolution, over Ethernet with or without a tag. Read by hand: it is all that has
to be read, and a library that knows every protocol takes longer to import than a probe to run.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TypedDict

from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.request import IpAddress, ProbeRequest, Protocol
from vnetlab.trace.sighting import PacketKind, Sighting
from vnetlab.wire.arp import read_arp
from vnetlab.wire.glance import glance
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import adds_up
from vnetlab.wire.taps import Capture

_ETHERNET_BYTES, _TAG_BYTES = 14, 4
_TAGS = (0x8100, 0x88A8)
_ARP = 0x0806
_IP = {0x0800: 4, 0x86DD: 6}
_IP_BYTES = {4: 20, 6: 40}
_ICMP, _ICMPV6 = 1, 58
_FRAGMENT = 0x3FFF  # more to come, or an offset: RFC 791
_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861, 4.3 and 4.4
_NDP_BYTES = 24


class _Facts(TypedDict, total=False):
    """The fields of a Sighting that a frame tells."""

    kind: PacketKind
    source_mac: str
    destination_mac: str
    source: IpAddress
    destination: IpAddress
    sequence: int
    vlan: int | None
    ttl: int
    target: IpAddress
    error: IcmpError | None


def recognize(capture: Capture, request: ProbeRequest, marker: Marker) -> Sighting | None:
    """Return what a captured frame is to the probe, None for one that is nothing to it.

    The reply to an ARP request of the probe has no `sequence`: it says only who answers whom.
    """
    facts = _read(capture.frame, request.port, marker)
    if facts is None:
        return None
    if facts["kind"] is PacketKind.IS_AT and _answers(facts, request):
        facts = _Facts(**facts | {"kind": PacketKind.REPLY})
    return Sighting(
        time_ns=capture.time_ns,
        netns=capture.netns,
        ifname=capture.ifname,
        direction=capture.direction,
        frame=capture.frame,
        **facts,
    )


def _answers(facts: _Facts, request: ProbeRequest) -> bool:
    ends = request.endpoints
    told = (facts["source"], facts["destination"])
    asked = (ends.destination_address, ends.source_address)
    return request.protocol is Protocol.ARP and told == asked


@lru_cache(maxsize=256)
def _read(frame: bytes, port: int, marker: Marker) -> _Facts | None:
    """Read a frame: once, since most hops see the same bytes as the hop before.

    It may have been damaged on the way (netem's corruption): what does not fit is none of ours.
    """
    at, ethertype = _ETHERNET_BYTES, int.from_bytes(frame[12:14])
    vlan = None
    while ethertype in _TAGS:
        vlan = int.from_bytes(frame[at : at + 2]) & 0x0FFF if vlan is None else vlan
        ethertype = int.from_bytes(frame[at + 2 : at + 4])
        at += _TAG_BYTES
    if ethertype == _ARP:
        facts = _read_arp(frame[at:], marker)
    else:
        facts = _read_ip(frame, at, ethertype, port, marker)
    if facts is None:
        return None
    facts["source_mac"], facts["destination_mac"] = frame[6:12].hex(":"), frame[:6].hex(":")
    facts["vlan"] = vlan
    return facts


def _read_arp(message: bytes, marker: Marker) -> _Facts | None:
    arp = read_arp(message, marker)
    if arp is None:
        return None
    facts: _Facts = {
        "kind": PacketKind.WHO_HAS if arp.asks else PacketKind.IS_AT,
        "source": arp.sender,
        "destination": arp.target,
        "target": arp.target if arp.asks else arp.sender,
    }
    if arp.sequence is not None:
        facts["kind"], facts["sequence"] = PacketKind.REQUEST, arp.sequence
    return facts


def _read_ip(frame: bytes, at: int, ethertype: int, port: int, marker: Marker) -> _Facts | None:
    version = _IP.get(ethertype, 0)
    packet = frame[at:]
    if not version or len(packet) < _IP_BYTES[version] or packet[0] >> 4 != version:
        return None
    length = 4 if version == 4 else 16
    start = 12 if version == 4 else 8
    facts: _Facts = {
        "source": ip_address(packet[start : start + length]),
        "destination": ip_address(packet[start + length : start + 2 * length]),
        "ttl": packet[8 if version == 4 else 7],
    }
    message = packet[_IP_BYTES[6] :]
    if version == 6 and packet[6] == _ICMPV6 and message[:1] in _RESOLVING:
        if len(message) < _NDP_BYTES:
            return None
        facts["kind"] = _RESOLVING[message[:1]]
        facts["target"] = ip_address(message[8:24])
        return facts
    seen = None if _is_damaged(packet, version) else glance(frame, port)
    sequence = marker.sequence(seen.word) if seen else None
    if seen is None or sequence is None:
        return None
    facts["kind"], facts["sequence"], facts["error"] = seen.kind, sequence, seen.error
    return facts


def _is_damaged(packet: bytes, version: int) -> bool:
    """Whether the node that gets a packet would drop it for its IP header's or ICMP's checksum.

    Those of TCP and UDP are often not there yet at a tap: a NIC would make them (offloading).
    """
    if version == 4:
        header, protocol, own = (packet[0] & 0x0F) * 4, packet[9], _ICMP
        if not adds_up(packet[:header]):
            return True
        whole, length = not int.from_bytes(packet[6:8]) & _FRAGMENT, int.from_bytes(packet[2:4])
        pseudo = b""
    else:
        header, protocol, own, whole = _IP_BYTES[6], packet[6], _ICMPV6, True
        length = header + int.from_bytes(packet[4:6])
        pseudo = packet[8:40] + (length - header).to_bytes(4) + protocol.to_bytes(4)
    return protocol == own and whole and not adds_up(pseudo + packet[header:length])


_RESOLVING = {
    bytes([_SOLICITATION]): PacketKind.WHO_HAS,
    bytes([_ADVERTISEMENT]): PacketKind.IS_AT,
}
