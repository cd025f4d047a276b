"""The taps' filter, run on frames by a small machine of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6MLReport,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether

from vnetlab.wire.bpf import Instruction, marker_filter
from vnetlab.wire.marker import Marker

MARKER = Marker(0xABCDE)
WORD = MARKER.word(5)
PAYLOAD = WORD.to_bytes(4, "big") + b"the rest"
FOREIGN = Marker(0x12345).word(5).to_bytes(4, "big") + b"the rest"

V4 = {"src": "10.0.0.1", "dst": "10.0.0.2"}
V6 = {"src": "fd00::1", "dst": "fd00::2"}


def run(program: Sequence[Instruction], packet: bytes) -> int:
    """Run a classic BPF program as the kernel does (filter.rst): how many bytes may pass."""
    accumulator = index = position = 0
    memory = [0] * 16
    while True:
        line = program[position]
        position += 1
        k = line.operand
        match line.code:
            case 0x28 | 0x40 | 0x48 | 0x50:
                at = k if line.code == 0x28 else index + k
                width = {0x28: 2, 0x40: 4, 0x48: 2, 0x50: 1}[line.code]
                if at + width > len(packet):
                    return 0
                accumulator = int.from_bytes(packet[at : at + width], "big")
            case 0x01:
                index = k
            case 0x60:
                accumulator = memory[k]
            case 0x02:
                memory[k] = accumulator
            case 0x0C:
                accumulator = (accumulator + index) & 0xFFFFFFFF
            case 0x04:
                accumulator = (accumulator + k) & 0xFFFFFFFF
            case 0x54:
                accumulator &= k
            case 0x64:
                accumulator = (accumulator << k) & 0xFFFFFFFF
            case 0x07:
                index = accumulator
            case 0x87:
                accumulator = index
            case 0x05:
                position += k
            case 0x15:
                position += line.jump_true if accumulator == k else line.jump_false
            case 0x45:
                position += line.jump_true if accumulator & k else line.jump_false
            case 0x06:
                return k
            case unknown:
                raise AssertionError(f"no such instruction: {unknown:#x}")


def passes(packet: Any, *, tag: bool) -> bool:
    """Whether the filter lets a packet pass, behind an Ethernet header with or without a tag."""
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return run(marker_filter(MARKER), bytes((link / Dot1Q(vlan=10) if tag else link) / packet)) > 0


def wanted() -> Iterator[Any]:
    """Packets of the probe, and those that find out MAC addresses."""
    yield pytest.param(IP(**V4) / ICMP() / PAYLOAD, id="echo")
    yield pytest.param(IP(**V4) / ICMP(type=0) / PAYLOAD, id="echo reply")
    yield pytest.param(IP(**V4, options=[b"\x94\4\0\0"]) / ICMP() / PAYLOAD, id="IPv4 options")
    yield pytest.param(IP(**V4, flags="MF") / ICMP() / PAYLOAD, id="first fragment")
    yield pytest.param(IP(**V4) / UDP(dport=7) / PAYLOAD, id="UDP")
    yield pytest.param(IP(**V4) / TCP(flags="S", seq=WORD), id="SYN")
    yield pytest.param(IP(**V4) / TCP(flags="SA", ack=WORD + 1), id="SYN-ACK")
    yield pytest.param(IP(**V4) / TCP(flags="RA", ack=WORD + 1), id="reset")
    yield pytest.param(IPv6(**V6) / ICMPv6EchoRequest(data=PAYLOAD), id="IPv6 echo")
    yield pytest.param(IPv6(**V6) / ICMPv6EchoReply(data=PAYLOAD), id="IPv6 echo reply")
    yield pytest.param(IPv6(**V6) / UDP(dport=7) / PAYLOAD, id="IPv6 UDP")
    yield pytest.param(IPv6(**V6) / TCP(flags="S", seq=WORD), id="IPv6 SYN")
    first = IPv6ExtHdrFragment(nh=17, m=1, id=1)
    yield pytest.param(IPv6(**V6) / first / UDP(dport=7) / PAYLOAD, id="IPv6 first fragment")
    quoted = IP(**V4) / UDP(dport=7) / PAYLOAD
    yield pytest.param(IP(**V4) / ICMP(type=3, code=3) / IPerror(bytes(quoted)), id="unreachable")
    expired = IP(**V4) / ICMP() / PAYLOAD
    yield pytest.param(IP(**V4) / ICMP(type=11) / IPerror(bytes(expired)), id="time exceeded")
    syn = bytes(IP(**V4) / TCP(flags="S", seq=WORD))[:28]
    yield pytest.param(IP(**V4) / ICMP(type=3, code=13) / syn, id="8 bytes of a SYN quoted")
    quoted_6 = bytes(IPv6(**V6) / UDP(dport=7) / PAYLOAD)
    yield pytest.param(IPv6(**V6) / ICMPv6DestUnreach() / quoted_6, id="IPv6 unreachable")
    yield pytest.param(IPv6(**V6) / ICMPv6PacketTooBig() / quoted_6, id="IPv6 too big")
    yield pytest.param(ARP(hwsrc="02:00:00:00:00:01", psrc="10.0.0.1", pdst="10.0.0.2"), id="ARP")
    yield pytest.param(IPv6(**V6) / ICMPv6ND_NS(tgt="fd00::2"), id="solicitation")
    yield pytest.param(IPv6(**V6) / ICMPv6ND_NA(tgt="fd00::2"), id="advertisement")


def unwanted() -> Iterator[Any]:
    """Everything else that passes a lab."""
    yield pytest.param(IP(**V4) / ICMP() / FOREIGN, id="echo of another probe")
    yield pytest.param(IP(**V4) / ICMP() / b"ab", id="echo without payload")
    yield pytest.param(IP(**V4) / UDP(dport=7) / FOREIGN, id="UDP of another probe")
    yield pytest.param(IP(**V4) / UDP(dport=7) / b"x" / PAYLOAD, id="marker further on")
    yield pytest.param(IP(**V4, frag=100) / PAYLOAD, id="later fragment")
    yield pytest.param(IP(**V4) / TCP(flags="A", seq=WORD), id="TCP data that is no SYN")
    yield pytest.param(IP(**V4) / TCP(flags="R", seq=WORD + 1), id="reset of the source")
    yield pytest.param(IP(**V4, proto=47) / PAYLOAD, id="GRE")
    yield pytest.param(IPv6(**V6) / ICMPv6EchoRequest(data=FOREIGN), id="IPv6 echo of another")
    yield pytest.param(IPv6(**V6) / ICMPv6MLReport(), id="multicast listener report")
    later = IPv6ExtHdrFragment(nh=17, offset=100, id=1)
    yield pytest.param(IPv6(**V6) / later / PAYLOAD, id="IPv6 later fragment")
    quoted = bytes(IP(**V4) / UDP(dport=7) / FOREIGN)
    yield pytest.param(IP(**V4) / ICMP(type=3, code=3) / quoted, id="unreachable, of another")
    yield pytest.param(b"\x88\xcc" + b"\0" * 60, id="LLDP")


@pytest.mark.parametrize("tag", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize("packet", list(wanted()))
def test_the_probe_s_packets_pass(packet: Any, *, tag: bool) -> None:
    """What belongs to the probe is let through, with and without an inline VLAN tag."""
    assert passes(packet, tag=tag)


@pytest.mark.parametrize("tag", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize("packet", list(unwanted()))
def test_all_others_do_not(packet: Any, *, tag: bool) -> None:
    """What belongs to something else is not even copied."""
    assert not passes(packet, tag=tag)


def test_jumps_stay_within_a_byte() -> None:
    """A conditional jump's distance is 8 bits wide: the program must not outgrow it."""
    program = marker_filter(MARKER)
    assert max(max(line.jump_true, line.jump_false) for line in program) <= 0xFF
    assert len(program) < 256


def test_a_filter_without_resolution_lets_only_the_probe_pass() -> None:
    """ARP floods a network of a hundred guests: a matrix does not ask for it."""
    marker = Marker(0x1F, width=5)
    program = marker_filter(marker, resolution=False)
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    own = marker.word(12_345_678).to_bytes(4, "big")
    other = Marker(0x1E, width=5).word(12_345_678).to_bytes(4, "big")
    assert run(program, bytes(link / IP(**V4) / ICMP() / own)) > 0
    assert run(program, bytes(link / IP(**V4) / ICMP() / other)) == 0
    assert run(program, bytes(link / ARP())) == 0
    assert run(program, bytes(link / IPv6(**V6) / ICMPv6ND_NS())) == 0
