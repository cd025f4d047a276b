"""The rows of the routing tables: as the kernel has them, or as a State makes them (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from vnetlab.state.objects import MAIN_TABLE, Address, LinkId, Route, RouteKind
from vnetlab.state.tables import FibRoute, NextHop, Tables
from vnetlab.trace.forwarding.fib import (
    LOCAL_TABLE,
    LOOPBACK,
    ROUTE_METRICS,
    Entry,
    Fate,
    Fib,
    is_live,
)
from vnetlab.trace.request import IpAddress

_ADDRESS_METRICS = {4: 0, 6: 256}
_BY_KERNEL = 2  # RTPROT_KERNEL
_FATES = {fate.value: fate for fate in Fate}


def read_entries(tables: Tables, fib: Fib) -> Iterator[tuple[str, Entry]]:
    """Each namespace's routes as the kernel has them. Broadcasts are none that the model knows."""
    configured = _configured(tables)
    for route in tables.fib:
        fate = _FATES.get(route.kind)
        if fate is None:
            continue
        for hop in route.hops or (NextHop(link=None),):
            link = LinkId(netns=route.netns, name=hop.link) if hop.link else None
            if fate is Fate.UNICAST and (hop.dead or not _counts(tables, fib, link, route)):
                continue
            yield (
                route.netns,
                Entry(
                    destination=route.destination,
                    fate=fate,
                    table=route.table,
                    metric=route.metric,
                    link=link,
                    via=hop.via,
                    item=_item(fib, configured, route, hop),
                    preferred_source=route.source,
                    sources=route.of,
                    mtu=route.mtu,
                ),
            )


def _counts(tables: Tables, fib: Fib, link: LinkId | None, route: FibRoute) -> bool:
    """The kernel took those of links that are down away, all but what is plugged in nowhere."""
    return link is None or is_live(tables, fib, link, route.destination.version)


_Configured = dict[tuple[object, ...], Route]


def _configured(tables: Tables) -> _Configured:
    return {
        (it.netns, it.table, it.destination, it.metric, it.kind.name.lower(), it.via, it.link): it
        for it in tables.state.routes
    }


def _item(
    fib: Fib, configured: _Configured, route: FibRoute, hop: NextHop
) -> Route | Address | None:
    """The object that a route comes from: the State's route, or the address that brought it."""
    if route.protocol == _BY_KERNEL:
        for address in fib.addresses.get(route.netns, ()):
            brought = (
                address.interface.ip == route.destination.network_address
                if route.kind == Fate.LOCAL.value
                else address.interface.network == route.destination and address.link == hop.link
            )
            if brought:
                return address
        return None
    unicast = route.kind == Fate.UNICAST.value
    default = route.metric == ROUTE_METRICS[route.destination.version]
    for metric in (route.metric, 0) if default else (route.metric,):
        for via, link in ((hop.via, hop.link), (None, None)):
            where = (via, link) if unicast else (None, None)
            key = (route.netns, route.table, route.destination, metric, route.kind, *where)
            if key in configured:
                return configured[key]
    return None


def made_entries(
    tables: Tables, fib: Fib, *, with_dead: bool = False
) -> Iterator[tuple[str, Entry]]:
    """Each namespace's routes as its addresses and configured routes make them."""
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
        metric=route.metric or ROUTE_METRICS[version],
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
