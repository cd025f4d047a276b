"""ICMP errors and their names: RFC 792, RFC 1812 and RFC 4443 (pure)."""

from __future__ import annotations

from msgspec import Struct

_NAMES: dict[tuple[int, int, int], str] = {
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 9): "network administratively prohibited",
    (4, 3, 10): "host administratively prohibited",
    (4, 3, 13): "administratively prohibited",
    (4, 5, 0): "redirect for the network",
    (4, 5, 1): "redirect for the host",
    (4, 11, 0): "TTL exceeded",
    (4, 11, 1): "fragment reassembly time exceeded",
    (6, 1, 0): "no route to destination",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 1, 5): "source address failed policy",
    (6, 1, 6): "reject route",
    (6, 2, 0): "packet too big",
    (6, 3, 0): "hop limit exceeded",
    (6, 3, 1): "fragment reassembly time exceeded",
}

ERROR_TYPES = {4: (3, 5, 11, 12), 6: (1, 2, 3, 4)}
"""The message types that quote the packet they are about, by IP version."""

_REDIRECT = (4, 5)


class IcmpError(Struct, frozen=True, kw_only=True):
    """An ICMP (`version` 4) or ICMPv6 (6) message about another packet.

    `about_reply` says that the packet it quotes is the answer of a probe, not the probe itself.
    """

    version: int
    type: int
    code: int
    about_reply: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the packet that it quotes went no further: not so after a redirect."""
        return (self.version, self.type) != _REDIRECT

    def __str__(self) -> str:
        protocol = "ICMP" if self.version == 4 else "ICMPv6"
        name = _NAMES.get((self.version, self.type, self.code), "")
        return f"{protocol} {self.type}/{self.code} {name}".rstrip()
