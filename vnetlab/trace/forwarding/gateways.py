"""Who forwards packets, and which neighbour would be a gateway (pure)."""

from __future__ import annotations

from vnetlab.state.objects import LinkId, Role, Sysctl
from vnetlab.trace.forwarding.fib import Fate
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import Decision, Flow, lookup
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.request import IpAddress

_GUESTS = (Role.VM, Role.HOST)


def check_forwarding(world: World, came_by: LinkId, packet: Packet) -> Finding | None:
    """What keeps a namespace from forwarding what came in by a link."""
    setting = forwarding_off(world, came_by, packet.version)
    if setting is None:
        return None
    return finding_at(Reason.FORWARDING_OFF, came_by.netns, came_by, sysctl_row(setting), setting)


def wrong_gateway(world: World, out: LinkId, decision: Decision, packet: Packet) -> Finding | None:
    """A route whose gateway is a guest that forwards nothing, and is not meant to."""
    via = decision.entry.via if decision.entry else None
    holders = [it for it in world.holders.get(via, ()) if it.netns != out.netns] if via else []
    if not holders:
        return None
    roles = {node.name: node.role for node in world.tables.state.namespaces}
    setting = None
    for holder in holders:
        setting = forwarding_off(world, holder, packet.version)
        if (
            setting is None
            or world.is_suspect(setting)
            or roles.get(holder.netns) not in _GUESTS
            or lookup(world.intended, _flow(packet, holder)).fate is Fate.LOCAL
        ):
            return None
    off = f", {sysctl_row(setting)}" if setting else ""
    row = f"{decision.row}: {holders[0]} forwards nothing{off}"
    return finding_at(
        Reason.WRONG_GATEWAY, out.netns, out, row, decision.item, others=tuple(holders)
    )


def find_gateways(world: World, out: LinkId, packet: Packet) -> list[IpAddress]:
    """Neighbours of a link that would take the packet on."""
    networks = [it.interface.network for it in world.fib.addresses_of(out)]
    near = [
        (ip, link)
        for ip, links in world.holders.items()
        if ip.version == packet.version and any(ip in network for network in networks)
        for link in links
        if link.netns != out.netns and forwarding_off(world, link, packet.version) is None
    ]
    found = []
    for ip, link in near:
        decision = lookup(world.fib, _flow(packet, link))
        if decision.fate is Fate.LOCAL or decision.link not in (None, link):
            found.append(ip)
    return sorted(found, key=int)


def _flow(packet: Packet, link: LinkId) -> Flow:
    return Flow(netns=link.netns, source=packet.source, destination=packet.destination, iif=link)


def forwarding_off(world: World, came_by: LinkId, version: int) -> Sysctl | None:
    """The setting that keeps a namespace from forwarding, None where it forwards.

    IPv4 asks the link that the packet came in by, IPv6 the setting of all links (and, from Linux
    6.17 on, the link's `force_forwarding`).
    """
    netns = came_by.netns
    device = world.fib.device(came_by)
    if version == 6:
        setting = world.sysctl(netns, "net/ipv6/conf/all/forwarding")
        forced = world.sysctl(netns, f"net/ipv6/conf/{device.name}/force_forwarding")
        return None if setting.value != "0" or forced.value != "0" else setting
    setting = world.sysctl(netns, "net/ipv4/ip_forward")
    key = f"net/ipv4/conf/{device.name}/forwarding"
    if world.tables.sysctl(netns, key, setting.value) != "0":
        return None
    return setting if setting.value == "0" else world.sysctl(netns, key)
