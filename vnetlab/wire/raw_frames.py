"""A packet of a probe as the whole frame that passes its sender's stack by (effect: scapy).

Importing scapy takes longer than a probe: import this module only where a raw frame is sent. scapy
is told not to read this machine's routes, by which no packet goes, and to keep no cache in the
user's home, which may not be there.
"""

# ruff: noqa: E402 - scapy reads its settings when its layers are imported

from __future__ import annotations

import scapy.main
from scapy.config import conf

scapy.main.SCAPY_CACHE_FOLDER = None
conf.route_autoload = False
conf.route6_autoload = False

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Padding

from vnetlab.trace.request import ARP_BYTES, FIRST_TTL, ProbeRequest, Protocol, RawFrame
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import PROTOCOLS, build_message

_LEAST_BYTES = 46
"""What an Ethernet frame carries at least (IEEE 802.3, 3.2.8)."""


def build_frame(
    request: ProbeRequest, frame: RawFrame, marker: Marker, sequence: int, source_port: int
) -> bytes:
    """Return the Ethernet frame of packet `sequence`, as it leaves the source's link."""
    ether = Ether(src=frame.source_mac, dst=frame.destination_mac)
    if frame.vlan is not None:
        ether /= Dot1Q(vlan=frame.vlan)
    if request.protocol is Protocol.ARP:
        return bytes(ether / _question(request, frame, marker.word(sequence)))
    ends, ttl = request.endpoints, request.ttl or FIRST_TTL
    addresses = {"src": str(ends.source_address), "dst": str(ends.destination_address)}
    protocol = PROTOCOLS[ends.version][request.protocol]
    if ends.version == 6:
        packet = IPv6(**addresses, hlim=ttl, tc=request.dscp << 2, nh=protocol)
    else:
        flags = "" if request.dont_fragment is False else "DF"
        packet = IP(**addresses, ttl=ttl, tos=request.dscp << 2, proto=protocol, flags=flags, id=0)
    if request.protocol is Protocol.UDP:
        packet /= UDP(sport=source_port, dport=request.port)
    return bytes(ether / packet / build_message(request, marker, sequence, source_port))


def _question(request: ProbeRequest, frame: RawFrame, word: int) -> Packet:
    """Who has the destination's address? (RFC 826) The marker is the first word of its padding."""
    ends = request.endpoints
    arp = ARP(
        op="who-has",
        hwsrc=frame.source_mac,
        psrc=str(ends.source_address),
        hwdst="00:00:00:00:00:00",
        pdst=str(ends.destination_address),
    )
    return arp / Padding(word.to_bytes(4).ljust(_LEAST_BYTES - ARP_BYTES, b"\0"))
