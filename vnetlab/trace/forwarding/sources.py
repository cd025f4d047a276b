"""What a namespace makes of the source address of what it receives (pure).

As net/ipv4/fib_frontend.c (fib_validate_source) and net/ipv6/ip6_input.c do it. IPv6 has no
reverse path filter of its own.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from vnetlab.state.objects import Address, LinkId, Sysctl
from vnetlab.trace.forwarding.fib import Fate, Fib
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import Decision, Flow, lookup
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.forwarding.ways import describe_difference
from vnetlab.trace.request import IpAddress

_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_STRICT = "1"


def check_source(
    world: World,
    link: LinkId,
    packet: Packet,
    *,
    out: LinkId | None = None,
) -> Finding | None:
    """What stands against a packet that came in by `link` and would leave by `out`."""
    device = world.fib.device(link)
    source = packet.source
    if source.is_multicast or source in _THIS_NETWORK or int(source) == _all_ones(source):
        return _martian(link, packet, None)
    if source.is_loopback:
        localnet = world.conf(device, "route_localnet")
        if source.version == 6 or localnet.value == "0":
            return _martian(link, packet, localnet if source.version == 4 else None)
    if source.version == 6:
        return None
    flow = _reverse(world, link, packet, out)
    back = lookup(world.fib, flow)
    if back.fate is Fate.LOCAL and not world.is_on(device, "accept_local"):
        return _own_source(world, link, packet, back)
    setting = world.conf(device, "rp_filter")
    if setting.value == "0" or back.fate is Fate.LOCAL:
        return None
    if _accepts(world.fib, back, device, strict=setting.value == _STRICT):
        return None
    row = f"{sysctl_row(setting)}: {packet.source} is reached by {back.row}, came by {link.name}"
    if world.tables.suspects and not world.is_suspect(setting):
        meant = lookup(world.intended, flow)
        if _accepts(world.intended, meant, device, strict=setting.value == _STRICT):
            found = describe_difference(world, flow, back, meant)
            if found is not None:
                return found
    return finding_at(Reason.REVERSE_PATH_FILTER, link.netns, link, row, setting)


def _reverse(world: World, link: LinkId, packet: Packet, out: LinkId | None) -> Flow:
    """The lookup of the way back."""
    device = world.fib.device(link)
    marked = world.is_on(device, "src_valid_mark")
    return Flow(
        netns=link.netns,
        source=packet.destination,
        destination=packet.source,
        iif=link if device != link else out,
        mark=packet.mark if marked else 0,
    )


def _accepts(fib: Fib, back: Decision, device: LinkId, *, strict: bool) -> bool:
    """Whether a reverse path filter is content: with any route, or one by the same link."""
    if back.fate is not Fate.UNICAST:
        return False
    if back.link is None:
        return True  # several next hops, one of which may be the link
    return not strict or device in (back.link, fib.device(back.link))


def _own_source(world: World, link: LinkId, packet: Packet, back: Decision) -> Finding:
    """An address of the receiver as the source: two nodes hold it."""
    row = f"{back.row}: a packet from {packet.source} came by {link.name}"
    elsewhere = [it for it in world.holders.get(packet.source, ()) if it.netns != link.netns]
    item = back.item
    if not elsewhere or not isinstance(item, Address):
        return finding_at(Reason.MARTIAN_SOURCE, link.netns, link, row, item)
    held = LinkId(netns=link.netns, name=item.link)
    if not world.is_suspect(item):
        for other in elsewhere:
            for address in world.fib.addresses_of(other):
                if address.interface.ip == packet.source and world.is_suspect(address):
                    item, held, elsewhere = address, other, [held]
                    break
    return finding_at(
        Reason.DUPLICATE_ADDRESS, held.netns, held, row, item, others=tuple(elsewhere)
    )


def _martian(link: LinkId, packet: Packet, item: Sysctl | None) -> Finding:
    row = f"martian source {packet.source} on {link.name}"
    row += f", {sysctl_row(item)}" if item is not None else ""
    return finding_at(Reason.MARTIAN_SOURCE, link.netns, link, row, item)


def _all_ones(address: IpAddress) -> int:
    return (1 << address.max_prefixlen) - 1
