"""The routing tables of every namespace, indexed by what a lookup asks for (pure).

How it works
------------
`Tables.fib` has all routes that the kernel has, and then it counts. Otherwise, and for what is only
meant to be, they are made from the State. That holds what somebody configured, and the kernel's
tables have more in them: the route to its
prefix that comes with an address, the addresses that are the namespace's own (the table `local`,
or that of the VRF which holds the link), and the rule `l3mdev` that comes with the first VRF. A
route over a link that is down is none: the kernel takes it away, or passes over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct

from vnetlab.state.objects import MAIN_TABLE, Address, Link, LinkId, Route
from vnetlab.state.routing import PolicyRule
from vnetlab.state.tables import Carrier, Tables
from vnetlab.trace.request import IpAddress

LOCAL_TABLE = 255
LOOPBACK = "lo"
ROUTE_METRICS = {4: 0, 6: 1024}
_EVERYWHERE = 0
_TABLE_NAMES = {LOCAL_TABLE: "local", MAIN_TABLE: "main", 253: "default"}

Network = IPv4Network | IPv6Network


class Fate(Enum):
    """What a lookup says of a packet: rtm_type of rtnetlink(7), or that there is no route."""

    LOCAL = "local"
    UNICAST = "unicast"
    THROW = "throw"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    NONE = "no route"


class Entry(Struct, frozen=True, kw_only=True):
    """One row of a routing table, and the State object that it comes from, if one.

    `link` is where it leads, None for what leads nowhere; of a route with several next hops there
    is an entry for each. `sources` are those that an IPv6 route is for, `mtu` the route's own.
    """

    destination: Network
    fate: Fate
    table: int
    metric: int
    link: LinkId | None
    via: IpAddress | None
    item: Route | Address | None
    preferred_source: IpAddress | None = None
    sources: IPv6Network | None = None
    mtu: int | None = None

    @property
    def row(self) -> str:
        """As `ip route` shows it."""
        default = self.destination.prefixlen == _EVERYWHERE
        single = self.destination.num_addresses == 1
        ip = self.destination.network_address
        words = [] if self.fate is Fate.UNICAST else [self.fate.value]
        words += ["default" if default else str(ip if single else self.destination)]
        words += [f"via {self.via}"] if self.via is not None else []
        words += [f"dev {self.link.name}"] if self.link is not None else []
        if self.metric and isinstance(self.item, Route | None) and self.fate is not Fate.LOCAL:
            words += [f"metric {self.metric}"] if self.metric != ROUTE_METRICS[6] else []
        if self.table not in (MAIN_TABLE, LOCAL_TABLE):
            words += [f"table {self.table}"]
        return " ".join(words)


class Fib(Struct, frozen=True, kw_only=True):
    """The routing of all namespaces.

    `entries` by namespace, table and IP version, those that win first; `rules` by namespace and
    version, in the order that the kernel asks them; `vrfs` the VRF of a link that is in one;
    `addresses` by namespace.
    """

    entries: Mapping[tuple[str, int, int], tuple[Entry, ...]]
    rules: Mapping[tuple[str, int], tuple[PolicyRule, ...]]
    links: Mapping[LinkId, Link]
    vrfs: Mapping[LinkId, Link]
    addresses: Mapping[str, tuple[Address, ...]]

    def table_of(self, link: LinkId | None) -> int | None:
        """The table of the VRF that `link` is in, or is."""
        vrf = self.vrfs.get(link) if link else None
        return vrf.table if vrf else None

    def device(self, link: LinkId) -> LinkId:
        """The device whose settings hold for what comes in by `link`: its VRF, if it is in one."""
        vrf = self.vrfs.get(link)
        return vrf.id if vrf else link

    def addresses_of(self, link: LinkId) -> tuple[Address, ...]:
        """Those on a link."""
        return tuple(it for it in self.addresses.get(link.netns, ()) if it.link == link.name)


def table_name(table: int) -> str:
    """As ip-rule(8) shows it."""
    return _TABLE_NAMES.get(table, str(table))


def is_live(tables: Tables, fib: Fib, link_id: LinkId, version: int) -> bool:
    """Whether routes over a link count: ignore_routes_with_linkdown of ip-sysctl."""
    if link_id.name == LOOPBACK:
        return True
    link = fib.links.get(link_id)
    if link is None:
        return False
    carrier = tables.carriers.get(link_id, Carrier.UP if link.up else Carrier.DOWN)
    if carrier is Carrier.NO_CARRIER:
        name = "ignore_routes_with_linkdown"
        conf = f"net/ipv{version}/conf"
        return not any(
            tables.sysctl(link_id.netns, f"{conf}/{scope}/{name}") == "1"
            for scope in ("all", link_id.name)
        )
    return carrier is Carrier.UP
