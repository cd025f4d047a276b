"""Routers that reach the network of the lab's host, and what the host needs for it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface, IPv4Network

from msgspec.structs import replace

from vnetlab.state.compile.parts import DEFAULT_ROUTE, Context, addresses_on, veth
from vnetlab.state.nft_rules import counter, ct_state, field, link_name, masquerade, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftRule, NftTable
from vnetlab.state.objects import Object, Role, Route, Sysctl
from vnetlab.state.outside import (
    EARLIER,
    FORWARDS,
    HOST,
    HOST_FAMILY,
    Outside,
    choose_prefixes,
    forwarding_of,
    label_of,
    remember,
    restored_settings,
    settings_to_remember,
    table_of,
)
from vnetlab.topology.external import EXTERNAL_LINK
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import Host, Router, Topology, Vm, attachments

_MTU = 1500
_FILTER, _SOURCE_NAT = 0, 100  # NF_IP_PRI_*


def compile_external(context: Context, outside: Outside) -> Iterator[Object]:
    """The links of routers to the host, and the host's table and settings.

    A setting that the lab has changed and needs no longer is as it was before.
    """
    topology = context.topology
    routers = [router for router in topology.routers if router.external]
    names = [router.name for router in routers]
    prefixes = choose_prefixes(topology.name, names, outside, _prefixes(topology))
    for router in routers:
        yield from _link(context, router, prefixes[router.name])
    opened = [forwarding_of(link) for link in outside.ways] if routers else []
    yield from restored_settings(outside, opened)
    for key in opened:
        yield Sysctl(netns=HOST, key=key, value=FORWARDS)
    if routers:
        yield from _table(context, prefixes, outside)


def _prefixes(topology: Topology) -> list[IPv4Network]:
    """Every prefix of the lab: its networks', its routes', and those of single addresses."""
    nodes: tuple[Vm | Host | Router, ...] = (*topology.vms, *topology.hosts, *topology.routers)
    held = [it for vm in topology.vms for it in attachments(vm.nics)]
    held += [it for host in topology.hosts for it in attachments(host.nics)]
    found = [address.network for it in held for address in it.addresses]
    for router in topology.routers:
        found += [address.network for it in router.interfaces for address in it.addresses]
    for node in nodes:
        found += [route.destination for route in node.routes if route.destination.prefixlen]
    return [prefix for prefix in found if isinstance(prefix, IPv4Network)]


def _link(context: Context, router: Router, prefix: IPv4Network) -> Iterator[Object]:
    """The veth pair with both addresses; the default route, if the router has none itself."""
    label = label_of(context.topology.name, router.name)
    host_address, own_address = prefix.hosts()
    own = replace(context.link(router.name, EXTERNAL_LINK, Role.EXTERNAL_PORT), mtu=_MTU)
    end = context.link(HOST, label, Role.EXTERNAL_PEER)
    end = replace(end, name=kernel_name(label), label=label, mtu=_MTU)
    yield from veth(own, end)
    yield from addresses_on(own, [IPv4Interface((own_address, prefix.prefixlen))])
    yield from addresses_on(end, [IPv4Interface((host_address, prefix.prefixlen))])
    yield Sysctl(netns=HOST, key=forwarding_of(end.name), value=FORWARDS)
    everywhere = DEFAULT_ROUTE[4]
    if not any(it.destination == everywhere and it.vrf is None for it in router.routes):
        link = EXTERNAL_LINK
        yield Route(netns=router.name, destination=everywhere, via=host_address, link=link)


def _table(
    context: Context, prefixes: Mapping[str, IPv4Network], outside: Outside
) -> Iterator[Object]:
    """The lab's table on the host: who is masqueraded, and what settings were."""
    name = table_of(context.topology.name)
    yield NftTable(netns=HOST, family=HOST_FAMILY, name=name)
    translating = tuple(
        rule(
            f"masquerade {router}",
            field("ip saddr", [list(prefix.hosts())[1].packed]),
            counter(),
            masquerade(),
        )
        for router, prefix in prefixes.items()
    )
    hook = NftHook(kind="nat", point="postrouting", priority=_SOURCE_NAT)
    yield _chain(name, "postrouting", translating, hook)
    earlier = settings_to_remember(outside)
    if earlier:
        closed = [link for link in outside.ways if forwarding_of(link) in earlier]
        hook = NftHook(kind="filter", point="forward", priority=_FILTER)
        yield _chain(name, "forward", tuple(_replies_only(closed)), hook)
        yield _chain(name, EARLIER, remember(earlier), None)


def _replies_only(links: list[str]) -> Iterator[NftRule]:
    """A host that forwarded nothing from a link goes on so, but for replies."""
    for link in links:
        into = link_name("iifname", link)
        replies = ct_state("established", "related")
        yield rule(f"replies from {link}", into, replies, counter(), verdict("accept"))
        yield rule(f"nothing else from {link}", into, counter(), verdict("drop"))


def _chain(table: str, name: str, rules: tuple[NftRule, ...], hook: NftHook | None) -> NftChain:
    return NftChain(netns=HOST, family=HOST_FAMILY, table=table, name=name, rules=rules, hook=hook)
