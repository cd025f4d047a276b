"""A packet's way through IP stacks: the sender's, routers', the destination's (pure).

How it works
------------
`walk_flow` follows the packet as the kernel would: a lookup, the hooks of nftables, the next hop's
MAC address, the way over layer 2 (`l2.cross`), then what the next stack does with it. Where the
tables are not what they are meant to be, it also follows the way that they should have given, and
keeps the cheaper of the two (`walk.cost`).
"""

from __future__ import annotations

from msgspec.structs import replace

from vnetlab.state.objects import Address, LinkId, Route, Sysctl
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.addresses import why_not_usable
from vnetlab.trace.forwarding.fib import LOOPBACK, Fate
from vnetlab.trace.forwarding.gateways import check_forwarding, find_gateways, wrong_gateway
from vnetlab.trace.forwarding.intended import missing_objects
from vnetlab.trace.forwarding.ip_hooks import pass_hook
from vnetlab.trace.forwarding.journey import (
    Journey,
    World,
    finding_at,
    price,
    sysctl_row,
)
from vnetlab.trace.forwarding.l2 import cross
from vnetlab.trace.forwarding.learning import learn
from vnetlab.trace.forwarding.local import check_delivery
from vnetlab.trace.forwarding.neighbours import prefix_finding, resolve
from vnetlab.trace.forwarding.packet import CtState, Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import Decision, Flow, lookup
from vnetlab.trace.forwarding.sources import check_source
from vnetlab.trace.forwarding.walk import Finding, Walk
from vnetlab.trace.forwarding.ways import Way, find_ways
from vnetlab.trace.forwarding.world import connection_of, make_world
from vnetlab.trace.request import FIRST_TTL, RawFrame

_ANSWERS = {8: 0, 128: 129}
_TTL = "net/ipv4/ip_default_ttl"


def walk_flow(
    tables: Tables,
    source_netns: str,
    packet: Packet,
    *,
    answers: Walk | None = None,
    answered_by_probe: bool = True,
) -> Walk:
    """Follow a packet from the IP stack of `source_netns` to its destination's.

    The packet has its addresses, no MAC addresses yet. `answers` is the walk of the packet that it
    is the reply to, see `reply_to`. Without `answered_by_probe` a UDP or TCP packet needs a socket
    that waits for it.
    """
    world = index_world(tables)
    return walk_in(
        world, source_netns, packet, answers=answers, answered_by_probe=answered_by_probe
    )


def walk_frame(
    world: World, frame: RawFrame, packet: Packet, *, answered_by_probe: bool = True
) -> Walk:
    """Follow a packet that leaves the source's link as a frame, past the IP stack there."""
    world = replace(world, answered_by_probe=answered_by_probe)
    journey, packet = _fit(world, Journey(), packet, frame.link, cut=False)
    walk = cross(
        world.tables,
        frame.link,
        packet,
        (frame.target,),
        index=world.index,
        underlay=world.underlay,
    )
    journey = journey.append(walk)
    if not walk.arrived:
        return journey.end(walk.packet, link=None, arrived=False)
    return _receive(world, journey, frame.target, replace(walk.packet, vlan=None))


def index_world(tables: Tables) -> World:
    """Index `tables` once for many walks."""
    return make_world(tables, walk_in)


def walk_in(
    world: World,
    source_netns: str,
    packet: Packet,
    *,
    answers: Walk | None = None,
    answered_by_probe: bool = True,
) -> Walk:
    """As `walk_flow`, in tables that are indexed already."""
    world = replace(
        world,
        index=learn(world.index, answers) if answers is not None else world.index,
        connection=connection_of(answers) if answers is not None else None,
        answered_by_probe=answered_by_probe,
    )
    journey = Journey().find(packet, _check_own_source(world, source_netns, packet))
    vrf = _answering_vrf(world, packet, answers)
    return _route(world, journey, source_netns, packet, came_by=None, bound=vrf)


def reply_to(packet: Packet, walk: Walk) -> Packet:
    """Return what answers `packet`, which arrived as `walk` says, as its destination sends it."""
    got = walk.packet
    kind = got.icmp_type
    return replace(
        got,
        source_mac="",
        destination_mac="",
        vlan=None,
        source=got.destination,
        destination=got.source,
        source_port=got.destination_port,
        destination_port=got.source_port,
        icmp_type=None if kind is None else _ANSWERS.get(kind, kind),
        ttl=FIRST_TTL,
        length=packet.length,
        dont_fragment=kind is None or got.version == 6,  # net/ipv4/icmp.c sends with PMTUDISC_DONT
        whole=False,
        mark=0,
        state=CtState.ESTABLISHED,
    )


def _answering_vrf(world: World, packet: Packet, answers: Walk | None) -> LinkId | None:
    """The VRF that an echo came into: the kernel answers in it (net/ipv4/icmp.c, icmp_reply)."""
    if answers is None or answers.link is None or packet.icmp_type is None:
        return None
    device = world.fib.device(answers.link)
    return None if device == answers.link else device


def _check_own_source(world: World, netns: str, packet: Packet) -> Finding | None:
    """A stack sends nothing from an address that is not its own."""
    flow = Flow(netns=netns, source=packet.source, destination=packet.source)
    held = [it for it in world.fib.addresses.get(netns, ()) if it.interface.ip == packet.source]
    if lookup(world.fib, flow).fate is Fate.LOCAL or (held and packet.version == 4):
        return None
    meant = [
        it
        for it in missing_objects(world.tables)
        if isinstance(it, Address) and it.netns == netns and it.interface.ip == packet.source
    ]
    for address in (*held, *meant):
        return why_not_usable(world, address)  # None: its link is down, as the way over it finds
    row = f"ip address: no {packet.source}"
    return finding_at(Reason.ADDRESS_MISSING, netns, None, row)


def _route(
    world: World,
    journey: Journey,
    netns: str,
    packet: Packet,
    *,
    came_by: LinkId | None,
    bound: LinkId | None = None,
) -> Walk:
    """Look the packet up, and go on by the way that explains the most."""
    flow = Flow(
        netns=netns,
        source=packet.source,
        destination=packet.destination,
        iif=came_by,
        oif=bound,
        mark=packet.mark,
    )
    best: Walk | None = None
    for way in find_ways(world, flow):
        walk = _follow(world, journey, netns, packet, way, came_by=came_by)
        if best is None or price(walk, world.tables) < price(best, world.tables):
            best = walk
        if walk.passes:
            break
    return best if best is not None else journey.end(packet, link=came_by, arrived=False)


def _follow(
    world: World,
    journey: Journey,
    netns: str,
    packet: Packet,
    way: Way,
    *,
    came_by: LinkId | None,
) -> Walk:
    decision = way.decision
    if came_by is not None and (decision is None or decision.fate is not Fate.LOCAL):
        journey = journey.find(packet, check_forwarding(world, came_by, packet))
    if way.finding is not None:
        journey = journey.find(packet, way.finding)
    if decision is None:
        return journey.end(packet, link=came_by, arrived=False)
    journey = journey.unknown(decision.unmodelled)
    if way.finding is None or way.finding.row != decision.row:
        journey = journey.decide(netns, decision.link, packet, decision.row)
    if decision.fate is Fate.LOCAL:
        return _deliver(world, journey, netns, packet, came_by=came_by)
    if came_by is not None:
        return _forward(world, journey, packet, decision, came_by=came_by)
    return _send(world, journey, netns, packet, decision)


def _send(world: World, journey: Journey, netns: str, packet: Packet, decision: Decision) -> Walk:
    """A packet of the namespace's own."""
    out = decision.link
    packet = replace(packet, ttl=_own_ttl(world, netns, packet, out))
    journey, sized = _fit(world, journey, packet, out, cut=not packet.whole)
    journey, after = pass_hook(world, journey, netns, "output", sized, oif=out)
    if (after.destination, after.mark) != (sized.destination, sized.mark):
        flow = Flow(
            netns=netns, source=after.source, destination=after.destination, mark=after.mark
        )
        again = lookup(world.fib, flow)
        if again.fate is Fate.LOCAL:
            return _deliver(world, journey, netns, after, came_by=None)
        if again.link is not None and again.way != decision.way:
            journey = journey.decide(netns, again.link, after, again.row)
            decision = again
    return _transmit(world, journey, after, decision)


def _own_ttl(world: World, netns: str, packet: Packet, out: LinkId | None) -> int:
    """What the stack gives to a packet that asks for nothing else."""
    if packet.ttl != FIRST_TTL:
        return packet.ttl
    key = _TTL if packet.version == 4 else f"net/ipv6/conf/{out.name if out else 'all'}/hop_limit"
    return int(world.tables.sysctl(netns, key, str(FIRST_TTL)))


def _ttl_setting(world: World, journey: Journey) -> Sysctl | None:
    """The sender's default TTL, if it is not the usual one."""
    setting = world.sysctl(journey.steps[0].netns, _TTL)
    return None if setting.value in ("0", str(FIRST_TTL)) else setting


def _fit(
    world: World, journey: Journey, packet: Packet, out: LinkId | None, *, cut: bool
) -> tuple[Journey, Packet]:
    """Compare the packet with the MTU of where it leaves; in pieces it is too big for none.

    Who sends it cuts it, with the way that sockets have by default (IP_PMTUDISC_WANT, ip(7)); a
    router cuts only what allows it, and no IPv6.
    """
    link = world.fib.links.get(out) if out else None
    if link is None or packet.length <= link.mtu:
        return journey, packet
    fits = replace(packet, length=link.mtu)
    row = f"mtu {link.mtu} < {packet.length} bytes"
    if cut:
        fits = replace(fits, dont_fragment=packet.version == 6)
        return journey.decide(link.netns, out, packet, f"{row}: fragments"), fits
    finding = finding_at(Reason.PACKET_TOO_BIG, link.netns, out, row, link)
    return journey.find(packet, finding), fits


def _forward(
    world: World, journey: Journey, packet: Packet, decision: Decision, *, came_by: LinkId
) -> Walk:
    """A router: ip_forward of net/ipv4/ip_forward.c, ip6_forward of net/ipv6/ip6_output.c."""
    netns = came_by.netns
    loop = (netns, packet.destination)
    if loop in journey.visited:
        finding = finding_at(
            Reason.ROUTING_LOOP, netns, decision.link, decision.row, _looping(world, journey, netns)
        )
        return journey.find(packet, finding).end(packet, link=came_by, arrived=False)
    journey = replace(journey, visited=journey.visited | {loop})
    if packet.version == 4:
        journey = journey.find(packet, check_source(world, came_by, packet, out=decision.link))
    if packet.ttl <= 1:
        row = f"ttl {packet.ttl}"
        setting = _ttl_setting(world, journey) if packet.version == 4 else None
        finding = finding_at(Reason.TTL_EXPIRED, netns, came_by, row, setting)
        journey = journey.find(packet, finding)
        packet = replace(packet, ttl=2)
    if packet.version == 6 and packet.source.is_link_local:
        row = f"{packet.source} is a link-local address"
        journey = journey.find(packet, finding_at(Reason.MARTIAN_SOURCE, netns, came_by, row))
    packet = replace(packet, ttl=packet.ttl - 1)
    may_cut = packet.version == 4 and not packet.dont_fragment
    journey, packet = _fit(world, journey, packet, decision.link, cut=may_cut)
    journey, packet = pass_hook(
        world, journey, netns, "forward", packet, iif=came_by, oif=decision.link
    )
    return _transmit(world, journey, packet, decision)


def _looping(world: World, journey: Journey, netns: str) -> Route | None:
    """The route that makes a loop: of those that the packet followed in it, the suspect."""
    rows = [(step.netns, step.row, step.link) for step in journey.steps if step.direction is None]
    routes = [
        route
        for route in world.tables.state.routes
        for at, row, link in rows
        if route.netns == at and route.link == link and route.via and f"via {route.via} " in row
    ]
    suspects = [route for route in routes if world.is_suspect(route)]
    here = [route for route in routes if route.netns == netns]
    return next(iter((*suspects, *here, *routes)), None)


def _transmit(world: World, journey: Journey, packet: Packet, decision: Decision) -> Walk:
    """Out of a link, to the next hop."""
    out, entry = decision.link, decision.entry
    if out is None or entry is None or out not in world.fib.links:
        return journey.end(packet, link=None, arrived=False)
    journey, packet = pass_hook(world, journey, out.netns, "postrouting", packet, oif=out)
    next_hop = entry.via or packet.destination
    wrong = wrong_gateway(world, out, decision, packet)
    resolved = None if wrong is not None else resolve(world, journey, out, next_hop, packet)
    if resolved is None:
        return _elsewhere(world, journey, packet, decision, out, wrong)
    prefix = prefix_finding(world, out, next_hop) if entry.via is None else None
    framed = replace(
        packet, source_mac=world.fib.links[out].mac, destination_mac=resolved.mac, vlan=None
    )
    walk = cross(
        world.tables,
        out,
        framed,
        (resolved.link,),
        index=world.index,
        underlay=world.underlay,
    )
    went = resolved.journey.append(walk)
    stopped = len(_stops(went)) > len(_stops(journey))
    if prefix is not None and (not walk.arrived or stopped):
        return _around(world, journey, packet, decision, prefix)
    if not walk.arrived:
        return went.end(walk.packet, link=None, arrived=False)
    return _receive(world, went, resolved.link, replace(walk.packet, vlan=None))


def _stops(journey: Journey) -> list[Finding]:
    return [it.finding for it in journey.steps if it.finding and not it.finding.harms]


def _around(
    world: World, journey: Journey, packet: Packet, decision: Decision, wrong: Finding
) -> Walk:
    """By the next route: what looked like a neighbour is none, for a prefix length is wrong."""
    journey = journey.find(packet, wrong)
    item = decision.item
    if item is None:
        return journey.end(packet, link=None, arrived=False)
    netns = item.netns if isinstance(item, Address | Route) else ""
    flow = Flow(netns=netns, source=packet.source, destination=packet.destination)
    again = lookup(world.fib, flow, without=frozenset({item}))
    if again.fate is not Fate.UNICAST or again.link is None:
        return journey.end(packet, link=None, arrived=False)
    journey = journey.decide(netns, again.link, packet, again.row)
    return _transmit(world, journey, packet, again)


def _elsewhere(
    world: World,
    journey: Journey,
    packet: Packet,
    decision: Decision,
    out: LinkId,
    wrong: Finding | None,
) -> Walk:
    """The next hop is none: no node holds it, nor is meant to, or it is no gateway."""
    entry = decision.entry
    via = entry.via if entry else None
    if wrong is None and via is not None:
        row = f"{decision.row}: no node holds {via}"
        wrong = finding_at(Reason.WRONG_GATEWAY, out.netns, out, row, decision.item)
    elif wrong is None:
        row = f"no node holds {packet.destination}"
        wrong = finding_at(Reason.ADDRESS_MISSING, out.netns, out, row)
    journey = journey.find(packet, wrong)
    gateways = find_gateways(world, out, packet) if via is not None else []
    for gateway in gateways:
        if entry is not None:
            again = replace(decision, entry=replace(entry, via=gateway))
            return _transmit(world, journey, packet, again)
    return journey.end(packet, link=None, arrived=False)


def _receive(world: World, journey: Journey, link: LinkId, packet: Packet) -> Walk:
    """What the stack of a namespace does with a packet that came in by `link`."""
    if packet.version == 6:
        disabled = world.sysctl(link.netns, f"net/ipv6/conf/{link.name}/disable_ipv6")
        if disabled.value == "1":
            finding = finding_at(
                Reason.IPV6_DISABLED, link.netns, link, sysctl_row(disabled), disabled
            )
            journey = journey.find(packet, finding)
    journey, packet = pass_hook(world, journey, link.netns, "prerouting", packet, iif=link)
    return _route(world, journey, link.netns, packet, came_by=link)


def _deliver(
    world: World, journey: Journey, netns: str, packet: Packet, *, came_by: LinkId | None
) -> Walk:
    """To the namespace's own sockets."""
    link = came_by or LinkId(netns=netns, name=LOOPBACK)
    if came_by is None:
        node = next(it for it in world.tables.state.namespaces if it.name == netns)
        if not node.lo_up:
            row = "ip link show dev lo: state DOWN"
            finding = finding_at(Reason.LOOPBACK_DOWN, netns, link, row, node)
            journey = journey.find(packet, finding)
    else:
        journey = journey.find(packet, check_source(world, came_by, packet))
    journey, packet = pass_hook(world, journey, netns, "input", packet, iif=link)
    journey = journey.find(packet, check_delivery(world, netns, link, packet))
    return journey.end(packet, link=link, arrived=True)
