"""Faults of overlays: VTEPs that do not find each other (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from vnetlab.faults.fault import Fault, Place, find_link, link_places, place_of
from vnetlab.state.edit import put, take
from vnetlab.state.objects import LinkId, Role, State
from vnetlab.state.overlays import FdbEntry

_OTHER_VNI = 16_000_000
_OTHER_PORT = 14789


def tunnel_faults() -> Iterator[Fault]:
    """Another VNI, another port, no or a wrong entry for the remote VTEP."""
    yield Fault(
        kind="vtep-other-vni",
        code="hypervisor.vni-mismatch",
        title="a VTEP has another VNI than the others",
        places=link_places(Role.VTEP),
        change=_with_other(vni=_OTHER_VNI),
    )
    yield Fault(
        kind="vtep-other-port",
        code="hypervisor.vxlan-port-mismatch",
        title="a VTEP uses another UDP port than the others",
        places=link_places(Role.VTEP),
        change=_with_other(port=_OTHER_PORT),
    )
    yield Fault(
        kind="vtep-remote-missing",
        code="hypervisor.no-remote-vtep",
        title="a VTEP has no entry for another one",
        places=_remotes,
        change=lambda state, place: take(state, _entry(place)),
    )


def _with_other(**values: Any) -> Callable[[State, Place], State]:
    """Return a change that sets fields of the place's VXLAN link."""

    def change(state: State, place: Place) -> State:
        link = find_link(state, place)
        assert link.vxlan is not None
        return put(state, replace(link, vxlan=replace(link.vxlan, **values)))

    return change


def _remotes(state: State) -> Iterator[Place]:
    links = {link.id: link for link in state.links}
    for entry in sorted(state.fdb_entries, key=lambda e: (e.netns, e.link, str(e.remote))):
        link = links.get(LinkId(netns=entry.netns, name=entry.link))
        if entry.remote is not None and link is not None and link.role is Role.VTEP:
            yield replace(place_of(link), item=entry)


def _entry(place: Place) -> FdbEntry:
    assert isinstance(place.item, FdbEntry)
    return place.item
