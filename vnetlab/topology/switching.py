"""Links between physical switches, teams and spanning trees with nothing left to guess (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vnetlab.topology.cables import Cable, resolve_cable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology import model_switching as model

ACTIVE_BACKUP, LACP, BALANCE_XOR = "active-backup", "802.3ad", "balance-xor"
TEAM_MODES = (ACTIVE_BACKUP, LACP, BALANCE_XOR)
LAG_MODES = (LACP, BALANCE_XOR, ACTIVE_BACKUP)
NATIVE_VLAN = 1
_NS_PER_CS = 10_000_000


class Stp(Struct, frozen=True, kw_only=True):
    """The spanning tree of a physical switch: IEEE 802.1D-1998. Times are in centiseconds."""

    priority: int
    hello_time_cs: int
    max_age_cs: int
    forward_delay_cs: int


class SwitchLink(Struct, frozen=True, kw_only=True):
    """A link to another physical switch, the `number`th between the two, from 1.

    `members` cables; `lag` is None where it is just one. `vlans` are those of both ends,
    `peer_native` is the native VLAN of the other one; `cost` and `priority` are STP's, None where
    nothing is said.
    """

    to: str
    number: int
    members: int
    lag: str | None
    cable: Cable
    vlans: tuple[int, ...]
    native: int | None
    peer_native: int | None
    cost: int | None
    priority: int | None


class PhysicalSwitch(Struct, frozen=True, kw_only=True):
    """A physical switch: one VLAN-filtering bridge in a namespace of its own.

    `stp` is None where it takes part in no spanning tree. A link is one switch's of the two.
    """

    name: str
    stp: Stp | None = None
    links: tuple[SwitchLink, ...] = ()


def resolve_switches(
    switches: Mapping[str, model.PhysicalSwitch], vlans: tuple[int, ...]
) -> tuple[PhysicalSwitch, ...]:
    """The physical switches of a file, which has these VLANs."""
    counts: dict[frozenset[str], int] = {}
    found = []
    for name, switch in switches.items():
        links = []
        for link in switch.links:
            pair = frozenset((name, str(link.to)))
            counts[pair] = counts.get(pair, 0) + 1
            links.append(_resolve_link(link, counts[pair], vlans))
        found.append(PhysicalSwitch(name=name, stp=_resolve_stp(switch.stp), links=tuple(links)))
    return tuple(found)


def members_of(link: model.SwitchLink) -> int:
    """How many cables a link is made of."""
    return link.members or (2 if link.lag else 1)


def _resolve_link(link: model.SwitchLink, number: int, vlans: tuple[int, ...]) -> SwitchLink:
    members = members_of(link)
    native = (link.native or NATIVE_VLAN) if vlans else None
    return SwitchLink(
        to=str(link.to),
        number=number,
        members=members,
        lag=(link.lag or LACP) if members > 1 else None,
        cable=resolve_cable(link),
        vlans=vlans if link.vlans is None else tuple(sorted(set(link.vlans))),
        native=native,
        peer_native=(link.peer_native or native) if vlans else None,
        cost=link.cost,
        priority=link.priority,
    )


def _resolve_stp(stp: model.Stp | None) -> Stp | None:
    if stp is None or not stp.enabled:
        return None
    return Stp(
        priority=stp.priority,
        hello_time_cs=stp.hello_time // _NS_PER_CS,
        max_age_cs=stp.max_age // _NS_PER_CS,
        forward_delay_cs=stp.forward_delay // _NS_PER_CS,
    )
