"""EFFECT: what there is of a lab in the namespace of its host, and what it has to know of it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from vnetlab.kernel import sysctls
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.messages import parse_alias
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe_routing import NamedLinks, read_routing
from vnetlab.kernel.rows import LINKS, Row
from vnetlab.state.nftables import NftChain
from vnetlab.state.objects import MAIN_TABLE, Address, Role, Route, RouteKind
from vnetlab.state.outside import (
    EARLIER,
    HOST,
    Outside,
    forwarding_of,
    host_index,
    is_table_of_a_lab,
    label_of,
    recall,
    table_of,
)
from vnetlab.topology.external import POOL
from vnetlab.topology.names import kernel_name


def host_ends(lab: LabDir, links: Iterable[Row]) -> frozenset[int]:
    """The indexes of those of the host's links that are the lab's.

    The ifalias says whose a link is. One that has none yet (`up` was killed just there), or lost
    it, is known by its name and its index.
    """
    labels = (label_of(lab.name, node) for node in lab.nodes())
    known = {(host_index(label), kernel_name(label)) for label in labels}
    found = set()
    for link in links:
        role, label = parse_alias(link.get_attr("IFLA_IFALIAS"))
        is_named = role is Role.EXTERNAL_PEER and label.startswith(label_of(lab.name, ""))
        if is_named or (link["index"], link.get_attr("IFLA_IFNAME")) in known:
            found.add(link["index"])
    return frozenset(found)


def survey(nodes: Nodes) -> Outside:
    """What the lab has to know of its host; nothing is changed there."""
    channel = nodes.channel(HOST)
    links = channel.dump_rows(LINKS)
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
    own = {names[index] for index in host_ends(nodes.lab, links)}
    taken: set[IPv4Network] = set()
    held: dict[str, tuple[IPv4Network, ...]] = {}
    defaults: list[Route] = []
    for item in read_routing(HOST, channel, NamedLinks(names=names, up=frozenset())):
        match item:
            case Address(interface=interface) if isinstance(interface.network, IPv4Network):
                if item.link in own:
                    held[item.link] = (*held.get(item.link, ()), interface.network)
                else:
                    taken.add(interface.network)
            case Route(destination=IPv4Network() as destination) if item.link not in own:
                if destination.prefixlen:
                    taken.add(destination)
                elif item.table == MAIN_TABLE and item.kind is RouteKind.UNICAST:
                    defaults.append(item)
    ways = _ways(defaults)
    earlier, shared = _memories(nodes)
    keys = {*map(forwarding_of, ways), *earlier}
    with nodes.enter(HOST):
        values = {key: value for key in keys if (value := sysctls.read(key)) is not None}
    return Outside(
        taken=frozenset(prefix for prefix in taken if prefix.overlaps(POOL)),
        held=held,
        ways=ways,
        values=values,
        earlier=earlier,
        shared=shared,
    )


def _ways(defaults: list[Route]) -> tuple[str, ...]:
    """The links of the default route that counts: the one with the lowest metric."""
    best = min((route.metric for route in defaults), default=0)
    return tuple(sorted({it.link for it in defaults if it.link and it.metric == best}))


def _memories(nodes: Nodes) -> tuple[dict[str, str], dict[str, str]]:
    """What the lab remembers of settings, and what others do."""
    from vnetlab.kernel.nft_observe import read_nftables

    earlier: dict[str, str] = {}
    shared: dict[str, str] = {}
    channel = nodes.netfilter(HOST)
    for item, _ in read_nftables(HOST, channel, is_table_of_a_lab) if channel else ():
        if isinstance(item, NftChain) and item.name == EARLIER:
            mine = item.table == table_of(nodes.lab.name)
            (earlier if mine else shared).update(recall(item))
    return earlier, shared
