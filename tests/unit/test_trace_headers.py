"""By what a packet of real traffic is known again, and what is another one."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from vnetlab.trace.headers import Headers, Key, read_headers
from vnetlab.trace.sighting import PacketKind

_MACS = bytes.fromhex("020000000002 020000000001")


def _ipv4(
    *,
    transport: bytes,
    protocol: int,
    source: str = "10.0.0.1",
    destination: str = "10.0.0.2",
    ident: int = 7,
    ttl: int = 64,
    tag: bytes = b"",
) -> Headers:
    length = 20 + len(transport)
    header = bytes([0x45, 0]) + length.to_bytes(2) + ident.to_bytes(2) + b"\0\0"
    header += bytes([ttl, protocol]) + b"\0\0"
    header += ip_address(source).packed + ip_address(destination).packed
    headers = read_headers(_MACS + tag + b"\x08\x00" + header + transport)
    assert headers is not None
    return headers


def _udp(source_port: int = 4000, data: bytes = b"ping", checksum: int = 1) -> bytes:
    ports = source_port.to_bytes(2) + (53).to_bytes(2)
    return ports + (8 + len(data)).to_bytes(2) + checksum.to_bytes(2) + data


def _tcp(sequence: int, flags: int = 0x10, data: bytes = b"") -> bytes:
    numbers = sequence.to_bytes(4) + (99).to_bytes(4)
    return b"\x0f\xa0\x00\x50" + numbers + bytes([0x50, flags]) + bytes(6) + data


def test_translation_routing_and_tagging_leave_the_key() -> None:
    """Addresses, ports, checksums, TTL and VLAN tag differ: it is the same packet."""
    before = _ipv4(transport=_udp(), protocol=17)
    after = _ipv4(
        transport=_udp(source_port=60000, checksum=2),
        protocol=17,
        source="192.0.2.1",
        ttl=63,
        tag=bytes.fromhex("8100 000a"),
    )
    assert after.key == before.key
    assert (before.vlan, after.vlan, after.ttl) == (None, 10, 63)


def _key(transport: bytes, protocol: int, ident: int = 7) -> Key:
    return _ipv4(transport=transport, protocol=protocol, ident=ident).key


@pytest.mark.parametrize(
    "other",
    [_key(_udp(), 17, ident=8), _key(_udp(data=b"pong"), 17), _key(_udp(data=b"pings"), 17)],
)
def test_another_datagram_has_another_key(other: Key) -> None:
    """By its identification, its data, its length."""
    assert other != _key(_udp(), 17)


def test_the_first_of_the_segments_that_a_large_one_is_cut_into_is_known() -> None:
    """It is shorter, and has lost its PSH and FIN; an acknowledgement without data is another."""
    large = _key(_tcp(5, flags=0x19, data=bytes(3000)), 6)
    assert _key(_tcp(5, data=bytes(1000)), 6) == large
    assert _key(_tcp(6, data=bytes(1000)), 6) != large
    assert _key(_tcp(5), 6) != large


def test_a_syn_asks_and_its_answer_names_it() -> None:
    """The acknowledgement number is the SYN's sequence number and one: here after 2**32 - 1."""
    syn = _ipv4(transport=_tcp(2**32 - 1, flags=0x02), protocol=6)
    answer = _ipv4(
        transport=_tcp(1, flags=0x12)[:8] + bytes(4) + _tcp(1, flags=0x12)[12:], protocol=6
    )
    assert (syn.asks, syn.answers, answer.asks, answer.answers) == (True, False, False, True)
    assert syn.word == answer.word == 0


def test_an_error_quotes_the_key_of_what_it_is_about() -> None:
    """ICMP port unreachable, with the IP header and the data behind it."""
    udp = _udp()
    header = bytes.fromhex("4500 0020 0007 0000 40 11 0000 0a000001 0a000002")
    error = _ipv4(transport=bytes([3, 3, 0, 0, 0, 0, 0, 0]) + header + udp, protocol=1)
    assert error.quoted == _key(udp, 17)
    assert str(error.error) == "ICMP 3/3 port unreachable"


def test_arp_is_a_question_and_an_answer() -> None:
    """RFC 826: both are about the same address."""
    mac, here, there = bytes(6), bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    start = _MACS + bytes.fromhex("0806 0001 0800 06 04")
    question = read_headers(start + b"\0\1" + mac + here + mac + there)
    answer = read_headers(start + b"\0\2" + mac + there + mac + here)
    assert question is not None
    assert answer is not None
    assert (question.kind, answer.kind) == (PacketKind.WHO_HAS, PacketKind.IS_AT)
    assert question.target == answer.target == ip_address("10.0.0.2")


@pytest.mark.parametrize("length", range(60))
def test_a_frame_cut_anywhere_is_no_error(length: int) -> None:
    """It is either known by what there is of it, or not followed."""
    frame = _MACS + bytes.fromhex("0800 4500 002c 0007 0000 40 06 0000 0a000001 0a000002")
    found = read_headers((frame + _tcp(5, data=bytes(4)))[:length])
    assert (found is not None) == (length >= 14 + 20 + 14)
