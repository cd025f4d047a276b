"""The marker that tells a probe's packets from all others (pure).

One 32-bit word: 20 random bits, the same for the whole probe, then the packet's sequence number,
doubled. It is the first word of the payload of an ICMP echo or a UDP datagram, and the sequence
number of a TCP SYN. A SYN-ACK or a reset acknowledges the SYN's sequence number plus one
(RFC 9293, 3.5): since the words sent are even, that is still the marker of the same packet.
"""

from __future__ import annotations

from dataclasses import dataclass

MASK = 0xFFFF_F000
"""The bits of a word that are the same in all packets of one probe."""

RANDOM_BITS = 20

_SEQUENCE_MASK = 0xFFF


@dataclass(frozen=True, slots=True)
class Marker:
    """A probe's marker; `bits` are its 20 random bits."""

    bits: int

    @property
    def value(self) -> int:
        """The word of packet 0: what a word of this probe is under MASK."""
        return self.bits << (32 - RANDOM_BITS)

    def word(self, sequence: int) -> int:
        """The word of packet `sequence`, 0-2047."""
        return self.value | sequence << 1

    def sequence(self, word: int) -> int | None:
        """The packet that a sighted word belongs to, None for a word of no packet of this probe."""
        if word & MASK != self.value:
            return None
        return (word & _SEQUENCE_MASK) >> 1
