"""Loops of links between switches, and which of them a spanning tree breaks (pure).

How it works: a bridge whose spanning tree is off passes on the BPDUs of others like any frame
(br_handle_frame() in net/bridge/br_input.c), so a loop of such switches breaks as soon as one
switch of it runs STP: that one hears itself. Two kinds of loop stay. Loops of switches without STP
alone, as no switch of them blocks a port. And loops where the BPDUs get lost on the way: they are
sent without a tag, so a switch on the way has to give them a VLAN (the native one of the port that
they come in by) and to send them on in it, at last without a tag again.
"""

from __future__ import annotations

from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import Struct, field

from vnetlab.topology.defaults import vlans_of
from vnetlab.topology.trunks import NO_VLAN, inter_switch_links, join_ends, root_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.trunks import InterSwitchLink

_NO_TAG = None


class _Port(Struct, frozen=True):
    """One end of a link, by its place in the tuple of all links and in the ends of that one."""

    link: int
    end: int


class _Wiring(Struct, frozen=True, dict=True):
    """The links in use at a time, and the switches that run STP."""

    links: tuple[InterSwitchLink, ...]
    trees: frozenset[str]
    _heard: dict[_Port, frozenset[_Port]] = field(default_factory=dict)

    @cached_property
    def ports_of(self) -> dict[str, list[_Port]]:
        """The ports of every switch."""
        found: dict[str, list[_Port]] = {}
        for link, it in enumerate(self.links):
            for end, switch in enumerate(it.ends):
                found.setdefault(switch, []).append(_Port(link, end))
        return found

    def switch(self, port: _Port) -> str:
        """The switch that has the port."""
        return self.links[port.link].ends[port.end]

    def bpdus_of(self, sender: _Port) -> frozenset[_Port]:
        """The ports of switches with STP that hear what this one's switch sends through it."""
        if sender not in self._heard:
            self._heard[sender] = frozenset(self._listeners(sender))
        return self._heard[sender]

    def _listeners(self, sender: _Port) -> Iterator[_Port]:
        on_wires: list[tuple[_Port, int | None]] = [(_across(sender), _NO_TAG)]
        seen = set(on_wires)
        while on_wires:
            port, tag = on_wires.pop()
            if self.switch(port) not in self.trees:
                further = [it for it in self._passed_on(port, tag) if it not in seen]
                seen.update(further)
                on_wires += further
            elif tag is _NO_TAG:
                yield port

    def _passed_on(self, port: _Port, tag: int | None) -> Iterator[tuple[_Port, int | None]]:
        """Where a switch without STP sends a BPDU on, and with which tag."""
        came_by = self.links[port.link].ports[port.end]
        vlan = came_by.native if tag is _NO_TAG else tag
        for other in self.ports_of[came_by.switch]:
            out = self.links[other.link].ports[other.end]
            if other != port and vlan in came_by.vlans & out.vlans:
                yield _across(other), _NO_TAG if vlan == out.native else vlan


def check_loops(file: File, findings: Findings) -> None:
    """Note links that give a VLAN a second way: its frames would circle without end."""
    links = tuple(link for link in inter_switch_links(file) if not link.is_spare)
    switches = file.physical_switches.items()
    trees = frozenset(name for name, it in switches if it.stp is not None and it.stp.enabled)
    wiring = _Wiring(links, trees)
    for vlan in vlans_of(file.networks.values()) or (NO_VLAN,):
        joined: dict[str, str] = {}
        for link in links:
            untreed = trees.isdisjoint(link.ends) and link.carries(vlan)
            if untreed and not join_ends(joined, *link.ends):
                _note(link, link.ends, vlan, _way_out(link), findings)
        if trees:
            _check_deaf(wiring, vlan, joined, findings)


def _check_deaf(wiring: _Wiring, vlan: int, joined: dict[str, str], findings: Findings) -> None:
    """Note the loops of a VLAN through switches with STP that do not hear of them.

    What is `joined` are the switches without STP: of the ports of others to them, those that hear
    each other share one segment, and a spanning tree there is no loop of segments.
    """
    areas: dict[str, list[_Port]] = {}
    tree: dict[str, str] = {}
    for index, link in enumerate(wiring.links):
        with_stp = [end for end, switch in enumerate(link.ends) if switch in wiring.trees]
        if len(with_stp) == 2 and link.carries(vlan):
            join_ends(tree, *link.ends)
        elif len(with_stp) == 1 and link.carries(vlan):
            port = _Port(index, with_stp[0])
            area = root_of(joined, wiring.switch(_across(port)))
            areas.setdefault(area, []).append(port)
    segments = {area: _segments(wiring, ports) for area, ports in areas.items()}
    for area, parts in segments.items():
        for number, part in enumerate(parts):
            for port in part:
                join_ends(tree, wiring.switch(port), f"{area} {number}")
    for area, parts in segments.items():
        for number, part in enumerate(parts[1:], start=1):
            if not join_ends(tree, f"{area} 0", f"{area} {number}"):
                link = wiring.links[part[0].link]
                ends = (wiring.switch(part[0]), wiring.switch(_across(part[0])))
                fix = (
                    f"give {ends[1]} 'stp: true' too, or its links one native VLAN that they carry"
                )
                if link.path[0] == "hypervisors":
                    fix = _way_out(link)
                _note(link, ends, vlan, fix, findings, why=" that no spanning tree hears of")


def _segments(wiring: _Wiring, ports: Sequence[_Port]) -> list[list[_Port]]:
    """The ports in groups of those that hear each other's BPDUs."""
    if len(ports) == 1:
        return [list(ports)]
    heard = {port: wiring.bpdus_of(port) for port in ports}
    joined: dict[str, str] = {}
    for one, two in combinations(ports, 2):
        if two in heard[one] and one in heard[two]:
            join_ends(joined, str(one), str(two))
    parts: dict[str, list[_Port]] = {}
    for port in ports:
        parts.setdefault(root_of(joined, str(port)), []).append(port)
    return list(parts.values())


def _across(port: _Port) -> _Port:
    return _Port(port.link, 1 - port.end)


def _note(
    link: InterSwitchLink,
    ends: tuple[str, str],
    vlan: int,
    fix: str,
    findings: Findings,
    *,
    why: str = "",
) -> None:
    what = "a loop" if vlan == NO_VLAN else f"a loop for VLAN {vlan}"
    findings.add(link.path, f"is a second way from {ends[0]} to {ends[1]}: {what}{why}", fix=fix)


def _way_out(link: InterSwitchLink) -> str:
    if link.path[0] == "hypervisors":
        return "remove it, carry other vlans on it, or make a team of the pNICs"
    return "remove it, carry other vlans on it, or give a switch of the loop 'stp: true'"
