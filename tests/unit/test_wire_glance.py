"""A frame read at a glance is what dissecting it in full says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether

from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.request import Endpoints, ProbeRequest, Protocol
from vnetlab.trace.sighting import Direction, PacketKind
from vnetlab.wire.frames import recognize
from vnetlab.wire.glance import Glance, glance
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import build_message
from vnetlab.wire.taps import Capture

MARKER = Marker(0x1234, width=13)
SEQUENCE = 200_001
WORD = MARKER.word(SEQUENCE)
PAYLOAD = WORD.to_bytes(4, "big")
PORT = 53
V4 = {"src": "10.0.0.1", "dst": "10.0.0.2"}
V6 = {"src": "fd00::1", "dst": "fd00::2"}
PACKETS = {
    "IPv4 options": (IP(**V4, options=[b"\x94\4\0\0"]) / ICMP() / PAYLOAD, PacketKind.REQUEST),
    "echo reply": (IP(**V4) / ICMP(type=0) / PAYLOAD, PacketKind.REPLY),
    "UDP reply": (IP(**V4) / UDP(sport=PORT, dport=9) / PAYLOAD, PacketKind.REPLY),
    "SYN-ACK": (IP(**V4) / TCP(flags="SA", seq=3, ack=WORD + 1), PacketKind.REPLY),
    "reset": (IP(**V4) / TCP(flags="RA", ack=WORD + 1), PacketKind.RESET),
    "IPv6 reply": (IPv6(**V6) / ICMPv6EchoReply(data=PAYLOAD), PacketKind.REPLY),
    "fragment": (
        IPv6(**V6) / IPv6ExtHdrFragment(nh=17, m=1) / UDP(sport=9, dport=PORT) / PAYLOAD,
        PacketKind.REQUEST,
    ),
    "quoted request": (
        IP(**V4) / ICMP(type=3, code=13) / IP(**V4) / UDP(dport=PORT) / PAYLOAD,
        PacketKind.ERROR,
    ),
    "quoted SYN": (
        IP(**V4) / ICMP(type=11) / IP(bytes(IP(**V4) / TCP(flags="S", seq=WORD))[:28]),
        PacketKind.ERROR,
    ),
    "quoted reply": (
        IPv6(**V6) / ICMPv6DestUnreach(code=3) / IPv6(**V6) / ICMPv6EchoReply(data=PAYLOAD),
        PacketKind.ERROR,
    ),
}


def request(protocol: Protocol, version: int) -> ProbeRequest:
    source, destination = (V4 if version == 4 else V6).values()
    ends = Endpoints(
        source="a",
        destination="b",
        source_address=ip_address(source),
        destination_address=ip_address(destination),
    )
    return ProbeRequest(endpoints=ends, protocol=protocol, port=PORT)


def frame(packet: Any, *, tag: bool) -> bytes:
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return bytes((link / Dot1Q(vlan=20) if tag else link) / packet)


def in_full(data: bytes) -> tuple[PacketKind, int | None, IcmpError | None]:
    capture = Capture(time_ns=1, netns="n", ifname="i", direction=Direction.IN, frame=data)
    sighting = recognize(capture, request(Protocol.UDP, 4), MARKER)
    assert sighting is not None
    return sighting.kind, sighting.sequence, sighting.error


def at_a_glance(data: bytes) -> tuple[PacketKind, int | None, IcmpError | None]:
    found = glance(data, PORT)
    assert found is not None
    return found.kind, MARKER.sequence(found.word), found.error


@pytest.mark.parametrize("tag", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize(("packet", "kind"), PACKETS.values(), ids=list(PACKETS))
def test_a_glance_says_what_a_dissection_says(packet: Any, kind: PacketKind, tag: bool) -> None:
    """Kind, number and what an ICMP error quotes are the same, with a VLAN tag or without."""
    data = frame(packet, tag=tag)
    assert at_a_glance(data)[:2] == (kind, SEQUENCE)
    assert at_a_glance(data) == in_full(data)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.UDP, Protocol.TCP])
def test_what_is_built_is_a_request(protocol: Protocol, version: int) -> None:
    """Every message that a guest's socket is given bears its number."""
    asked = request(protocol, version)
    message = build_message(asked, MARKER, SEQUENCE, 40000)
    if protocol is Protocol.UDP:
        message = bytes(UDP(sport=40000, dport=PORT) / message)
    own = 1 if version == 4 else 58
    number = {Protocol.ICMP: own, Protocol.UDP: 17, Protocol.TCP: 6}[protocol]
    network = IP(**V4, proto=number) if version == 4 else IPv6(**V6, nh=number)
    found = glance(frame(network / message, tag=False), PORT)
    assert found == Glance(kind=PacketKind.REQUEST, word=WORD)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.TCP])
def test_checksums_are_those_that_scapy_computes(protocol: Protocol, version: int) -> None:
    """A message of odd length too, which is padded for the sum."""
    ends = request(protocol, version).endpoints
    asked = ProbeRequest(endpoints=ends, protocol=protocol, port=PORT, size=101)
    message = build_message(asked, MARKER, SEQUENCE, 40000)
    own = 1 if version == 4 else 58
    number = own if protocol is Protocol.ICMP else 6
    network = IP(**V4, proto=number) if version == 4 else IPv6(**V6, nh=number)
    packet = type(network)(bytes(network / message))
    transport = packet.payload
    field = "cksum" if hasattr(transport, "cksum") else "chksum"
    given = getattr(transport, field)
    delattr(transport, field)
    assert given == getattr(type(network)(bytes(packet)).payload, field)


@pytest.mark.parametrize("length", range(0, 46, 3))
def test_a_frame_that_is_cut_short_is_nothing(length: int) -> None:
    """Whatever is missing, it is read as no packet of this matrix."""
    data = frame(IP(**V4) / ICMP() / PAYLOAD, tag=False)[:length]
    found = glance(data, PORT)
    assert found is None or MARKER.sequence(found.word) is None


def test_other_frames_are_nothing() -> None:
    """Neither ARP nor an ICMP message that is no echo."""
    assert glance(frame(ARP(), tag=False), PORT) is None
    assert glance(frame(IP(**V4) / ICMP(type=13) / PAYLOAD, tag=False), PORT) is None
