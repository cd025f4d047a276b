"""What a probe's packets look like at a tap (effect: imports scapy).

Importing this module takes a tenth of a second: import it, and whatever imports it, only where a
probe is sent. scapy is told not to read this machine's routes, by which no packet goes, to keep no
cache in the user's home, which may not be there, and not to unpack its list of the vendors of MAC
addresses, which takes longer than all the rest.
"""

# ruff: noqa: E402 - scapy reads its settings when its layers are imported

from __future__ import annotations

import sys
from functools import lru_cache
from ipaddress import ip_address
from types import ModuleType
from typing import Any

import scapy.main
from scapy.config import conf

scapy.main.SCAPY_CACHE_FOLDER = None
conf.route_autoload = False
conf.route6_autoload = False
_no_vendors = ModuleType("scapy.libs.manuf")
_no_vendors.DATA = ""  # type: ignore[attr-defined]
sys.modules[_no_vendors.__name__] = _no_vendors

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

from vnetlab.trace.icmp import ERROR_TYPES, IcmpError
from vnetlab.trace.request import IpAddress, ProbeRequest
from vnetlab.trace.sighting import PacketKind, Sighting
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import adds_up
from vnetlab.wire.taps import Capture

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_ECHO = {(_ICMP, 8): PacketKind.REQUEST, (_ICMP, 0): PacketKind.REPLY}
_ECHO |= {(_ICMPV6, 128): PacketKind.REQUEST, (_ICMPV6, 129): PacketKind.REPLY}
_ARP_FOR_IPV4 = (0x0800, 6, 4)
"""Its protocol type, and the lengths of its addresses in bytes (RFC 826)."""
_WHO_HAS = 1  # ARP operation, RFC 826
_ICMP_HEADER_BYTES = 8


def recognize(capture: Capture, request: ProbeRequest, marker: Marker) -> Sighting | None:
    """Return what a captured frame is to the probe, None for one that is nothing to it."""
    facts = _read(capture.frame, request, marker)
    if facts is None:
        return None
    return Sighting(
        time_ns=capture.time_ns,
        netns=capture.netns,
        ifname=capture.ifname,
        direction=capture.direction,
        frame=capture.frame,
        **facts,
    )


_Facts = dict[str, Any]
"""The fields of a Sighting that a frame tells."""


@lru_cache(maxsize=256)
def _read(data: bytes, request: ProbeRequest, marker: Marker) -> _Facts | None:
    """Dissect a frame: once, since most hops see the same bytes as the hop before.

    It may have been damaged on the way (netem's corruption): what does not fit is none of ours.
    """
    frame = Ether(data)
    tag = frame.getlayer(Dot1Q) or frame.getlayer(Dot1AD)
    facts = _read_headers(frame, request, marker)
    if facts is None:
        return None
    return {
        **facts,
        "source_mac": frame.src,
        "destination_mac": frame.dst,
        "vlan": tag.vlan if tag else None,
    }


def _read_headers(frame: Any, request: ProbeRequest, marker: Marker) -> _Facts | None:
    if ARP in frame:
        shape = (frame[ARP].ptype, frame[ARP].hwlen, frame[ARP].plen)
        return _resolution_by_arp(frame[ARP]) if shape == _ARP_FOR_IPV4 else None
    for layer, version in ((IP, 4), (IPv6, 6)):
        if layer in frame and frame[layer].version == version:
            asks_or_tells = ICMPv6ND_NS in frame or ICMPv6ND_NA in frame
            if asks_or_tells and layer is IPv6:
                return _resolution_by_ndp(frame[IPv6])
            return _marked(frame[layer], request, marker)
    return None


def _resolution_by_arp(arp: Any) -> _Facts:
    asks = arp.op == _WHO_HAS
    return {
        "kind": PacketKind.WHO_HAS if asks else PacketKind.IS_AT,
        "source": ip_address(arp.psrc),
        "destination": ip_address(arp.pdst),
        "target": ip_address(arp.pdst if asks else arp.psrc),
    }


def _resolution_by_ndp(ip: Any) -> _Facts:
    asks = ICMPv6ND_NS in ip
    return {
        **_addresses(ip),
        "kind": PacketKind.WHO_HAS if asks else PacketKind.IS_AT,
        "target": ip_address(ip[ICMPv6ND_NS if asks else ICMPv6ND_NA].tgt),
    }


def _marked(ip: Any, request: ProbeRequest, marker: Marker) -> _Facts | None:
    """A packet that carries the marker, or an ICMP error that quotes one."""
    protocol, message = _transport(ip)
    if _is_damaged(ip, protocol, message):
        return None
    error = None
    version, quotes = (4, IP) if protocol == _ICMP else (6, IPv6)
    if protocol in (_ICMP, _ICMPV6) and message and message[0] in ERROR_TYPES[version]:
        quoted = _transport(quotes(message[_ICMP_HEADER_BYTES:]))
        kind, word = _read_marker(*quoted, request)
        is_reply = kind is not PacketKind.REQUEST
        error = IcmpError(version=version, type=message[0], code=message[1], about_reply=is_reply)
    else:
        kind, word = _read_marker(protocol, message, request)
    sequence = marker.sequence(word) if kind else None
    if sequence is None:
        return None
    return {
        **_addresses(ip),
        "kind": PacketKind.ERROR if error else kind,
        "sequence": sequence,
        "error": error,
    }


def _is_damaged(ip: Any, protocol: int, message: bytes) -> bool:
    """Whether the node that gets a packet would drop it for its IP header's or ICMP's checksum.

    Those of TCP and UDP are often not there yet at a tap: a NIC would make them (offloading).
    """
    if isinstance(ip, IP):
        if not adds_up(ip.original[: ip.ihl * 4]):
            return True
        length, pseudo, whole = ip.len - ip.ihl * 4, b"", not (ip.frag or ip.flags.MF)
    else:
        length, whole = ip.plen, IPv6ExtHdrFragment not in ip
        pseudo = ip.original[8:40] + length.to_bytes(4, "big") + protocol.to_bytes(4, "big")
    if protocol not in (_ICMP, _ICMPV6) or not whole:
        return False
    return not adds_up(pseudo + message[:length])


def _read_marker(
    protocol: int, message: bytes, request: ProbeRequest
) -> tuple[PacketKind | None, int]:
    """What a transport message is to the probe, and the word where its marker would be."""
    if protocol == _TCP:
        return _read_tcp_marker(message)
    word = int.from_bytes(message[8:12], "big")
    if protocol == _UDP:
        to_port = int.from_bytes(message[2:4], "big") == request.port
        return (PacketKind.REQUEST if to_port else PacketKind.REPLY), word
    return _ECHO.get((protocol, message[0] if message else -1)), word


def _read_tcp_marker(segment: bytes) -> tuple[PacketKind, int]:
    """From a segment of which an ICMP error may have quoted only 8 bytes."""
    tcp = TCP(segment.ljust(20, b"\0"))
    if not tcp.flags.A:
        return PacketKind.REQUEST, tcp.seq
    return (PacketKind.RESET if tcp.flags.R else PacketKind.REPLY), tcp.ack


def _transport(ip: Any) -> tuple[int, bytes]:
    """The protocol and the bytes behind an IP header, and behind a fragment header."""
    if isinstance(ip, IP):
        return ip.proto, _behind(ip)
    if not isinstance(ip, IPv6):  # an error quoted something else
        return 0, b""
    layer = ip.getlayer(IPv6ExtHdrFragment) or ip
    return layer.nh, _behind(layer)


def _behind(layer: Any) -> bytes:
    return bytes(layer.payload.original) if layer.payload else b""


def _addresses(ip: Any) -> dict[str, IpAddress | int]:
    ttl = ip.ttl if ip.version == 4 else ip.hlim
    return {"source": ip_address(ip.src), "destination": ip_address(ip.dst), "ttl": ttl}
