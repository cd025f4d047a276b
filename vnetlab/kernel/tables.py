"""EFFECT: all that decides a packet's way in a lab: a State, and what changes by itself.

A namespace takes some eight dumps and thirty small files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Interface

from msgspec import Struct, field

from vnetlab.kernel import sysctls
from vnetlab.kernel.class_tables import RTM_GETTCLASS, class_request, read_classes
from vnetlab.kernel.fib_tables import LOCAL_TABLE, RTM_GETROUTE, read_routes, route_request
from vnetlab.kernel.link_tables import RTM_GETLINK, LinkRow, link_request, read_link
from vnetlab.kernel.listeners import read_listeners
from vnetlab.kernel.neighbour_tables import (
    RTM_GETADDR,
    RTM_GETNEIGH,
    address_request,
    neighbour_request,
    read_ipv6_addresses,
    read_learned,
    read_neighbours,
    read_proxied,
)
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed
from vnetlab.state.filters import CLSACT_HANDLE, HOOKS, INGRESS, Filter
from vnetlab.state.objects import Kind, LinkId, Qdisc, State
from vnetlab.state.switching import PortState
from vnetlab.state.tables import (
    Carrier,
    FibRoute,
    LearnedEntry,
    Listener,
    NeighbourEntry,
    QueueClass,
    Tables,
)

_OF_ALL_LINKS = {
    "net/ipv4/conf/all": (
        *("accept_local", "arp_announce", "arp_filter", "arp_ignore", "bc_forwarding"),
        *("drop_gratuitous_arp", "drop_unicast_in_l2_multicast", "forwarding"),
        *("ignore_routes_with_linkdown", "proxy_arp", "route_localnet", "rp_filter"),
        *("accept_source_route", "src_valid_mark"),
    ),
    "net/ipv6/conf/all": ("accept_source_route", "disable_ipv6", "forwarding", "proxy_ndp"),
}
SETTINGS_OF_NAMESPACE = (
    *(f"{family}/{name}" for family, names in _OF_ALL_LINKS.items() for name in names),
    "net/ipv4/fib_multipath_hash_policy",
    "net/ipv4/icmp_echo_ignore_all",
    "net/ipv4/icmp_echo_ignore_broadcasts",
    "net/ipv4/ip_default_ttl",
    "net/ipv4/ip_forward",
    "net/ipv4/ip_forward_use_pmtu",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/raw_l3mdev_accept",
    "net/ipv4/tcp_l3mdev_accept",
    "net/ipv4/udp_l3mdev_accept",
    "net/ipv6/bindv6only",
    "net/ipv6/icmp/echo_ignore_all",
    "net/bridge/bridge-nf-call-arptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-iptables",
)
"""The settings of a namespace that decide a packet's way, beside those of single links."""

_PARENTS: dict[str, dict[int, int]] = {
    "clsact": {hook: hook for hook in HOOKS},
    "ingress": {CLSACT_HANDLE: INGRESS},
    **{kind: {} for kind in ("tbf", "netem", "pfifo", "bfifo")},
}
"""What filters of a qdisc are asked for, and the parent that they then have; else its handle."""

_Address = tuple[LinkId, IPv4Address | IPv6Address]


class _Reading(Struct, frozen=True):
    """What was read so far, by the names of a `Tables`."""

    carriers: dict[LinkId, Carrier] = field(default_factory=dict)
    port_states: dict[LinkId, PortState] = field(default_factory=dict)
    learned: list[LearnedEntry] = field(default_factory=list)
    neighbours: list[NeighbourEntry] = field(default_factory=list)
    active_slaves: dict[LinkId, frozenset[str]] = field(default_factory=dict)
    sysctls: dict[tuple[str, str], str] = field(default_factory=dict)
    link_locals: list[tuple[LinkId, IPv6Interface]] = field(default_factory=list)
    tentative: set[_Address] = field(default_factory=set)
    duplicates: set[_Address] = field(default_factory=set)
    listeners: list[Listener] = field(default_factory=list)
    fib: list[FibRoute] = field(default_factory=list)
    proxied: set[_Address] = field(default_factory=set)
    xdp: set[LinkId] = field(default_factory=set)
    filters: list[Filter] = field(default_factory=list)
    classes: list[QueueClass] = field(default_factory=list)
    noarp: set[LinkId] = field(default_factory=set)
    indexes: dict[LinkId, int] = field(default_factory=dict)


def read_tables(
    nodes: Nodes,
    observed: Observed,
    *,
    suspects: Collection[tuple[type, Hashable]] = (),
) -> Tables:
    """Read what the namespaces of `observed` hold beside it.

    Raises KernelRefusedError if the kernel refuses a dump.
    """
    state = observed.state
    filtering = _by_namespace(link.id for link in state.links if link.vlan_filtering)
    forwarding = {link.netns for link in state.links if link.kind in (Kind.BRIDGE, Kind.VXLAN)}
    qdiscs: dict[str, list[Qdisc]] = defaultdict(list)
    for item in state.qdiscs:
        qdiscs[item.netns].append(item)
    known = {setting.id: setting.value for setting in state.sysctls}
    reading = _Reading()
    for netns in sorted(item.name for item in state.namespaces):
        channel = nodes.channel(netns)
        names = _read_links(reading, netns, channel)
        if netns in forwarding:
            _read_bridges(reading, netns, channel, names, filtering[netns])
        _read_ip(reading, netns, channel, names)
        for qdisc in qdiscs[netns]:
            _read_queues(reading, qdisc, channel, names)
        with nodes.enter(netns), sysctls.Settings() as settings:
            reading.listeners.extend(read_listeners(netns, names))
            for key in SETTINGS_OF_NAMESPACE:
                value = known.get((netns, key)) or settings.read(key)
                if value is not None:
                    reading.sysctls[netns, key] = value
    return _tables(state, reading, suspects)


def _tables(state: State, reading: _Reading, suspects: Collection[tuple[type, Hashable]]) -> Tables:
    return Tables(
        state=state,
        carriers=reading.carriers,
        port_states=reading.port_states,
        learned=tuple(reading.learned),
        neighbours=tuple(reading.neighbours),
        active_slaves=reading.active_slaves,
        sysctls=reading.sysctls,
        link_locals=tuple(reading.link_locals),
        tentative=frozenset(reading.tentative),
        duplicates=frozenset(reading.duplicates),
        local_routes=_local_routes(reading.fib),
        listeners=tuple(reading.listeners),
        fib=tuple(reading.fib),
        proxied=frozenset(reading.proxied),
        xdp=frozenset(reading.xdp),
        filters=tuple(reading.filters),
        classes=tuple(reading.classes),
        noarp=frozenset(reading.noarp),
        indexes=reading.indexes,
        suspects=frozenset(suspects),
    )


def _by_namespace(links: Iterator[LinkId]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for link in links:
        found[link.netns].add(link.name)
    return found


def _read_links(reading: _Reading, netns: str, channel: Channel) -> dict[int, str]:
    """The links; return their names by index."""
    rows = [read_link(body) for body in channel.dump_bodies(RTM_GETLINK, link_request())]
    for row in rows:
        link = LinkId(netns=netns, name=row.name)
        reading.carriers[link] = row.carrier
        reading.indexes[link] = row.index
        if row.state is not None:
            reading.port_states[link] = row.state
        if row.kind == "bond":
            reading.active_slaves[link] = frozenset(_slaves_in_use(row, rows))
        if row.has_xdp:
            reading.xdp.add(link)
        if row.noarp:
            reading.noarp.add(link)
        for key, value in row.settings.items():
            reading.sysctls[netns, f"net/{key}"] = value
    return {row.index: row.name for row in rows}


def _slaves_in_use(bond: LinkRow, rows: list[LinkRow]) -> Iterator[str]:
    for row in rows:
        in_use = row.sends if bond.active is None else row.index in bond.active
        if row.master == bond.index and in_use:
            yield row.name


def _read_bridges(
    reading: _Reading, netns: str, channel: Channel, names: dict[int, str], filtering: set[str]
) -> None:
    bodies = channel.dump_bodies(RTM_GETNEIGH, neighbour_request(bridges=True))
    reading.learned.extend(read_learned(netns, bodies, names, filtering=filtering))


def _read_ip(reading: _Reading, netns: str, channel: Channel, names: dict[int, str]) -> None:
    neighbours = channel.dump_bodies(RTM_GETNEIGH, neighbour_request())
    reading.neighbours.extend(read_neighbours(netns, neighbours, names))
    proxied = channel.dump_bodies(RTM_GETNEIGH, neighbour_request(proxied=True))
    for name, address in read_proxied(proxied, names):
        reading.proxied.add((LinkId(netns=netns, name=name), address))
    for item in read_ipv6_addresses(channel.dump_bodies(RTM_GETADDR, address_request()), names):
        link = LinkId(netns=netns, name=item.link)
        if item.interface.is_link_local:
            reading.link_locals.append((link, item.interface))
        if item.tentative:
            reading.tentative.add((link, item.interface.ip))
        if item.duplicate:
            reading.duplicates.add((link, item.interface.ip))
    routes = channel.dump_bodies(RTM_GETROUTE, route_request())
    reading.fib.extend(read_routes(netns, routes, names))


def _read_queues(reading: _Reading, qdisc: Qdisc, channel: Channel, names: dict[int, str]) -> None:
    """The filters and classes of a qdisc that has some."""
    index = reading.indexes.get(LinkId(netns=qdisc.netns, name=qdisc.link))
    if index is None:  # it went away since it was observed
        return
    from vnetlab.kernel.filter_messages import get_filters, read_each_filter

    for asked, parent in _PARENTS.get(qdisc.kind, {qdisc.handle: qdisc.handle}).items():
        replies = channel.dump(get_filters(index, asked))
        reading.filters.extend(read_each_filter(qdisc.netns, parent, replies, names))
    bodies = channel.dump_bodies(RTM_GETTCLASS, class_request(index))
    of_link = read_classes(qdisc.netns, bodies, names)
    reading.classes.extend(it for it in of_link if it.handle >> 16 == qdisc.handle >> 16)


def _local_routes(fib: list[FibRoute]) -> dict[str, frozenset[IPv4Address | IPv6Address]]:
    found: dict[str, set[IPv4Address | IPv6Address]] = defaultdict(set)
    for route in fib:
        is_local = route.table == LOCAL_TABLE and route.kind == "local"
        if is_local and route.destination.num_addresses == 1:
            found[route.netns].add(route.destination.network_address)
    return {netns: frozenset(addresses) for netns, addresses in found.items()}
