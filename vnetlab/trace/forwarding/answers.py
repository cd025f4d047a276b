"""Whether a node answers the question for its MAC address (pure).

IPv4: net/ipv4/arp.c, arp_process. The address is the namespace's, not the link's: any link answers
for it, unless `arp_ignore` or `arp_filter` are set. IPv6: net/ipv6/ndisc.c, ndisc_recv_ns: only the
link that holds it answers.
"""

from __future__ import annotations

from vnetlab.state.objects import Address, Kind, LinkId, Sysctl
from vnetlab.trace.forwarding.addresses import why_not_usable
from vnetlab.trace.forwarding.fib import Fate
from vnetlab.trace.forwarding.gateways import forwarding_off
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import Flow, lookup
from vnetlab.trace.forwarding.sources import check_source
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.request import IpAddress

_ONLY_ON_THE_LINK, _ONLY_FROM_ITS_NETWORK, _NEVER = "1", "2", "8"


def answer_links(world: World, holder: LinkId) -> tuple[LinkId, ...]:
    """The links of the holder's namespace that may answer for its addresses, itself the first.

    What is on the loopback link is answered for by the others.
    """
    others = sorted(
        link.id
        for link in world.fib.links.values()
        if link.netns == holder.netns
        and link.id != holder
        and link.kind is not Kind.VRF
        and world.index.bridge(link) is None
        and not link.in_bond
        and world.fib.table_of(link.id) == world.fib.table_of(holder)
    )
    return (holder, *others) if holder in world.fib.links else tuple(others)


def proxies(world: World, asker: LinkId, target: IpAddress) -> tuple[LinkId, ...]:
    """The links that answer for another node's address: proxy_arp, and `ip neigh add proxy`.

    Only of a namespace that forwards, and whose way to the address is by another link.
    """
    found = []
    for link in world.fib.links.values():
        if link.netns == asker.netns or world.index.bridge(link) is not None:
            continue
        listed = (link.id, target) in world.tables.proxied
        if target.version == 6:
            answering = listed and world.conf(link.id, "proxy_ndp", version=6).value != "0"
        else:
            answering = listed or world.is_on(link.id, "proxy_arp")
        if answering and forwarding_off(world, link.id, target.version) is None:
            flow = Flow(netns=link.netns, source=target, destination=target, iif=link.id)
            decision = lookup(world.fib, flow)
            if decision.fate is Fate.UNICAST and decision.link not in (None, link.id):
                found.append(link.id)
    return tuple(sorted(found))


def check_answer(
    world: World,
    link: LinkId,
    holder: LinkId,
    target: IpAddress,
    question: Packet,
    *,
    missing: Address | None,
) -> Finding | None:
    """What keeps the namespace of `link` from answering; `missing` is the address it lacks."""
    if missing is not None:
        return why_not_usable(world, missing)
    if link.netns != holder.netns:
        return None  # a proxy
    if link in world.tables.noarp:
        row = f"ip link show dev {link.name}: NOARP"
        return finding_at(Reason.ARP_OFF, link.netns, link, row, world.fib.links[link])
    if target.version == 6:
        return _check_6(world, link, holder, target)
    return _check_4(world, link, holder, target, question)


def _check_6(world: World, link: LinkId, holder: LinkId, target: IpAddress) -> Finding | None:
    address = next((it for it in world.fib.addresses_of(holder) if it.interface.ip == target), None)
    if address is None:
        return None
    if link == holder:
        return why_not_usable(world, address)
    row = f"ip address show dev {link.name}: no {target}"
    return finding_at(Reason.ADDRESS_MISSING, link.netns, link, row, address)


def _check_4(
    world: World, link: LinkId, holder: LinkId, target: IpAddress, question: Packet
) -> Finding | None:
    ignore = world.conf(link, "arp_ignore")
    near = any(
        question.source in it.interface.network
        for it in world.fib.addresses_of(link)
        if it.interface.ip == target
    )
    ignored = (
        ignore.value == _NEVER
        or (ignore.value in (_ONLY_ON_THE_LINK, _ONLY_FROM_ITS_NETWORK) and link != holder)
        or (ignore.value == _ONLY_FROM_ITS_NETWORK and not near)
    )
    if ignored:
        return _ignored(link, ignore)
    flow = Flow(netns=link.netns, source=target, destination=question.source)
    arp_filter = world.conf(link, "arp_filter")
    if arp_filter.value != "0" and lookup(world.fib, flow).link != link:
        return _ignored(link, arp_filter)
    # The route to the target is looked up as for a packet, and its source is checked likewise.
    return check_source(world, link, question)


def _ignored(link: LinkId, setting: Sysctl) -> Finding:
    return finding_at(Reason.ARP_IGNORED, link.netns, link, sysctl_row(setting), setting)
