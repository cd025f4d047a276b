"""Bonds: which slave sends a frame, and which take one in (pure): drivers/net/bonding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from vnetlab.state.objects import Kind, Link, LinkId, Role
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.names import name_of
from vnetlab.trace.forwarding.packet import Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.sighting import Direction, PacketKind, Sighting

_CABLED = (Role.PNIC, Role.PHYSICAL_PORT)
"""Links that are slaves of bonds, or that could be."""


def send(world: World, frame: Frame, bond: Link) -> Iterator[Frame]:
    """The frame out of a slave that the bond sends by; by others, with a finding.

    A balancing bond chooses by a hash or in turn: each of its slaves is possible, unless packets of
    the probe were seen to leave by some.
    """
    active = _active(world, bond)
    seen = world.tables.sending_slaves.get((bond.id, frame.packet.payload.value), active)
    active = active & seen or active
    slaves = world.index.ports.get(bond.id, ())
    shown = f"cat /proc/net/bonding/{bond.name}: {name_of(bond)}"
    if not slaves:
        yield frame.stopped(without_slaves(bond)).lost()
        for link in world.index.loose.get(bond.netns, ()) if world.soft else ():
            if link.role in _CABLED:
                yield frame.stopped(without_slaves(bond)).at(Point.SEND, link.id)
    for slave in slaves:
        if slave.name in active:
            among = f"{shown} sends by {', '.join(sorted(active))}"
            yield frame.decided(among, at=bond.id).at(Point.SEND, slave.id)
        elif not world.passes(slave) and not active:
            yield frame.at(Point.SEND, slave.id)
        elif active:
            row = f"{shown} sends by {', '.join(sorted(active))}, not by {name_of(slave)}"
            backup = finding(Reason.BACKUP_SLAVE, slave.id, row, slave)
            yield frame.stopped(backup).at(Point.SEND, slave.id)
        else:
            row = f"{shown} has no active slave"
            none = finding(Reason.NO_ACTIVE_SLAVE, bond.id, row, bond)
            yield frame.stopped(none).at(Point.SEND, slave.id)


def find_empty(world: World, link: Link, bridge: Link) -> Link | None:
    """The bond that a loose link was a slave of, as it seems: a bridge's port without slaves."""
    if link.role not in _CABLED:
        return None
    bonds = (it for it in world.index.ports.get(bridge.id, ()) if it.kind is Kind.BOND)
    return next((bond for bond in bonds if not world.index.ports.get(bond.id)), None)


def without_slaves(bond: Link) -> Finding:
    """A bond that has none."""
    row = f"cat /proc/net/bonding/{bond.name}: {name_of(bond)} has no slaves"
    return finding(Reason.NO_ACTIVE_SLAVE, bond.id, row, bond)


def take_in(world: World, frame: Frame, slave: Link, bond: Link) -> Iterator[Frame]:
    """The frame into the bond, if the slave is an active one: bond_should_deliver_exact_match."""
    settings = bond.bond
    takes_all = settings is not None and settings.all_slaves_active
    if slave.name not in _active(world, bond) and not takes_all:
        row = f"cat /proc/net/bonding/{bond.name}: {name_of(slave)} is not active"
        frame = frame.stopped(finding(Reason.BACKUP_SLAVE, slave.id, row, slave))
    yield frame.at(Point.RECEIVE, bond.id)


def with_sightings(tables: Tables, sightings: Iterable[Sighting]) -> Tables:
    """The tables with the slaves that packets of a probe were seen to leave by, or must have.

    One that was seen to leave by a bond, and by none of its slaves, was lost in a slave's queue.
    """
    bonds = {
        (link.netns, link.name): LinkId(netns=link.netns, name=link.master)
        for link in tables.state.links
        if link.in_bond and link.master
    }
    left: defaultdict[tuple[LinkId, str], set[str]] = defaultdict(set)
    balance: Counter[tuple[LinkId, str]] = Counter()
    for it in sightings:
        kind = it.kind.value if it.kind in _QUESTIONS else Payload.IP.value
        own = LinkId(netns=it.netns, name=it.ifname)
        if it.direction is Direction.OUT and (it.netns, it.ifname) in bonds:
            bond = bonds[it.netns, it.ifname]
            left[bond, kind].add(it.ifname)
            balance[bond, kind] -= 1
        elif it.direction is Direction.OUT and own in bonds.values():
            balance[own, kind] += 1
    for bond, kind in [key for key, lost in balance.items() if lost > 0]:
        for queue in tables.state.qdiscs:
            if bonds.get((queue.netns, queue.link)) == bond:
                left[bond, kind].add(queue.link)
    return replace(tables, sending_slaves={key: frozenset(names) for key, names in left.items()})


_QUESTIONS = (PacketKind.WHO_HAS, PacketKind.IS_AT)


def _active(world: World, bond: Link) -> frozenset[str]:
    """The slaves that a bond sends by; where that was not read, those that it could send by."""
    known = world.tables.active_slaves.get(bond.id)
    if known is not None:
        return known
    slaves = world.index.ports.get(bond.id, ())
    return frozenset(slave.name for slave in slaves if world.passes(slave))
