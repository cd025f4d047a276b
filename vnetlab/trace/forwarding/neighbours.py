"""Neighbours: the MAC address that a packet to a next hop gets (pure).

How it works
------------
An entry of the cache, or one that somebody fixed, is used as it is: if it is not the MAC address of
a node that holds the next hop, the packet goes astray. Without one the question goes out (ARP,
RFC 826; neighbour discovery, RFC 4861) as a frame of its own, passes what any frame must pass, is
answered or not, and the answer comes back likewise.

Which node is asked is known to the model, not to the kernel: the one that holds the next hop's
address, or is meant to. If several hold it, the one that the question gets to with the least in its
way.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import Address, LinkId
from vnetlab.state.routing import Neighbour
from vnetlab.state.tables import NeighbourEntry, NeighbourState
from vnetlab.trace.forwarding.answers import answer_links, check_answer, proxies
from vnetlab.trace.forwarding.intended import missing_objects
from vnetlab.trace.forwarding.ip_hooks import pass_hook
from vnetlab.trace.forwarding.journey import Journey, World, finding_at
from vnetlab.trace.forwarding.l2 import cross
from vnetlab.trace.forwarding.learning import learn
from vnetlab.trace.forwarding.packet import BROADCAST, Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import select_address
from vnetlab.trace.forwarding.walk import Finding, Walk, cost
from vnetlab.trace.request import IpAddress, RawFrame

_USABLE = frozenset(NeighbourState) - {NeighbourState.INCOMPLETE, NeighbourState.FAILED}
_FIXED = (NeighbourState.PERMANENT, NeighbourState.NOARP)
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
_ARP_BYTES, _ND_BYTES = 28, 72
_ND_HOP_LIMIT = 255


class Resolved(Struct, frozen=True, kw_only=True):
    """A neighbour: the link that a packet to it should come in by, and the MAC address to use.

    `reached` says that a question for it gets there, if only past findings, `asked` how many steps
    of the journey are the question's, `heard` that the answer comes back.
    """

    journey: Journey
    link: LinkId
    mac: str
    reached: bool = True
    asked: int = 0
    heard: bool = True


def resolve(
    world: World, journey: Journey, link: LinkId, next_hop: IpAddress, packet: Packet
) -> Resolved | None:
    """Find the neighbour `next_hop` of `link`; None where no node holds it, or is meant to."""
    holders = _holders(world, link, next_hop)
    missing = None
    if not holders:
        missing = _missing_holder(world, next_hop)
        if missing is None:
            return None
        holders = (LinkId(netns=missing.netns, name=missing.link),)
    if link in world.tables.noarp:
        row = f"ip link show dev {link.name}: NOARP"
        finding = finding_at(Reason.ARP_OFF, link.netns, link, row, world.fib.links[link])
        journey = journey.find(packet, finding)
        return _to(world, journey, holders[0])
    known = _known(world, journey, link, next_hop, packet, holders)
    if known is not None and (
        missing is None or _price(world, known.journey) == _price(world, journey)
    ):
        return known
    return _ask_all(world, journey, link, next_hop, packet, holders, missing)


def walk_question(world: World, frame: RawFrame, packet: Packet) -> tuple[Walk, Walk | None]:
    """Follow an ARP request that passes its sender's stack by, and the answer to it, if any."""
    target, missing = packet.destination, None
    holders = _holders(world, frame.link, target)
    if not holders:
        missing, holders = _missing_holder(world, target), (frame.target,)
    found = _ask_all(world, Journey(), frame.link, target, packet, holders, missing)
    if found is None:
        return Journey().end(packet, link=None, arrived=False), None
    steps = found.journey.steps
    there, back = (
        replace(found.journey, steps=part) for part in (steps[: found.asked], steps[found.asked :])
    )
    if not found.reached:
        return found.journey.end(packet, link=None, arrived=False), None
    heard = replace(packet, vlan=None)
    answer = _answer(world, found.link, heard)
    return (
        there.end(heard, link=found.link, arrived=True),
        back.end(answer, link=frame.link, arrived=found.heard),
    )


def prefix_finding(world: World, link: LinkId, next_hop: IpAddress) -> Finding | None:
    """The prefix length that makes one of two neighbours of different networks look like one."""
    for holder in _holders(world, link, next_hop):
        theirs = next(
            (it for it in world.fib.addresses_of(holder) if it.interface.ip == next_hop), None
        )
        ours = next(
            (it for it in world.fib.addresses_of(link) if next_hop in it.interface.network), None
        )
        if theirs is None or ours is None or ours.interface.ip in theirs.interface.network:
            continue
        if theirs.interface.network.num_addresses == 1:
            continue  # it says nothing of its neighbours
        wrong = theirs if world.is_suspect(theirs) and not world.is_suspect(ours) else ours
        other = ours if wrong is theirs else theirs
        row = f"{wrong.interface} dev {wrong.link}: {other.netns} has {other.interface}"
        at = LinkId(netns=wrong.netns, name=wrong.link)
        there = LinkId(netns=other.netns, name=other.link)
        return finding_at(Reason.WRONG_PREFIX_LENGTH, at.netns, at, row, wrong, others=(there,))
    return None


def _holders(world: World, link: LinkId, next_hop: IpAddress) -> tuple[LinkId, ...]:
    return tuple(it for it in world.holders.get(next_hop, ()) if it.netns != link.netns)


def _missing_holder(world: World, next_hop: IpAddress) -> Address | None:
    found = (it for it in missing_objects(world.tables) if isinstance(it, Address))
    return next((it for it in found if it.interface.ip == next_hop), None)


def _to(world: World, journey: Journey, holder: LinkId) -> Resolved | None:
    """Without asking, as if the answer had been right."""
    link = next(iter(answer_links(world, holder)), None)
    if link is None:
        return None
    return Resolved(journey=journey, link=link, mac=world.fib.links[link].mac)


def _known(
    world: World,
    journey: Journey,
    link: LinkId,
    next_hop: IpAddress,
    packet: Packet,
    holders: tuple[LinkId, ...],
) -> Resolved | None:
    """By an entry of the cache, if there is a usable one."""
    entry = _entry(world, link, next_hop)
    if entry is None:
        return None
    fixed = isinstance(entry, Neighbour) or entry.state in _FIXED
    state = "PERMANENT" if isinstance(entry, Neighbour) else entry.state.value.upper()
    row = f"{next_hop} dev {link.name} lladdr {entry.mac} {state}"
    for holder in holders:
        for it in answer_links(world, holder):
            if world.fib.links[it].mac == entry.mac:
                journey = journey.decide(link.netns, link, packet, row)
                return Resolved(journey=journey, link=it, mac=entry.mac)
    for it in proxies(world, link, next_hop):
        if world.fib.links[it].mac == entry.mac:
            journey = journey.decide(link.netns, link, packet, row)
            return Resolved(journey=journey, link=it, mac=entry.mac)
    reason = Reason.WRONG_STATIC_NEIGHBOUR if fixed else Reason.STALE_NEIGHBOUR
    held = Neighbour(netns=link.netns, link=link.name, address=next_hop, mac=entry.mac)
    right = _to(world, journey, holders[0])
    row += f", but {right.link} has {right.mac}" if right else ""
    found = finding_at(reason, link.netns, link, row, held)
    return replace(right, journey=journey.find(packet, found)) if right else None


def _entry(world: World, link: LinkId, next_hop: IpAddress) -> Neighbour | NeighbourEntry | None:
    for fixed in world.tables.state.neighbours:
        if fixed.id == (link.netns, link.name, next_hop):
            return fixed
    for it in world.tables.neighbours:
        if (it.netns, it.link, it.address) == (link.netns, link.name, next_hop):
            return it if it.mac and it.state in _USABLE else None
    return None


def _ask_all(
    world: World,
    journey: Journey,
    link: LinkId,
    next_hop: IpAddress,
    packet: Packet,
    holders: tuple[LinkId, ...],
    missing: Address | None,
) -> Resolved | None:
    """Ask each node that holds the address. If two would answer, nobody knows who is heard."""
    tried = [
        answered
        for holder in holders
        if (
            answered := _ask(
                world,
                journey,
                link,
                next_hop,
                packet,
                holder,
                missing,
                answer_links(world, holder),
            )
        )
    ]
    before = _price(world, journey)
    heard = [it for it in tried if it.reached and _price(world, it.journey) == before]
    if len({it.link.netns for it in heard}) > 1:
        return _duplicate(world, heard, next_hop, packet)
    best = min(tried, key=lambda it: (not it.reached, _price(world, it.journey)), default=None)
    if best is None or not best.reached or _price(world, best.journey) > before:
        for proxy in proxies(world, link, next_hop):
            answered = _ask(world, journey, link, next_hop, packet, holders[0], None, (proxy,))
            if answered and answered.reached and _price(world, answered.journey) == before:
                return answered
    return best


def _duplicate(
    world: World, heard: list[Resolved], next_hop: IpAddress, packet: Packet
) -> Resolved:
    """Two nodes answer: the one that is not meant to is in the way of the other."""
    held = {
        it.link: next(
            (
                address
                for address in world.fib.addresses.get(it.link.netns, ())
                if address.interface.ip == next_hop
            ),
            None,
        )
        for it in heard
    }
    wrong = next((it for it in heard if world.is_suspect(held[it.link])), heard[-1])
    right = next(it for it in heard if it is not wrong)
    row = f"{next_hop} is held by {right.link} and by {wrong.link}"
    finding = finding_at(
        Reason.DUPLICATE_ADDRESS,
        wrong.link.netns,
        wrong.link,
        row,
        held[wrong.link],
        others=(right.link,),
    )
    return replace(right, journey=right.journey.find(packet, finding))


def _ask(
    world: World,
    journey: Journey,
    link: LinkId,
    next_hop: IpAddress,
    packet: Packet,
    holder: LinkId,
    missing: Address | None,
    targets: tuple[LinkId, ...],
) -> Resolved | None:
    """The question, the answer and its way back; None where no frame can get there."""
    if packet.is_ip:
        sent, question = _leave(world, journey, link, _question(world, link, next_hop, packet))
    else:
        sent, question = journey, packet
    best: tuple[tuple[bool, int, int], Resolved] | None = None
    for target in targets:
        asked = cross(
            world.tables, link, question, (target,), index=world.index, underlay=world.underlay
        )
        here = sent.append(asked)
        crossed, heard_back, question_steps = len(asked.stops), False, len(here.steps)
        if asked.arrived:
            here, heard = _arrive(world, here, target, asked.packet)
            unanswered = check_answer(world, target, holder, next_hop, heard, missing=missing)
            here = here.find(heard, unanswered)
            question_steps = len(here.steps)
            here, answer = _leave(world, here, target, _answer(world, target, heard))
            index = learn(world.index, asked)
            back = cross(
                world.tables, target, answer, (link,), index=index, underlay=world.underlay
            )
            here, _ = _arrive(world, here.append(back), link, back.packet)
            crossed += len(back.stops)
            heard_back = back.arrived
        elif target != targets[0]:
            continue
        found = Resolved(
            journey=here,
            link=target,
            mac=world.fib.links[target].mac,
            reached=asked.arrived,
            asked=question_steps,
            heard=heard_back,
        )
        key = (not asked.arrived, _price(world, here), crossed)
        if best is None or key < best[0]:
            best = (key, found)
        if best[0][:2] == (False, _price(world, journey)):
            break
    return best[1] if best else None


def _price(world: World, journey: Journey) -> int:
    return cost((step.finding for step in journey.steps if step.finding), world.tables)


def _leave(world: World, journey: Journey, link: LinkId, packet: Packet) -> tuple[Journey, Packet]:
    journey, packet = pass_hook(world, journey, link.netns, "output", packet, oif=link)
    if packet.version == 6:
        journey, packet = pass_hook(world, journey, link.netns, "postrouting", packet, oif=link)
    return journey, packet


def _arrive(world: World, journey: Journey, link: LinkId, packet: Packet) -> tuple[Journey, Packet]:
    if packet.version == 6:
        journey, packet = pass_hook(world, journey, link.netns, "prerouting", packet, iif=link)
    return pass_hook(world, journey, link.netns, "input", packet, iif=link)


def _question(world: World, link: LinkId, next_hop: IpAddress, packet: Packet) -> Packet:
    six = isinstance(next_hop, IPv6Address)
    return Packet(
        source_mac=world.fib.links[link].mac,
        destination_mac=_solicited_node_mac(next_hop) if six else BROADCAST,
        source=asking_address(world, link, next_hop, packet),
        destination=_solicited_node(next_hop) if six else next_hop,
        payload=Payload.WHO_HAS,
        protocol=_ICMPV6 if six else 0,
        icmp_type=_SOLICITATION if six else None,
        ttl=_ND_HOP_LIMIT,
        length=_ND_BYTES if six else _ARP_BYTES,
        target=next_hop,
    )


def asking_address(world: World, link: LinkId, next_hop: IpAddress, packet: Packet) -> IpAddress:
    """The address that asks: arp_announce of ip-sysctl, net/ipv4/arp.c (arp_solicit)."""
    held = world.fib.addresses.get(link.netns, ())
    own = any(it.interface.ip == packet.source for it in held)
    announce = world.conf(link, "arp_announce").value if next_hop.version == 4 else "0"
    near = any(
        packet.source in it.interface.network and next_hop in it.interface.network
        for it in world.fib.addresses_of(link)
    )
    if own and (announce == "0" or (announce == "1" and near)):
        return packet.source
    return select_address(world.fib, link.netns, link, next_hop) or packet.source


def _answer(world: World, link: LinkId, question: Packet) -> Packet:
    six = question.version == 6
    return Packet(
        source_mac=world.fib.links[link].mac,
        destination_mac=question.source_mac,
        source=question.target or question.destination,
        destination=question.source,
        payload=Payload.IS_AT,
        protocol=question.protocol,
        icmp_type=_ADVERTISEMENT if six else None,
        ttl=question.ttl,
        length=question.length,
        target=question.target,
    )


def _solicited_node(address: IpAddress) -> IPv6Address:
    """RFC 4291, 2.7.1."""
    return IPv6Address((0xFF02_0000_0000_0000_0000_0001_FF00_0000) | int(address) & 0xFFFFFF)


def _solicited_node_mac(address: IpAddress) -> str:
    """RFC 2464, 7."""
    last = (0xFF000000 | int(address) & 0xFFFFFF).to_bytes(4)
    return "33:33:" + ":".join(f"{octet:02x}" for octet in last)
