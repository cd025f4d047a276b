"""The marker that tells a probe's packets from all others (pure).

One 32-bit word: random bits, the same for the whole probe, then the packet's sequence number,
doubled. It is the first word of the payload of an ICMP echo or a UDP datagram, the first of the
padding of an ARP request, and the sequence number of a TCP SYN. A SYN-ACK or a reset acknowledges
the SYN's sequence number plus one (RFC 9293, 3.5): since the words sent are even, that is still the
marker of the same packet.
"""

from __future__ import annotations

from msgspec import Struct

MASK = 0xFFFF_F000
"""The bits of a word that are the same in all packets of one probe."""

RANDOM_BITS = 20

_WORD_BITS = 32


class Marker(Struct, frozen=True):
    """A probe's marker; `bits` are its random bits, `width` how many they are.

    The fewer they are, the more packets can be told apart, and the likelier it is that a packet of
    other traffic looks like one of them.
    """

    bits: int
    width: int = RANDOM_BITS

    @property
    def value(self) -> int:
        """The word of packet 0: what a word of this probe is under its mask."""
        return self.bits << (_WORD_BITS - self.width)

    @property
    def mask(self) -> int:
        """The bits of a word that are the same in all packets; MASK, for the usual width."""
        return (1 << _WORD_BITS) - (1 << (_WORD_BITS - self.width))

    @property
    def count(self) -> int:
        """How many packets it tells apart."""
        return 1 << (_WORD_BITS - self.width - 1)

    def word(self, sequence: int) -> int:
        """The word of packet `sequence`, below `count`."""
        return self.value | sequence << 1

    def sequence(self, word: int) -> int | None:
        """The packet that a sighted word belongs to, None for a word of no packet of this probe."""
        if word & self.mask != self.value:
            return None
        return (word & ~self.mask) >> 1
