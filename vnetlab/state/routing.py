"""What decides a packet's way beside routes: rules, and neighbours that somebody fixed (pure)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct

L3MDEV = "l3mdev"
"""The action of the rule that sends packets of a VRF to the VRF's table."""


class PolicyRule(Struct, frozen=True, kw_only=True):
    """A rule that chooses the routing table of a packet: ip-rule(8). `version` is 4 or 6.

    None stands for any packet, or, as a table, for none; `action` is `lookup` or the like, or
    L3MDEV. `more` is what else it says, sorted: attributes of fib_rules.h without FRA_, and fields
    of struct fib_rule_hdr.
    """

    netns: str
    version: int
    priority: int
    action: str = "lookup"
    table: int | None = None
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    iif: str | None = None
    oif: str | None = None
    mark: int | None = None
    more: tuple[tuple[str, int | str], ...] = ()

    @property
    def id(self) -> tuple[object, ...]:
        """All of it: a rule has no settings of its own here."""
        return (
            *(self.netns, self.version, self.priority, self.action, self.table),
            *(self.source, self.destination, self.iif, self.oif, self.mark, self.more),
        )


class Neighbour(Struct, frozen=True, kw_only=True):
    """A neighbour whose MAC address somebody fixed: NUD_PERMANENT of ip-neighbour(8).

    One with an empty `mac` is answered for by the link: `proxy`.
    """

    netns: str
    link: str
    address: IPv4Address | IPv6Address
    mac: str

    @property
    def id(self) -> tuple[object, ...]:
        """Link, address, and whether it is answered for."""
        place = (self.netns, self.link, self.address)
        return place if self.mac else (*place, "proxy")
