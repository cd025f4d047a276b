"""Copies for promiscuous ports: filters made from the ports and VLANs of a bridge (pure).

`hooks.py` says how they work. A frame of a VLAN has a tag at a port or none, and so has its copy at
the promiscuous port: where the two differ, the tag is put on or taken off for the copy, and put
back. A promiscuous port learns nothing by flooding of unknown unicast any more, so that its own MAC
is a static entry of its bridge: what is for it still finds it.

A filter's priority comes from what it matches, not from how many there are: one promiscuous port
more or less leaves those of the others where they are.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from vnetlab.state.filters import ETH_P_8021Q, ETH_P_ALL, Action, Filter, action
from vnetlab.state.hooks import UNICAST, clsact, mirror_to, on_ingress
from vnetlab.state.objects import BridgeVlan, Link, LinkId, Object
from vnetlab.state.overlays import FdbEntry

_TAGGED_OWN = range(0x1000, 0x5000)
_TAGGED_REST = 0x5000  # and the VLAN id
_OTHER_TAGS = 0x6000
_BARE_OWN = range(0x7000, 0xF000)
_BARE_REST = 0xF000
"""Priorities: what is for a promiscuous port itself before the rest, a tag before none."""

_PASS = action("gact", then="pass")
_Vlan = int | None
_Ports = Mapping[LinkId, Mapping[_Vlan, BridgeVlan | None]]
"""Of each port of a bridge the VLANs that it carries; just None where the bridge has no VLANs."""


def mirrors(objects: Collection[Object], promiscuous: Mapping[LinkId, str]) -> Iterator[Object]:
    """What gives each of the `promiscuous` ports copies of its VLANs' frames.

    They are given with the MAC of the vNIC that is plugged in; `objects` has their bridges, all
    ports of those and their VLANs.
    """
    links = [item for item in objects if isinstance(item, Link)] if promiscuous else []
    watched = {(link.netns, link.master) for link in links if link.id in promiscuous}
    for bridge in (link for link in links if (link.netns, link.name) in watched):
        members = {
            link.id for link in links if (link.netns, link.master) == (bridge.netns, bridge.name)
        }
        watching = {port: mac for port, mac in promiscuous.items() if port in members}
        ports = _ports(members, objects, filtering=bridge.vlan_filtering)
        for port in sorted(ports):
            yield from _at_port(port, ports, watching)
        yield from _own_entries(ports, watching)


def _ports(members: Collection[LinkId], objects: Iterable[Object], *, filtering: bool) -> _Ports:
    if not filtering:
        return {port: {None: None} for port in members}
    found: dict[LinkId, dict[_Vlan, BridgeVlan | None]] = {port: {} for port in members}
    for item in objects:
        if isinstance(item, BridgeVlan):
            port = LinkId(netns=item.netns, name=item.link)
            if port in found:
                found[port][item.vid] = item
    return found


def _own_entries(ports: _Ports, watching: Mapping[LinkId, str]) -> Iterator[FdbEntry]:
    for port, mac in watching.items():
        for vlan in ports[port]:
            yield FdbEntry(netns=port.netns, link=port.name, mac=mac, vlan=vlan)


def _at_port(port: LinkId, ports: _Ports, watching: Mapping[LinkId, str]) -> Iterator[Object]:
    """The filters of one port: its VLANs with a tag first, then the one without."""
    filters: dict[int, Filter] = {}
    by_tag = sorted(ports[port].items(), key=lambda it: (_is_bare(it[1]), it[0] or 0))
    for vlan, here in by_tag:
        targets = sorted(it for it in watching if it != port and vlan in ports[it])
        if not targets:
            continue
        tag = None if _is_bare(here) else vlan
        if tag is None and vlan is not None:  # what has the tag of another VLAN is not of this one
            filters[_OTHER_TAGS] = _filter(port, _OTHER_TAGS, (_PASS,), tagged=True)
        for mac, receivers in _receivers(targets, watching):
            copies = tuple(_copies(vlan, receivers, ports, tagged=tag is not None))
            matches = {"destination": mac} | ({} if tag is None else {"vlan": str(tag)})
            priority = _priority(mac, tag, filters)
            filters[priority] = _filter(port, priority, copies, tagged=tag is not None, **matches)
    if filters:
        yield clsact(port)
        yield from filters.values()


def _priority(mac: str, tag: _Vlan, taken: Collection[int]) -> int:
    """Where the filter for frames to `mac` stands: the first free place from its own on."""
    if mac == UNICAST:
        return _BARE_REST if tag is None else _TAGGED_REST + tag
    places = _BARE_OWN if tag is None else _TAGGED_OWN
    digest = int.from_bytes(hashlib.blake2b(f"{mac} {tag}".encode(), digest_size=4).digest())
    wanted = (places[(digest + step) % len(places)] for step in range(len(places)))
    return next(place for place in wanted if place not in taken)


def _receivers(
    targets: list[LinkId], watching: Mapping[LinkId, str]
) -> Iterator[tuple[str, list[LinkId]]]:
    """Who gets a copy of what: nobody of what is for itself, everybody of the rest."""
    for own in targets:
        yield watching[own], [other for other in targets if other != own]
    yield UNICAST, targets


def _copies(
    vlan: _Vlan, receivers: list[LinkId], ports: _Ports, *, tagged: bool
) -> Iterator[Action]:
    """The actions: copies of the frame as it is, then those of it with its tag turned."""
    by_form: dict[bool, list[LinkId]] = defaultdict(list)
    for receiver in receivers:
        by_form[_leaves_bare(ports[receiver][vlan]) != (not tagged)].append(receiver)
    turn = [_tag(vlan, push=not tagged)] if by_form[True] else []
    back = [_tag(vlan, push=tagged)] if by_form[True] else []
    yield from (mirror_to(port.name, then="pipe") for port in by_form[False])
    yield from turn
    yield from (mirror_to(port.name, then="pipe") for port in by_form[True])
    yield from back
    yield _PASS


def _tag(vlan: _Vlan, *, push: bool) -> Action:
    if push and vlan is not None:
        return action("vlan", mode="push", vid=vlan, then="pipe")
    return action("vlan", mode="pop", then="pipe")


def _filter(
    port: LinkId, priority: int, actions: tuple[Action, ...], *, tagged: bool, **matches: str
) -> Filter:
    protocol = ETH_P_8021Q if tagged else ETH_P_ALL
    return on_ingress(port, priority, *actions, protocol=protocol, **matches)


def _is_bare(vlan: BridgeVlan | None) -> bool:
    """Whether frames of the VLAN come in without a tag."""
    return vlan is None or vlan.pvid


def _leaves_bare(vlan: BridgeVlan | None) -> bool:
    """Whether frames of the VLAN go out without a tag."""
    return vlan is None or vlan.untagged
