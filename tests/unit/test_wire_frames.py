"""A probe's packets, built and recognized again."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6TimeExceeded,
    IPv6,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether

from vnetlab.errors import UsageError
from vnetlab.state.objects import LinkId
from vnetlab.trace.request import MAX_COUNT, Endpoints, ProbeRequest, Protocol, RawFrame
from vnetlab.trace.sighting import Direction, PacketKind, Sighting
from vnetlab.wire.frames import recognize
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import build_message
from vnetlab.wire.raw_frames import build_frame
from vnetlab.wire.taps import Capture

MARKER = Marker(0x54321)
OVER_IP = [it for it in Protocol if it is not Protocol.ARP]
ENDS = {
    4: Endpoints(
        source="a",
        destination="b",
        source_address=ip_address("10.0.0.1"),
        destination_address=ip_address("10.0.0.2"),
    ),
    6: Endpoints(
        source="a",
        destination="b",
        source_address=ip_address("fd00::1"),
        destination_address=ip_address("fd00::2"),
    ),
}


def request(protocol: Protocol, version: int, size: int | None = None) -> ProbeRequest:
    return ProbeRequest(endpoints=ENDS[version], protocol=protocol, port=53, size=size)


def packet(asked: ProbeRequest, sequence: int = 0) -> Any:
    """The whole packet, as the guest's kernel would make it of the message."""
    message = build_message(asked, MARKER, sequence, 40000)
    if asked.protocol is Protocol.UDP:
        message = bytes(UDP(sport=40000, dport=asked.port) / message)
    numbers = {Protocol.ICMP: 1 if asked.endpoints.version == 4 else 58}
    number = numbers.get(asked.protocol) or {Protocol.UDP: 17, Protocol.TCP: 6}[asked.protocol]
    ends = asked.endpoints
    source, destination = str(ends.source_address), str(ends.destination_address)
    if ends.version == 4:
        return IP(src=source, dst=destination, proto=number) / message
    return IPv6(src=source, dst=destination, nh=number) / message


def sight(asked: ProbeRequest, network: Any, *, vlan: int | None = None) -> Sighting | None:
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    frame = bytes((link / Dot1Q(vlan=vlan) if vlan else link) / network)
    capture = Capture(time_ns=7, netns="n", ifname="i", direction=Direction.OUT, frame=frame)
    return recognize(capture, asked, MARKER)


def seen(asked: ProbeRequest, network: Any, *, vlan: int | None = None) -> Sighting:
    sighting = sight(asked, network, vlan=vlan)
    assert sighting is not None
    return sighting


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", OVER_IP)
@pytest.mark.parametrize("sequence", [0, 1, MAX_COUNT - 1])
def test_every_probe_is_recognized_with_its_number(
    protocol: Protocol, version: int, sequence: int
) -> None:
    """What is built is a request of that sequence number, and shows where it is tagged."""
    asked = request(protocol, version)
    sighting = seen(asked, packet(asked, sequence), vlan=20)
    assert (sighting.kind, sighting.sequence) == (PacketKind.REQUEST, sequence)
    assert (sighting.vlan, sighting.ttl, sighting.time_ns) == (20, 64, 7)
    assert sighting.source == asked.endpoints.source_address
    assert sighting.source_mac == "02:00:00:00:00:01"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.UDP])
@pytest.mark.parametrize("size", [60, 84, 1500, 9000])
def test_size_is_that_of_the_whole_ip_packet(protocol: Protocol, version: int, size: int) -> None:
    """A probe of 1500 bytes just fits an MTU of 1500."""
    asked = request(protocol, version, size)
    assert len(packet(asked)) == asked.packet_bytes == size


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("at", [-1, -40])
def test_a_damaged_echo_is_none_of_the_probe(version: int, at: int) -> None:
    """The node that gets it drops it: it must not count as an answer."""
    asked = request(Protocol.ICMP, version, 100)
    payload = MARKER.word(3).to_bytes(4, "big") + bytes(range(60))
    layer = IP if version == 4 else IPv6
    echo = ICMP(type=0) if version == 4 else ICMPv6EchoReply()
    answer = bytearray(bytes(layer(dst=str(ENDS[version].source_address)) / echo / payload))
    assert seen(asked, layer(bytes(answer))).kind is PacketKind.REPLY
    answer[at] ^= 0x10
    assert sight(asked, layer(bytes(answer))) is None


def test_a_damaged_ip_header_is_none_of_the_probe() -> None:
    """Every node on the way drops it (RFC 1812, 5.2.2)."""
    damaged = bytearray(bytes(packet(request(Protocol.UDP, 4))))
    damaged[4] ^= 0x10
    assert sight(request(Protocol.UDP, 4), IP(bytes(damaged))) is None


def test_a_syn_carries_a_checksum_that_holds() -> None:
    """Nobody computes it for a raw TCP socket: the packet must have it already."""
    asked = request(Protocol.TCP, 4)
    built = IP(bytes(packet(asked)))
    given = built[TCP].chksum
    del built[TCP].chksum
    assert IP(bytes(built))[TCP].chksum == given


def test_the_answers_are_recognized() -> None:
    """An echo reply, a datagram sent back, a SYN-ACK, and a reset as what it is."""
    back = {"src": "10.0.0.2", "dst": "10.0.0.1"}
    word = MARKER.word(3)
    payload = word.to_bytes(4, "big")
    echo = seen(request(Protocol.ICMP, 4), IP(**back) / ICMP(type=0) / payload)
    udp = seen(request(Protocol.UDP, 4), IP(**back) / UDP(sport=53, dport=40000) / payload)
    tcp = request(Protocol.TCP, 4)
    accepted = seen(tcp, IP(**back) / TCP(sport=53, flags="SA", ack=word + 1))
    reset = seen(tcp, IP(**back) / TCP(sport=53, flags="RA", ack=word + 1))
    assert {s.kind for s in (echo, udp, accepted)} == {PacketKind.REPLY}
    assert reset.kind is PacketKind.RESET
    assert {s.sequence for s in (echo, udp, accepted, reset)} == {3}


@pytest.mark.parametrize("protocol", OVER_IP)
def test_an_error_says_which_packet_it_is_about(protocol: Protocol) -> None:
    """ICMP quotes the probe: with all of it, or with 8 bytes of TCP only."""
    asked = request(protocol, 4)
    length = 28 if protocol is Protocol.TCP else None
    quoted = bytes(packet(asked, 2))[:length]
    router = IP(src="10.0.0.254", dst="10.0.0.1")
    sighting = seen(asked, router / ICMP(type=3, code=13) / quoted)
    assert (sighting.kind, sighting.sequence) == (PacketKind.ERROR, 2)
    assert str(sighting.error) == "ICMP 3/13 administratively prohibited"


def test_an_icmpv6_error_is_recognized() -> None:
    """The hop limit ran out on the way."""
    asked = request(Protocol.UDP, 6)
    quoted = bytes(packet(asked, 2))
    sighting = seen(asked, IPv6(src="fd00::ff", dst="fd00::1") / ICMPv6TimeExceeded() / quoted)
    assert str(sighting.error) == "ICMPv6 3/0 hop limit exceeded"


def test_an_error_about_the_reply_is_told_from_one_about_the_probe() -> None:
    """It travels to the destination, and does not answer the probe."""
    reply = IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=0) / MARKER.word(0).to_bytes(4, "big")
    refused = IP(src="10.0.0.254", dst="10.0.0.2") / ICMP(type=3, code=1) / bytes(reply)
    sighting = seen(request(Protocol.ICMP, 4), refused)
    assert sighting.error is not None
    assert sighting.error.about_reply


def test_neighbour_resolution_tells_its_target() -> None:
    """ARP and neighbour discovery: who asks for which address, who answers."""
    asked = request(Protocol.ICMP, 4)
    question = seen(asked, ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst="10.0.0.2"))
    answer = seen(asked, ARP(op=2, hwsrc="02:00:00:00:00:02", psrc="10.0.0.2", pdst="10.0.0.1"))
    assert (question.kind, answer.kind) == (PacketKind.WHO_HAS, PacketKind.IS_AT)
    assert question.target == answer.target == ip_address("10.0.0.2")
    v6 = IPv6(src="fd00::1", dst="fd00::2")
    solicitation = seen(asked, v6 / ICMPv6ND_NS(tgt="fd00::2"))
    advertisement = seen(asked, v6 / ICMPv6ND_NA(tgt="fd00::2"))
    assert (solicitation.kind, advertisement.kind) == (PacketKind.WHO_HAS, PacketKind.IS_AT)
    assert solicitation.target == advertisement.target == ip_address("fd00::2")


@pytest.mark.parametrize("version", [4, 6])
def test_a_damaged_frame_is_nothing_to_the_probe(version: int) -> None:
    """Whichever bit of it a faulty link flips, it is dissected, or left alone."""
    asked = request(Protocol.ICMP, version)
    question = ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst="10.0.0.2")
    for network in (packet(asked), question, IPv6(dst="ff02::1") / ICMPv6ND_NS(tgt="fd00::2")):
        whole = bytes(Ether(dst="02:00:00:00:00:02") / network)
        for bit in range(8 * 12, 8 * len(whole)):
            frame = bytearray(whole)
            frame[bit // 8] ^= 1 << bit % 8
            capture = Capture(
                time_ns=7, netns="n", ifname="i", direction=Direction.IN, frame=bytes(frame)
            )
            found = recognize(capture, asked, MARKER)
            assert found is None or found.kind in PacketKind


def test_another_probe_s_packet_is_nothing_to_this_one() -> None:
    """The filter is coarse where 20 bits happen to agree; the marker decides."""
    foreign = Marker(0x11111).word(0).to_bytes(4, "big")
    assert (
        sight(request(Protocol.ICMP, 4), IP(src="10.0.0.1", dst="10.0.0.2") / ICMP() / foreign)
        is None
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count: got 0, expected 1-2048"),
        ({"count": 2049}, "count: got 2049, expected 1-2048"),
        ({"port": 65536}, "port: got 65536, expected 1-65535"),
        ({"size": 31}, "size: got 31, expected 32-65535"),
    ],
)
def test_a_request_out_of_range_is_refused(options: dict[str, int], message: str) -> None:
    """The message says what was given and what is possible."""
    with pytest.raises(UsageError) as raised:
        ProbeRequest(endpoints=ENDS[4], **options)  # type: ignore[arg-type] # by name
    assert str(raised.value) == message


def recognized(frame: bytes, asked: ProbeRequest) -> Sighting | None:
    capture = Capture(time_ns=0, netns="a", ifname="eth0", direction=Direction.OUT, frame=frame)
    return recognize(capture, asked, MARKER)


def test_an_arp_request_bears_its_marker_in_the_padding() -> None:
    """It is the probe's; a question of the kernel's own is not, and an answer has no number."""
    asked = request(Protocol.ARP, 4)
    frame = RawFrame(
        link=LinkId(netns="a", name="eth0"),
        target=LinkId(netns="b", name="eth0"),
        source_mac="02:00:00:00:00:01",
        destination_mac="ff:ff:ff:ff:ff:ff",
        vlan=7,
    )
    sent = build_frame(asked, frame, MARKER, 3, 0)
    assert len(sent) == 64  # 60 bytes without check sequence, and the tag
    seen = recognized(sent, asked)
    assert seen is not None
    assert (seen.kind, seen.sequence, seen.vlan) == (PacketKind.REQUEST, 3, 7)
    question = Ether(sent)
    answer = Ether() / ARP(op="is-at", psrc=question[ARP].pdst, pdst=question[ARP].psrc)
    told = recognized(bytes(answer), asked)
    assert told is not None
    assert (told.kind, told.sequence) == (PacketKind.REPLY, None)
    own = recognized(sent[:46], asked)
    assert own is not None
    assert (own.kind, own.sequence) == (PacketKind.WHO_HAS, None)


@pytest.mark.parametrize(
    "wrong", [{"size": 100}, {"ttl": 3}, {"dscp": 1}, {"dont_fragment": True}], ids=str
)
def test_an_arp_request_has_no_ip_header(wrong: dict[str, Any]) -> None:
    """What would be in one is an error, and so is IPv6."""
    with pytest.raises(UsageError, match="ARP request"):
        ProbeRequest(endpoints=ENDS[4], protocol=Protocol.ARP, **wrong)
    with pytest.raises(UsageError, match="ICMPv6"):
        ProbeRequest(endpoints=ENDS[6], protocol=Protocol.ARP)
