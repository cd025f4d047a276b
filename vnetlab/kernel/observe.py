"""EFFECT: the kernel's tables of a lab as a State: one dump per kind of object and namespace."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.kernel import sysctls
from vnetlab.kernel.bridge_timers import with_own_times
from vnetlab.kernel.limits import observe_limits
from vnetlab.kernel.link_settings import LinkSettings, comes_with_link
from vnetlab.kernel.meanwhile import Meanwhile
from vnetlab.kernel.messages import (
    IFF_ALLMULTI,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_PROMISC,
    IFF_UP,
    IN6_ADDR_GEN_MODE_NONE,
    Indexes,
    parse_alias,
)
from vnetlab.kernel.neighbour_tables import (
    RTM_GETNEIGH,
    RTM_GETVLAN,
    neighbour_request,
    read_bridge_vlans,
    vlan_request,
)
from vnetlab.kernel.netfilter import has_tables
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe_routing import NamedLinks, read_routing
from vnetlab.kernel.outside import host_ends
from vnetlab.kernel.overlay_messages import read_fdb, read_vxlan
from vnetlab.kernel.rows import LINKS, QDISCS, Row
from vnetlab.kernel.services import observe_services
from vnetlab.kernel.switching_attributes import read_bond, read_bridge
from vnetlab.kernel.switching_observe import add_slave_settings, awaits_carrier, bond_activity
from vnetlab.state.filters import HOOKS, Filter
from vnetlab.state.nftables import NftChain
from vnetlab.state.objects import (
    Address,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Qdisc,
    Role,
    Route,
    State,
    Sysctl,
    collect,
    everything,
)
from vnetlab.state.outside import HOST, HOST_FAMILY, table_of
from vnetlab.state.routing import Neighbour
from vnetlab.state.switching import Activity, BridgeSettings

if TYPE_CHECKING:
    from vnetlab.kernel.nft_apply import ChainId, RuleHandles
    from vnetlab.kernel.nft_observe import Wanted

_LOOPBACK = 1
_MANY_SYSCTLS = 1000
"""From so many on, a fork that reads them takes less time than it saves."""
_KINDS = {kind.value: kind for kind in Kind}
_FALLBACK_TUNNELS = frozenset(
    ("erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0")
)
"""Links that some modules put into every namespace and that cannot be removed: net.core's
fb_tunnels_only_for_init_net (Documentation/admin-guide/sysctl/net.rst)."""


class Observed(Struct, frozen=True, kw_only=True):
    """A lab's State, the ifindex of each link, the handles of the rules of each chain."""

    state: State
    indexes: Indexes
    rule_handles: RuleHandles


def observe(
    nodes: Nodes,
    *,
    sysctl_keys: Iterable[tuple[str, str]] = (),
    outside: bool = False,
    namespaces: Collection[str] | None = None,
    before: Observed | None = None,
) -> Observed:
    """Read everything that the lab's namespaces hold, and `outside` of them what is the lab's.

    `sysctl_keys` are the settings to read, as (namespace, key): there are too many to read all.
    Where some `namespaces` are given, those alone are read. Of the others is taken what was
    observed `before`.
    """
    reading = _Reading()
    names = nodes.lab.nodes()
    if before is not None and namespaces is not None:
        reading.keep(before, frozenset(names) - frozenset(namespaces))
    if namespaces is not None:
        names = tuple(name for name in names if name in namespaces)
    present = {*names, HOST} if outside else {*names}
    keys = sorted(key for key in sysctl_keys if key[0] in present)
    from_files = [key for key in keys if not comes_with_link(key[1])]
    with Meanwhile(
        partial(_read_sysctls, nodes, from_files), forked=len(from_files) > _MANY_SYSCTLS
    ) as sysctls_read:
        for name in names:
            reading.read(name, nodes.channel(name))
            reading.read_nftables(name, nodes.netfilter(name))
        if outside:
            reading.read_outside(nodes)
        values = dict(zip(from_files, sysctls_read.result(), strict=True))
    return reading.result(
        _sysctls(nodes, keys, values, reading.settings),
        observe_services(nodes.lab, names),
        observe_limits(nodes.lab, names),
    )


def observe_host(nodes: Nodes, *, sysctl_keys: Iterable[tuple[str, str]]) -> Observed:
    """Read what the lab has outside of its namespaces, and nothing else."""
    reading = _Reading()
    reading.read_outside(nodes)
    keys = sorted(key for key in sysctl_keys if key[0] == HOST)
    return reading.result(_sysctls(nodes, keys, {}, reading.settings))


class _Reading:
    """What was read so far. Which end a veth's peer is, is known when all links are."""

    def __init__(self) -> None:
        self.objects: list[Object] = []
        self.indexes: dict[LinkId, int] = {}
        self.rule_handles: dict[ChainId, tuple[int, ...]] = {}
        self.settings = LinkSettings()
        self._links: list[Link] = []
        self._lower: dict[LinkId, int] = {}  # IFLA_LINK: a veth's peer, a sub-interface's parent

    def keep(self, observed: Observed, namespaces: Collection[str]) -> None:
        """Take over what some namespaces have held."""
        for item in everything(observed.state):
            if item.netns not in namespaces:
                continue
            if isinstance(item, Link):
                self._links.append(item)
            else:
                self.objects.append(item)
        for link in self._links:
            self.indexes[link.id] = observed.indexes[link.id]
            self._lower[link.id] = observed.indexes.get(link.peer, 0) if link.peer else 0
        for chain, handles in observed.rule_handles.items():
            if chain[0] in namespaces:
                self.rule_handles[chain] = handles

    def read(self, netns: str, channel: Channel) -> None:
        messages = channel.dump_rows(LINKS)
        names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
        slaves: list[tuple[Link, Row]] = []
        filtering = False
        role = None
        macs = {message.get_attr("IFLA_ADDRESS") for message in messages}
        for message in messages:
            if message["index"] == _LOOPBACK:
                self.objects.append(node := _namespace(netns, message))
                role = node.role
                continue
            self.settings.add(netns, message)
            link = _link(netns, message, names)
            if link.kind is None and link.name in _FALLBACK_TUNNELS:
                continue
            link = replace(link, bridge=with_own_times(link.bridge, link.name, channel))
            filtering |= link.vlan_filtering
            slaves.append((link, message))
            self.indexes[link.id] = message["index"]
            self._lower[link.id] = message.get_attr("IFLA_LINK") or 0
        stp = {link.name for link, *_ in slaves if link.bridge.stp}
        self._links += (add_slave_settings(*slave, stp=stp) for slave in slaves)
        if filtering:
            bridges = {link.name for link, *_ in slaves if link.kind is Kind.BRIDGE}
            vlans = channel.dump_bodies(RTM_GETVLAN, vlan_request())
            self.objects += read_bridge_vlans(netns, vlans, names, bridges)
        fdb = channel.dump_bodies(RTM_GETNEIGH, neighbour_request(bridges=True))
        entries = read_fdb(netns, fdb, names, own=macs)
        # A bridge that does not filter has an entry for each VLAN beside the one that counts.
        self.objects += [entry for entry in entries if filtering or entry.vlan is None]
        found = NamedLinks(
            names=names,
            up=frozenset(names[m["index"]] for m in messages if m["flags"] & IFF_UP),
            with_vrf=any(link.kind is Kind.VRF for link, *_ in slaves),
            answers=role is Role.ROUTER,
        )
        self.objects += read_routing(netns, channel, found)
        self._read_qdiscs(netns, channel, names)

    def _read_qdiscs(self, netns: str, channel: Channel, names: dict[int, str]) -> None:
        """Those of the links with `names`, and the filters at their hooks."""
        qdiscs = list(_qdiscs(netns, channel, names))
        self.objects += qdiscs
        for hooked in (qdisc.link for qdisc in qdiscs if qdisc.kind == "clsact"):
            self.objects += _filters(LinkId(netns=netns, name=hooked), channel, names, self.indexes)

    def read_nftables(
        self, netns: str, channel: Channel | None, wanted: Wanted | None = None
    ) -> None:
        if channel is None or not has_tables(channel):
            return
        from vnetlab.kernel.nft_observe import every_table, read_nftables

        for item, handles in read_nftables(netns, channel, wanted or every_table):
            self.objects.append(item)
            if isinstance(item, NftChain):
                self.rule_handles[item.id] = handles

    def read_outside(self, nodes: Nodes) -> None:
        """Of the host the ends of the lab's links, what is on them, and the lab's table."""
        channel = nodes.channel(HOST)
        messages = channel.dump_rows(LINKS)
        names = {message["index"]: message.get_attr("IFLA_IFNAME") for message in messages}
        own = host_ends(nodes.lab, messages)
        for message in messages:
            if message["index"] in own:
                link = _link(HOST, message, names)
                self._links.append(link)
                self.indexes[link.id] = message["index"]
                self._lower[link.id] = message.get_attr("IFLA_LINK") or 0
        up = frozenset(names[m["index"]] for m in messages if m["flags"] & IFF_UP)
        ends = {names[index] for index in own}
        for item in read_routing(HOST, channel, NamedLinks(names=names, up=up)):
            if isinstance(item, Address | Route | Neighbour) and item.link in ends:
                self.objects.append(item)
        fdb = channel.dump_bodies(RTM_GETNEIGH, neighbour_request(bridges=True))
        macs = {message.get_attr("IFLA_ADDRESS") for message in messages}
        self.objects += (it for it in read_fdb(HOST, fdb, names, own=macs) if it.link in ends)
        self._read_qdiscs(HOST, channel, {index: names[index] for index in own})
        table = (HOST_FAMILY, table_of(nodes.lab.name))
        self.read_nftables(HOST, nodes.netfilter(HOST), lambda *found: found == table)

    def result(self, *more: Iterable[Object]) -> Observed:
        """All that was read, and what was read otherwise."""
        objects = [*self.objects, *self._with_peers(), *(it for some in more for it in some)]
        return Observed(
            state=collect(objects), indexes=self.indexes, rule_handles=self.rule_handles
        )

    def _with_peers(self) -> Iterator[Link]:
        """The links, each veth with its peer: the end that has it as its peer in turn."""
        ends = {
            (self.indexes[link.id], self._lower[link.id]): link.id
            for link in self._links
            if link.kind is Kind.VETH
        }
        for link in self._links:
            if link.kind is Kind.VETH:
                facing = (self._lower[link.id], self.indexes[link.id])
                yield replace(link, peer=ends.get(facing))
            else:
                yield link


def _namespace(netns: str, loopback: Row) -> Namespace:
    role, _ = parse_alias(loopback.get_attr("IFLA_IFALIAS"))
    return Namespace(
        name=netns,
        role=role,
        lo_up=bool(loopback["flags"] & IFF_UP),
        lo_mtu=loopback.get_attr("IFLA_MTU"),
    )


def _odd_flags(flags: int, kind: Kind | None) -> Iterator[str]:
    """A VRF has none of them, and asks for no neighbours, by itself."""
    if flags & IFF_NOARP and kind is not Kind.VRF:
        yield "arp off"
    if flags & IFF_PROMISC:
        yield "promisc on"
    if flags & IFF_ALLMULTI:
        yield "allmulticast on"
    if not flags & IFF_MULTICAST and kind is not Kind.VRF:
        yield "multicast off"


def _link(netns: str, message: Row, names: dict[int, str]) -> Link:
    role, label = parse_alias(message.get_attr("IFLA_IFALIAS"))
    kind = _KINDS.get(message.get_attr("IFLA_INFO_KIND"))
    data = None
    if kind not in (None, Kind.VETH):
        data = message.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    mode = message.get_attr("IFLA_INET6_ADDR_GEN_MODE")
    link = Link(
        netns=netns,
        name=message.get_attr("IFLA_IFNAME"),
        kind=kind,
        role=role,
        label=label,
        mac=message.get_attr("IFLA_ADDRESS") or "",
        mtu=message.get_attr("IFLA_MTU"),
        up=bool(message["flags"] & IFF_UP),
        flags=tuple(_odd_flags(message["flags"], kind)) if kind else (),
        link_local=mode not in (None, IN6_ADDR_GEN_MODE_NONE),
        master=names.get(message.get_attr("IFLA_MASTER")),
        parent=names.get(message.get_attr("IFLA_LINK")) if kind is Kind.VLAN else None,
        vlan=data.get_attr("IFLA_VLAN_ID") if data and kind is Kind.VLAN else None,
        vlan_filtering=bool(data.get_attr("IFLA_BR_VLAN_FILTERING"))
        if data and kind is Kind.BRIDGE
        else False,
        vxlan=read_vxlan(data) if data and kind is Kind.VXLAN else None,
        table=data.get_attr("IFLA_VRF_TABLE") if data and kind is Kind.VRF else None,
        bond=read_bond(data) if data and kind is Kind.BOND else None,
        bridge=read_bridge(data) if data and kind is Kind.BRIDGE else BridgeSettings(),
    )
    if link.bond:
        return replace(link, activity=bond_activity(link, message, data))
    return replace(link, activity=Activity.SETTLING) if awaits_carrier(message) else link


def _qdiscs(netns: str, channel: Channel, names: dict[int, str]) -> Iterator[Qdisc]:
    """Those that somebody set: the kernel's default ones have no handle."""
    for reply in channel.dump_rows(QDISCS):
        if reply["handle"] >> 16 and reply["index"] in names:
            from vnetlab.kernel.qdisc_messages import qdisc_options

            yield Qdisc(
                netns=netns,
                link=names[reply["index"]],
                handle=reply["handle"],
                parent=reply["parent"],
                kind=reply.get_attr("TCA_KIND"),
                options=tuple(sorted(qdisc_options(reply).items())),
            )


def _filters(
    link: LinkId, channel: Channel, names: dict[int, str], indexes: Indexes
) -> Iterator[Filter]:
    from vnetlab.kernel.filter_messages import get_filters, read_filters

    for parent in HOOKS:
        replies = channel.dump(get_filters(indexes[link], parent))
        yield from read_filters(link.netns, parent, replies, names)


def _sysctls(
    nodes: Nodes,
    keys: Collection[tuple[str, str]],
    values: Mapping[tuple[str, str], str | None],
    links: LinkSettings,
) -> Iterator[Sysctl]:
    """The settings with these keys, sorted by namespace: of `values`, those of `links`, or read."""
    found = {key: values[key] if key in values else links.get(*key) for key in keys}
    lacking = [key for key in keys if found[key] is None and key not in values]
    found |= zip(lacking, _read_sysctls(nodes, lacking), strict=True)
    for (netns, key), value in found.items():
        if value is not None:
            yield Sysctl(netns=netns, key=key, value=value)


def _read_sysctls(nodes: Nodes, keys: Iterable[tuple[str, str]]) -> list[str | None]:
    """The values of the settings with these keys, sorted by namespace; None where there is none."""
    values = []
    for netns, pairs in groupby(keys, key=itemgetter(0)):
        with nodes.enter(netns), sysctls.Settings() as settings:
            values += [settings.read(key) for _, key in pairs]
    return values
