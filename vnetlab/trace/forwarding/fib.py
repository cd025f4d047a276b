"""The routing tables of every namespace, indexed by what a lookup asks for (pure).

How it works
------------
A State holds what somebody configured. The kernel's tables have more in them: the route to its
prefix that comes with an address, the addresses that are the namespace's own (the table `local`,
or that of the VRF which holds the link), and the rule `l3mdev` that comes with the first VRF. A
route over a link that is down is none: the kernel takes it away, or passes over it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network

from vnetlab.state.objects import MAIN_TABLE, Address, Link, LinkId, Route, RouteKind
from vnetlab.state.routing import PolicyRule
from vnetlab.state.tables import Carrier, Tables
from vnetlab.trace.request import IpAddress

LOCAL_TABLE = 255
LOOPBACK = "lo"
L3MDEV = "l3mdev"
_L3MDEV_PRIORITY = 1000
_ADDRESS_METRICS = {4: 0, 6: 256}
_ROUTE_METRICS = {4: 0, 6: 1024}
_EVERYWHERE = 0
_TABLE_NAMES = {LOCAL_TABLE: "local", MAIN_TABLE: "main", 253: "default"}

Network = IPv4Network | IPv6Network


class Fate(Enum):
    """What a lookup says of a packet: rtm_type of rtnetlink(7), or that there is no route."""

    LOCAL = "local"
    UNICAST = "unicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    NONE = "no route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a routing table, and the State object that it comes from, if one.

    `link` is where it leads, None for what leads nowhere and for several next hops at once.
    """

    destination: Network
    fate: Fate
    table: int
    metric: int
    link: LinkId | None
    via: IpAddress | None
    item: Route | Address | None
    preferred_source: IpAddress | None = None

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
        if isinstance(self.item, Route) and self.item.metric:
            words += [f"metric {self.item.metric}"]
        if self.table not in (MAIN_TABLE, LOCAL_TABLE):
            words += [f"table {self.table}"]
        return " ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fib:
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


def index_fib(tables: Tables, *, with_dead: bool = False) -> Fib:
    """Index the routing of `tables`; `with_dead` counts routes over links that are down."""
    links = {link.id: link for link in tables.state.links}
    vrfs = dict(_vrfs(links))
    addresses: defaultdict[str, list[Address]] = defaultdict(list)
    for address in sorted(tables.state.addresses, key=lambda it: (it.link, str(it.interface))):
        addresses[address.netns].append(address)
    for link_id, interface in tables.link_locals:
        it = Address(netns=link_id.netns, link=link_id.name, interface=interface)
        addresses[link_id.netns].append(it)
    fib = Fib(
        entries={},
        rules=_rules(tables, links),
        links=links,
        vrfs=vrfs,
        addresses={netns: tuple(held) for netns, held in addresses.items()},
    )
    groups: defaultdict[tuple[str, int, int], list[Entry]] = defaultdict(list)
    for netns, entry in _entries(tables, fib, with_dead=with_dead):
        groups[netns, entry.table, entry.destination.version].append(entry)
    entries = {key: tuple(sorted(rows, key=_order)) for key, rows in groups.items()}
    return Fib(entries=entries, rules=fib.rules, links=links, vrfs=vrfs, addresses=fib.addresses)


def table_name(table: int) -> str:
    """As ip-rule(8) shows it."""
    return _TABLE_NAMES.get(table, str(table))


def _order(entry: Entry) -> tuple[object, ...]:
    local = entry.fate is not Fate.LOCAL
    return (-entry.destination.prefixlen, local, entry.metric, str(entry.link), str(entry.via))


def _vrfs(links: Mapping[LinkId, Link]) -> Iterator[tuple[LinkId, Link]]:
    for link in links.values():
        if link.table is not None:
            yield link.id, link
        master = links.get(LinkId(netns=link.netns, name=link.master or ""))
        if master is not None and master.table is not None:
            yield link.id, master


def _rules(
    tables: Tables, links: Mapping[LinkId, Link]
) -> dict[tuple[str, int], tuple[PolicyRule, ...]]:
    with_vrf = {link.netns for link in links.values() if link.table is not None}
    rules = [
        *tables.state.policy_rules,
        *(
            PolicyRule(netns=netns, version=version, priority=_L3MDEV_PRIORITY, action=L3MDEV)
            for netns in with_vrf
            for version in (4, 6)
        ),
    ]
    groups: defaultdict[tuple[str, int], list[PolicyRule]] = defaultdict(list)
    for rule in sorted(rules, key=lambda rule: (rule.priority, str(rule.id))):
        groups[rule.netns, rule.version].append(rule)
    return {key: tuple(found) for key, found in groups.items()}


def _entries(tables: Tables, fib: Fib, *, with_dead: bool) -> Iterator[tuple[str, Entry]]:
    for netns, held in fib.addresses.items():
        for address in held:
            link = LinkId(netns=netns, name=address.link)
            yield from ((netns, it) for it in _own(tables, fib, link, address, with_dead))
            if with_dead or is_live(tables, fib, link, address.interface.version):
                yield from ((netns, it) for it in _connected(fib, link, address))
    for netns, own in tables.local_routes.items():
        by_ip = {it.interface.ip: it for it in fib.addresses.get(netns, ())}
        for ip in own:
            link = LinkId(netns=netns, name=by_ip[ip].link if ip in by_ip else LOOPBACK)
            if fib.table_of(link) is None:
                yield netns, _local(ip, LOCAL_TABLE, link, by_ip.get(ip))
    for route in tables.state.routes:
        entry = _static(fib, route)
        dead = entry.link and not is_live(tables, fib, entry.link, entry.destination.version)
        if with_dead or not dead:
            yield route.netns, entry


def _own(
    tables: Tables, fib: Fib, link: LinkId, address: Address, with_dead: bool
) -> Iterator[Entry]:
    """The address itself. IPv4 keeps it while its link is down, IPv6 does not."""
    table = fib.table_of(link) or LOCAL_TABLE
    ip = address.interface.ip
    if table == LOCAL_TABLE and link.netns in tables.local_routes and not with_dead:
        return
    if not with_dead and ip.version == 6:
        unusable = (link, ip) in tables.tentative | tables.duplicates
        if unusable or not is_live(tables, fib, link, ip.version):
            return
    yield _local(ip, table, link, address)


def _local(ip: IpAddress, table: int, link: LinkId, item: Address | None) -> Entry:
    return Entry(
        destination=ip_network(ip),
        fate=Fate.LOCAL,
        table=table,
        metric=0,
        link=link,
        via=None,
        item=item,
        preferred_source=ip,
    )


def _connected(fib: Fib, link: LinkId, address: Address) -> Iterator[Entry]:
    network = address.interface.network
    if address.prefix_route and network.num_addresses > 1:
        yield Entry(
            destination=network,
            fate=Fate.UNICAST,
            table=fib.table_of(link) or MAIN_TABLE,
            metric=_ADDRESS_METRICS[network.version],
            link=link,
            via=None,
            item=address,
            preferred_source=address.interface.ip if network.version == 4 else None,
        )


def _static(fib: Fib, route: Route) -> Entry:
    version = route.destination.version
    return Entry(
        destination=route.destination,
        fate=Fate[route.kind.name],
        table=route.table,
        metric=route.metric or _ROUTE_METRICS[version],
        link=_link_of(fib, route),
        via=route.via,
        item=route,
    )


def _link_of(fib: Fib, route: Route) -> LinkId | None:
    """A route's link: a file may leave it to the network that the gateway is in."""
    if route.link is not None:
        return LinkId(netns=route.netns, name=route.link)
    if route.kind is not RouteKind.UNICAST or route.via is None:
        return None
    for address in fib.addresses.get(route.netns, ()):
        link = LinkId(netns=route.netns, name=address.link)
        same_table = (fib.table_of(link) or MAIN_TABLE) == route.table
        if same_table and route.via in address.interface.network:
            return link
    return None


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
