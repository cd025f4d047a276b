"""The filter of the taps: a classic BPF program that lets only a probe's packets pass (pure).

How it works
------------
The kernel runs it on every packet in the tapped namespaces (SO_ATTACH_FILTER; socket(7), and
Documentation/networking/filter.rst of the kernel), so that nothing else is ever copied. It lets
pass, over Ethernet with or without an inline 802.1Q tag:

- ICMP and ICMPv6 echoes and UDP datagrams whose payload begins with the marker, TCP SYNs whose
  sequence number is one, and TCP segments that acknowledge one;
- ICMP and ICMPv6 errors that quote such a packet;
- ARP, and ICMPv6 neighbour solicitations and advertisements, if they are asked for.

A load beyond the packet's end ends the program and drops the packet. X holds the offset of the
header being looked at; M[0] holds the transport protocol.

A program is written as a list of instructions and labels; jumps name labels, and a test that
names only one goes on with the next instruction otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from vnetlab.wire.marker import Marker

# linux/bpf_common.h and linux/filter.h: class | size or operation | mode or source
_LD_WORD, _LD_HALF, _LD_BYTE = 0x40, 0x48, 0x50  # BPF_LD | BPF_IND: A = packet[X + k]
_LD_HALF_ABS = 0x28  # A = packet[k]
_LDX_IMM = 0x01  # X = k
_LD_MEM, _ST = 0x60, 0x02  # A = M[k], M[k] = A
_ADD_X = 0x0C  # A += X
_ADD, _AND, _LSH = 0x04, 0x54, 0x64  # A op= k
_TAX, _TXA = 0x07, 0x87  # X = A, A = X
_JA, _JEQ, _JSET = 0x05, 0x15, 0x45  # always; if A == k; if A & k
_RET = 0x06  # let k bytes of the packet pass

_WHOLE_PACKET = 0x0004_0000

_ETHERTYPE = {"ipv4": 0x0800, "arp": 0x0806, "802.1q": 0x8100, "ipv6": 0x86DD, "802.1ad": 0x88A8}
_ICMP, _TCP, _UDP, _IPV6_FRAGMENT, _ICMPV6 = 1, 6, 17, 44, 58
_SYN = 0x02


class Instruction(Struct, frozen=True):
    """One instruction of the machine: `struct sock_filter`."""

    code: int
    jump_true: int
    jump_false: int
    operand: int


class _Op(Struct, frozen=True):
    """An instruction whose jumps still name labels; an empty name is the next instruction."""

    code: int
    operand: int = 0
    then: str = ""
    otherwise: str = ""


def marker_filter(marker: Marker, *, resolution: bool = True) -> tuple[Instruction, ...]:
    """Return the program that lets the packets of `marker`, and neighbour resolution, pass."""
    return _assemble(tuple(_program(marker, "pass" if resolution else "drop")))


def beginning(size: int) -> tuple[Instruction, ...]:
    """Return the program that lets the first `size` bytes of every packet pass."""
    return (Instruction(_RET, 0, 0, size),)


def _program(marker: Marker, resolution: str) -> Iterator[_Op | str]:
    yield from _link_layer(resolution)
    yield from _ipv4()
    yield from _ipv6(resolution)
    yield from _transport(marker)
    yield from _quoted_transport(marker)
    yield "drop"
    yield _Op(_RET, 0)
    yield "pass"
    yield _Op(_RET, _WHOLE_PACKET)


def _link_layer(resolution: str) -> Iterator[_Op | str]:
    yield _Op(_LDX_IMM, 14)  # the network header, unless there is a tag
    yield _Op(_LD_HALF_ABS, 12)  # EtherType
    yield _Op(_JEQ, _ETHERTYPE["802.1q"], then="tagged")
    yield _Op(_JEQ, _ETHERTYPE["802.1ad"], then="tagged", otherwise="ethertype")
    yield "tagged"
    yield _Op(_LDX_IMM, 18)
    yield _Op(_LD_HALF_ABS, 16)  # EtherType behind the tag
    yield "ethertype"
    yield _Op(_JEQ, _ETHERTYPE["ipv4"], then="ipv4")
    yield _Op(_JEQ, _ETHERTYPE["ipv6"], then="ipv6")
    yield _Op(_JEQ, _ETHERTYPE["arp"], then=resolution, otherwise="drop")


def _ipv4() -> Iterator[_Op | str]:
    yield "ipv4"
    yield _Op(_LD_HALF, 6)  # flags and fragment offset
    yield _Op(_JSET, 0x1FFF, then="drop")  # not the first fragment: has no marker
    yield from _skip_ipv4_header(at=0)
    yield _Op(_LD_MEM, 0)
    yield _Op(_JEQ, _ICMP, otherwise="transport")
    yield _Op(_LD_BYTE, 0)  # ICMP type
    for error_type in (3, 5, 11, 12):  # unreachable, redirect, time exceeded, parameter problem
        yield _Op(_JEQ, error_type, then="quoted ipv4")
    yield _Op(_JA, then="transport")
    yield "quoted ipv4"
    yield from _skip_ipv4_header(at=8)
    yield _Op(_JA, then="quoted transport")


def _skip_ipv4_header(at: int) -> Iterator[_Op]:
    """From an IPv4 header at X + `at`: its protocol to M[0], X to the header that follows."""
    yield _Op(_LD_BYTE, at + 9)  # protocol
    yield _Op(_ST, 0)
    yield _Op(_LD_BYTE, at)  # version, header length in words
    yield _Op(_AND, 0x0F)
    yield _Op(_LSH, 2)
    yield _Op(_ADD_X)
    yield _Op(_ADD, at)
    yield _Op(_TAX)


def _ipv6(resolution: str) -> Iterator[_Op | str]:
    yield "ipv6"
    yield _Op(_LD_BYTE, 6)  # next header
    yield _Op(_JEQ, _IPV6_FRAGMENT, otherwise="ipv6 header")
    yield _Op(_LD_HALF, 40 + 2)  # fragment offset and flags
    yield _Op(_JSET, 0xFFF8, then="drop")  # not the first fragment
    yield _Op(_LD_BYTE, 40)  # next header of the fragment header
    yield _Op(_ST, 0)
    yield from _advance(48)
    yield _Op(_JA, then="behind ipv6")
    yield "ipv6 header"
    yield _Op(_ST, 0)
    yield from _advance(40)
    yield "behind ipv6"
    yield _Op(_LD_MEM, 0)
    yield _Op(_JEQ, _ICMPV6, otherwise="transport")
    yield _Op(_LD_BYTE, 0)  # ICMPv6 type
    yield _Op(_JEQ, 135, then=resolution)  # neighbour solicitation
    yield _Op(_JEQ, 136, then=resolution)  # neighbour advertisement
    for error_type in (1, 2, 3, 4):  # unreachable, too big, time exceeded, parameter problem
        yield _Op(_JEQ, error_type, then="quoted ipv6")
    yield _Op(_JA, then="transport")
    yield "quoted ipv6"
    yield _Op(_LD_BYTE, 8 + 6)  # next header
    yield _Op(_ST, 0)
    yield from _advance(8 + 40)
    yield _Op(_JA, then="quoted transport")


def _advance(length: int) -> Iterator[_Op]:
    yield _Op(_TXA)
    yield _Op(_ADD, length)
    yield _Op(_TAX)


def _transport(marker: Marker) -> Iterator[_Op | str]:
    """The header at X, of protocol M[0]: look for the marker in it."""
    yield "transport"
    yield _Op(_LD_MEM, 0)
    yield from _echo_or_udp(marker, tcp="tcp")
    yield "tcp"
    yield _Op(_LD_WORD, 8)  # acknowledgement number
    yield from _pass_if_marked(marker)
    yield _Op(_LD_BYTE, 13)  # flags
    yield _Op(_JSET, _SYN, otherwise="drop")  # not the reset with which the source ends it
    yield _Op(_LD_WORD, 4)  # sequence number
    yield from _pass_if_marked(marker)
    yield _Op(_JA, then="drop")


def _quoted_transport(marker: Marker) -> Iterator[_Op | str]:
    """The header at X, of protocol M[0], inside an ICMP error: perhaps its first 8 bytes only."""
    yield "quoted transport"
    yield _Op(_LD_MEM, 0)
    yield from _echo_or_udp(marker, tcp="quoted tcp")
    yield "quoted tcp"
    yield _Op(_LD_WORD, 4)  # sequence number
    yield from _pass_if_marked(marker)
    yield _Op(_LD_WORD, 8)  # acknowledgement number
    yield from _pass_if_marked(marker)
    yield _Op(_JA, then="drop")


def _echo_or_udp(marker: Marker, *, tcp: str) -> Iterator[_Op | str]:
    """A in M[0]'s value: ICMP, ICMPv6 and UDP all have 8 bytes of header before the marker."""
    marked = f"payload, else {tcp}"
    yield _Op(_JEQ, _ICMP, then=marked)
    yield _Op(_JEQ, _ICMPV6, then=marked)
    yield _Op(_JEQ, _UDP, then=marked)
    yield _Op(_JEQ, _TCP, then=tcp, otherwise="drop")
    yield marked
    yield _Op(_LD_WORD, 8)
    yield from _pass_if_marked(marker)
    yield _Op(_JA, then="drop")


def _pass_if_marked(marker: Marker) -> Iterator[_Op]:
    yield _Op(_AND, marker.mask)
    yield _Op(_JEQ, marker.value, then="pass")


def _assemble(program: tuple[_Op | str, ...]) -> tuple[Instruction, ...]:
    """Turn label names into distances, counted from the instruction after the jump."""
    labels: dict[str, int] = {}
    ops: list[_Op] = []
    for line in program:
        if isinstance(line, str):
            labels[line] = len(ops)
        else:
            ops.append(line)

    def distance(position: int, label: str) -> int:
        return labels[label] - position - 1 if label else 0

    return tuple(
        Instruction(op.code, 0, 0, distance(at, op.then))
        if op.code == _JA
        else Instruction(op.code, distance(at, op.then), distance(at, op.otherwise), op.operand)
        for at, op in enumerate(ops)
    )
