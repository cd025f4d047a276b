"""All that decides a packet's way at one moment: a State, and what the kernel learned (pure).

A `State` holds what somebody configured; a lab is compared by it. What comes and goes by itself,
such as forwarding entries that a bridge learned or the state of a neighbour, is here.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Interface

from vnetlab.state.objects import LinkId, State
from vnetlab.state.switching import PortState


class Carrier(Enum):
    """Whether a link can pass frames, as the kernel sees it (RFC 2863, IFLA_OPERSTATE)."""

    UP = "up"
    DOWN = "down"
    """Administratively down."""
    NO_CARRIER = "no carrier"
    """Up itself, but what it is plugged into is not."""


class NeighbourState(Enum):
    """The state of a neighbour entry: NUD_* of ip-neighbour(8)."""

    INCOMPLETE = "incomplete"
    REACHABLE = "reachable"
    STALE = "stale"
    DELAY = "delay"
    PROBE = "probe"
    FAILED = "failed"
    NOARP = "noarp"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedEntry:
    """A forwarding entry that a bridge learned, or has of its own port (`local`).

    `link` is the port; `vlan` None on a bridge that does not filter. One with a `remote`, the
    address of another VTEP, is a VXLAN link's own.
    """

    netns: str
    link: str
    mac: str
    vlan: int | None = None
    local: bool = False
    remote: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourEntry:
    """An entry of the ARP or neighbour discovery cache; `mac` is empty while it is not known."""

    netns: str
    link: str
    address: IPv4Address | IPv6Address
    mac: str
    state: NeighbourState


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A socket that waits for packets; `address` is None where it takes those for any address.

    `protocol` is `tcp` or `udp`. One that is connected to a single peer is none.
    """

    netns: str
    protocol: str
    port: int
    address: IPv4Address | IPv6Address | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The kernel's tables of a lab.

    `carriers`: those of all links. `port_states`: what a spanning tree has made of each bridge
    port, or somebody who set it; `vlan_states` of a port in one VLAN, where it is not forwarding.
    `active_slaves`: of each bond those that it sends by now. `sysctls` by namespace and path below
    /proc/sys. `link_locals`: the IPv6 link-local addresses, which no State holds; `duplicates`
    addresses that duplicate address detection refuses or has not ended for (`tentative`).
    `xdp`: links with an XDP program. `noarp`: links that resolve no neighbours and answer none
    (IFF_NOARP). `local_routes` are the addresses that a namespace takes as its
    own by its local table, by namespace.

    `indexes`: the number of each link (IFLA_IFINDEX): rules of nftables name links by it.

    `suspects`: type and id of State objects that are not as they are meant to be, if that is known:
    of two explanations, one by a suspect is the better.
    """

    state: State
    carriers: Mapping[LinkId, Carrier] = field(default_factory=dict)
    port_states: Mapping[LinkId, PortState] = field(default_factory=dict)
    vlan_states: Mapping[tuple[LinkId, int], PortState] = field(default_factory=dict)
    learned: tuple[LearnedEntry, ...] = ()
    neighbours: tuple[NeighbourEntry, ...] = ()
    active_slaves: Mapping[LinkId, frozenset[str]] = field(default_factory=dict)
    sysctls: Mapping[tuple[str, str], str] = field(default_factory=dict)
    link_locals: tuple[tuple[LinkId, IPv6Interface], ...] = ()
    tentative: frozenset[tuple[LinkId, IPv4Address | IPv6Address]] = frozenset()
    duplicates: frozenset[tuple[LinkId, IPv4Address | IPv6Address]] = frozenset()
    local_routes: Mapping[str, frozenset[IPv4Address | IPv6Address]] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    xdp: frozenset[LinkId] = frozenset()
    noarp: frozenset[LinkId] = frozenset()
    indexes: Mapping[LinkId, int] = field(default_factory=dict)
    suspects: frozenset[tuple[type, Hashable]] = frozenset()

    def sysctl(self, netns: str, key: str, default: str = "0") -> str:
        """The value of a setting, `default` where the kernel has none or it was not read."""
        return self.sysctls.get((netns, key), default)
