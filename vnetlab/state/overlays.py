"""What carries networks over others: VXLAN's settings, and static forwarding entries (pure)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from msgspec import Struct

ANY_MAC = "00:00:00:00:00:00"
"""Of a VXLAN link's forwarding entry: what has no other entry, and every flooded frame."""


class Vxlan(Struct, frozen=True, kw_only=True):
    """What a VXLAN link is (RFC 7348): its network identifier, own address and UDP port.

    `learning` says that it learns from the frames that it receives which MAC is behind which VTEP,
    for `ageing_s` seconds. `ttl` is that of its packets, 0 for the kernel's own; `remote` where
    frames go that no forwarding entry is for.
    """

    vni: int
    local: IPv4Address | IPv6Address | None
    port: int
    learning: bool = True
    ageing_s: int = 300
    ttl: int = 0
    remote: IPv4Address | IPv6Address | None = None


class FdbEntry(Struct, frozen=True, kw_only=True):
    """A static forwarding entry: bridge(8), `bridge fdb`. Learned ones are no part of a state.

    With `remote`, the address of another VTEP, it is a VXLAN link's own: frames to `mac` go there,
    with another VNI, UDP port or out of another link (`vni`, `port`, `out`) where they are not
    None. Without, it is that of the bridge which the link is a port of, or is (`vlan` None: for
    frames without a VLAN), or, if `received`, what the link takes besides its own MAC.
    """

    netns: str
    link: str
    mac: str
    vlan: int | None = None
    remote: IPv4Address | IPv6Address | None = None
    vni: int | None = None
    port: int | None = None
    out: str | None = None
    received: bool = False

    @property
    def id(self) -> tuple[object, ...]:
        """All of it: an entry has no settings of its own here."""
        return (
            *(self.netns, self.link, self.mac, self.vlan),
            *(str(self.remote or ""), self.vni, self.port, self.out, self.received),
        )
