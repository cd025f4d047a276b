"""All that decides a packet's way at one moment: a State, and what the kernel learned (pure).

A `State` holds what somebody configured; a lab is compared by it. What comes and goes by itself,
such as forwarding entries that a bridge learned or the state of a neighbour, is here.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from msgspec import Struct, field

from vnetlab.state.filters import Filter
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


class LearnedEntry(Struct, frozen=True, kw_only=True):
    """A forwarding entry that a bridge learned, or that leads to the bridge itself (`local`).

    `link` is the port, or the bridge; `vlan` None on a bridge that does not filter. A `local` entry
    is one of a port's own MAC, or what somebody made `permanent`: bridge(8). With `remote` it is
    one that a VXLAN link learned: frames to `mac` go to that VTEP.
    """

    netns: str
    link: str
    mac: str
    vlan: int | None = None
    local: bool = False
    remote: IPv4Address | IPv6Address | None = None


class NeighbourEntry(Struct, frozen=True, kw_only=True):
    """An entry of the ARP or neighbour discovery cache; `mac` is empty while it is not known."""

    netns: str
    link: str
    address: IPv4Address | IPv6Address
    mac: str
    state: NeighbourState


class Listener(Struct, frozen=True, kw_only=True):
    """A socket that waits for packets; `address` is None where it takes those for any address.

    `protocol` is `tcp` or `udp`. One that is connected to a single peer is none. `both_versions`:
    a socket of IPv6 that takes IPv4, too (no IPV6_V6ONLY: ipv6(7)). `link` is the one that it is
    bound to, a VRF for example (SO_BINDTODEVICE: socket(7)).
    """

    netns: str
    protocol: str
    port: int
    address: IPv4Address | IPv6Address | None
    version: int
    both_versions: bool = False
    link: str | None = None


class NextHop(Struct, frozen=True, kw_only=True):
    """One way of a route: RTA_GATEWAY, RTA_OIF or a part of RTA_MULTIPATH of rtnetlink(7).

    `via` may be of another IP version than the route. `dead`: the link is down; `link_down`: it has
    no carrier; `onlink`: `via` counts as a neighbour though no route leads to it.
    """

    link: str | None
    via: IPv4Address | IPv6Address | None = None
    weight: int = 1
    dead: bool = False
    link_down: bool = False
    onlink: bool = False


class FibRoute(Struct, frozen=True, kw_only=True):
    """A route as the kernel has it, of any table, whoever made it: `ip route show table all`.

    `kind` is in the words of ip-route(8): unicast, local, broadcast, blackhole... `metric` is the
    kernel's own. `source` is the address that packets get which have none (RTA_PREFSRC), `of` the
    sources that an IPv6 route is for, `mtu` in bytes where the route is given one.
    """

    netns: str
    table: int
    destination: IPv4Network | IPv6Network
    kind: str
    metric: int
    hops: tuple[NextHop, ...] = ()
    tos: int = 0
    scope: int = 0
    protocol: int = 0
    source: IPv4Address | IPv6Address | None = None
    of: IPv6Network | None = None
    mtu: int | None = None


class QueueClass(Struct, frozen=True, kw_only=True):
    """A class of a classful qdisc (htb, prio, drr, hfsc): tc(8).

    `handle` and `parent` as in tc; `leaf` is the handle of the qdisc in it, 0 for none that
    somebody set. `options` as those of a `Qdisc`: htb has `burst_ns`, `ceil_bit_s`,
    `ceil_burst_ns`, `priority`, `quantum_bytes` and `rate_bit_s`; another kind none.
    """

    netns: str
    link: str
    handle: int
    parent: int
    kind: str
    leaf: int = 0
    options: tuple[tuple[str, int], ...] = ()


class Tables(Struct, frozen=True, kw_only=True):
    """The kernel's tables of a lab.

    `carriers`: those of all links. `port_states`: what a spanning tree has made of each bridge
    port, or somebody who set it. `active_slaves`: of each bond those that it sends by now;
    `sending_slaves` those of them that packets of a probe were seen to leave by, for each kind of
    packet: a hash decides among them.
    `sysctls` by namespace and path below /proc/sys; a link without a setting of IPv6 has no IPv6.
    `link_locals`: the IPv6 link-local
    addresses, which no State holds; `duplicates` addresses that duplicate address detection refuses
    or has not ended for (`tentative`). `xdp`: links with an XDP program; `noarp`: those that
    neither ask nor answer for neighbours (IFF_NOARP). `local_routes` are the addresses that a
    namespace takes as its own by its local table, by namespace; `fib` all routes of all tables,
    those too. `proxied`: what a link answers for, for others (`ip neigh add proxy`).

    `filters`: all of every link, each with its own handle, in the order in which the kernel asks
    those of one parent: a hook of clsact, or a classful qdisc, which chooses a class by them.
    `classes` are those of classful qdiscs.

    `indexes`: the number of each link (IFLA_IFINDEX): rules of nftables name links by it.

    `suspects`: type and id of State objects that are not as they are meant to be, if that is known:
    of two explanations, one by a suspect is the better.
    """

    state: State
    carriers: Mapping[LinkId, Carrier] = field(default_factory=dict)
    port_states: Mapping[LinkId, PortState] = field(default_factory=dict)
    learned: tuple[LearnedEntry, ...] = ()
    neighbours: tuple[NeighbourEntry, ...] = ()
    active_slaves: Mapping[LinkId, frozenset[str]] = field(default_factory=dict)
    sending_slaves: Mapping[tuple[LinkId, str], frozenset[str]] = field(default_factory=dict)
    sysctls: Mapping[tuple[str, str], str] = field(default_factory=dict)
    link_locals: tuple[tuple[LinkId, IPv6Interface], ...] = ()
    tentative: frozenset[tuple[LinkId, IPv4Address | IPv6Address]] = frozenset()
    duplicates: frozenset[tuple[LinkId, IPv4Address | IPv6Address]] = frozenset()
    local_routes: Mapping[str, frozenset[IPv4Address | IPv6Address]] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    fib: tuple[FibRoute, ...] = ()
    proxied: frozenset[tuple[LinkId, IPv4Address | IPv6Address]] = frozenset()
    filters: tuple[Filter, ...] = ()
    classes: tuple[QueueClass, ...] = ()
    xdp: frozenset[LinkId] = frozenset()
    noarp: frozenset[LinkId] = frozenset()
    indexes: Mapping[LinkId, int] = field(default_factory=dict)
    suspects: frozenset[tuple[type, Hashable]] = frozenset()

    def sysctl(self, netns: str, key: str, default: str = "0") -> str:
        """The value of a setting, `default` where the kernel has none or it was not read."""
        return self.sysctls.get((netns, key), default)
