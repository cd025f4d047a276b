"""The hooks of nftables in an IP stack, with what conntrack remembers (pure).

A reply is not looked up in chains for NAT: conntrack undoes what it did to the request. Its
destination is put right before the routing (prerouting), its source behind it (postrouting, or
input where it ends).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from vnetlab.state.objects import LinkId
from vnetlab.trace.forwarding.journey import Journey, World, finding_at
from vnetlab.trace.forwarding.nft import evaluate
from vnetlab.trace.forwarding.packet import Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Translation

_SOURCE_POINTS = ("postrouting", "input")


def pass_hook(
    world: World,
    journey: Journey,
    netns: str,
    point: str,
    packet: Packet,
    *,
    iif: LinkId | None = None,
    oif: LinkId | None = None,
) -> tuple[Journey, Packet]:
    """Take a packet through a hook: `prerouting`, `input`, `forward`, `output`, `postrouting`."""
    resolving = packet.payload is not Payload.IP
    family = "arp" if resolving and packet.version == 4 else f"ip{'6' * (packet.version == 6)}"
    connection = None if resolving else world.connection
    if connection is not None:
        packet = replace(packet, state=connection.state_in(netns, packet))
    ruling = evaluate(
        world.tables,
        netns,
        family,
        point,
        packet,
        iif=iif.name if iif else None,
        oif=oif.name if oif else None,
    )
    journey = journey.unknown(ruling.unmodelled)
    for step in ruling.steps:
        journey = journey.with_step(step)
    after = ruling.packet
    astray = _astray(world, netns, point, packet, after)
    if astray is not None:
        journey, after = journey.find(packet, astray), replace(after, **_ends(packet))
    if _differs(packet, after):
        it = Translation(netns=netns, before=packet, after=after)
        journey = replace(journey, translations=(*journey.translations, it))
    return journey, _restored(world, netns, point, after) if connection else after


def _differs(before: Packet, after: Packet) -> bool:
    return _ends(before) != _ends(after)


def _ends(packet: Packet) -> dict[str, Any]:
    names = ("source", "source_port", "destination", "destination_port")
    return {name: getattr(packet, name) for name in names}


def _astray(world: World, netns: str, point: str, before: Packet, after: Packet) -> Finding | None:
    """A translation that the file does not have, to a destination that nobody holds.

    A source that nobody holds may do: answers come back where they are routed to, and conntrack
    undoes it.
    """
    told = after.destination in world.holders or after.destination.is_loopback
    if told or after.destination == before.destination:
        return None
    chains = sorted(world.tables.state.nft_chains, key=lambda it: it.id)
    for it in chains:
        is_nat = it.hook is not None and (it.hook.kind, it.hook.point) == ("nat", point)
        if it.netns == netns and is_nat and world.is_suspect(it):
            row = f"nft list chain {it.family} {it.table} {it.name}: "
            row += f"{before.source} > {before.destination} becomes "
            row += f"{after.source} > {after.destination}"
            return finding_at(Reason.WRONG_NAT, netns, None, row, it)
    return None


def _restored(world: World, netns: str, point: str, packet: Packet) -> Packet:
    """A reply with what was done to its request in this namespace undone."""
    it = world.connection.translations.get(netns) if world.connection else None
    if it is None:
        return packet
    if point == "prerouting" and packet.destination == it.after.source:
        return replace(packet, destination=it.before.source, destination_port=it.before.source_port)
    if point in _SOURCE_POINTS and packet.source == it.after.destination:
        return replace(packet, source=it.before.destination, source_port=it.before.destination_port)
    return packet
