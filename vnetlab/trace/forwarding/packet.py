"""The packet that the model carries through the kernel's tables (pure)."""

from __future__ import annotations

from enum import Enum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.trace.request import FIRST_TTL, IpAddress, ProbeRequest, Protocol

BROADCAST = "ff:ff:ff:ff:ff:ff"


class Payload(Enum):
    """What an Ethernet frame of the model carries."""

    IP = "ip"
    WHO_HAS = "who-has"
    IS_AT = "is-at"


class CtState(Enum):
    """What conntrack says of a packet: nft(8), `ct state`."""

    NEW = "new"
    ESTABLISHED = "established"
    RELATED = "related"
    INVALID = "invalid"
    UNTRACKED = "untracked"


class Packet(Struct, frozen=True, kw_only=True):
    """A frame and the IP packet, ARP or neighbour discovery message in it.

    `vlan` is the 802.1Q tag that the frame bears at this point, None without one. `protocol` is
    the IP protocol's number (1, 6, 17, 58); the ports are None where it has none, `icmp_type` where
    it is no ICMP. `length` is that of the IP packet in bytes, its header included. `target` is the
    address that neighbour resolution is about. `whole`: its sender does not fragment it either
    (IP_PMTUDISC_DO, ip(7)). `mark` is the firewall mark, `state` what conntrack
    says of it.
    """

    source_mac: str
    destination_mac: str
    source: IpAddress
    destination: IpAddress
    payload: Payload = Payload.IP
    vlan: int | None = None
    protocol: int = 1
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: int | None = None
    ttl: int = 64
    length: int = 84
    dont_fragment: bool = False
    whole: bool = False
    dscp: int = 0
    mark: int = 0
    target: IpAddress | None = None
    state: CtState = CtState.NEW

    @property
    def version(self) -> int:
        """The IP version: 4 or 6."""
        return self.destination.version

    @property
    def is_ip(self) -> bool:
        """Whether it is an IP packet, and no part of neighbour resolution."""
        return self.payload is Payload.IP

    @property
    def is_group(self) -> bool:
        """Whether its destination MAC is a broadcast or multicast one."""
        return bool(int(self.destination_mac[:2], 16) & 1)

    def with_tag(self, vlan: int | None) -> Self:
        """The same with another tag, or without one."""
        return replace(self, vlan=vlan)


_PROTOCOLS = {Protocol.ICMP: 1, Protocol.TCP: 6, Protocol.UDP: 17}
_ICMPV6 = 58
_ECHO_REQUEST, _ECHO_REQUEST_V6 = 8, 128
EPHEMERAL_PORT = 40000
"""Stands for the source port that a kernel chooses."""


def first_packet(request: ProbeRequest) -> Packet:
    """Return a probe's packet as the source's IP stack has it: without MAC addresses yet.

    A raw frame has them, and its tag; an ARP request is one.
    """
    ends, frame = request.endpoints, request.raw
    if request.protocol is Protocol.ARP and frame is not None:
        return Packet(
            source_mac=frame.source_mac,
            destination_mac=frame.destination_mac,
            vlan=frame.vlan,
            source=ends.source_address,
            destination=ends.destination_address,
            payload=Payload.WHO_HAS,
            protocol=0,
            length=request.packet_bytes,
            target=ends.destination_address,
        )
    icmp = request.protocol is Protocol.ICMP
    version_6 = ends.version == 6
    return Packet(
        source_mac=frame.source_mac if frame else "",
        destination_mac=frame.destination_mac if frame else "",
        vlan=frame.vlan if frame else None,
        source=ends.source_address,
        destination=ends.destination_address,
        protocol=_ICMPV6 if icmp and version_6 else _PROTOCOLS[request.protocol],
        source_port=None if icmp else EPHEMERAL_PORT,
        destination_port=None if icmp else request.port,
        icmp_type=(_ECHO_REQUEST_V6 if version_6 else _ECHO_REQUEST) if icmp else None,
        ttl=FIRST_TTL if request.ttl is None else request.ttl,
        length=request.packet_bytes,
        dont_fragment=request.dont_fragment is not False,
        whole=request.dont_fragment is True or frame is not None,
        dscp=request.dscp,
    )
