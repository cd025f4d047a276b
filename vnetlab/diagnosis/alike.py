"""Failed pairs of a matrix that what stops one of them must stop as well (pure).

How it works
------------
To walk thousands of pairs that one pulled cable parts takes a minute. Two pairs within a network
are alike where each of their ends is a link on the same bridge and in the same VLAN, nothing at an
end is other than it is meant to be, and the taps between the ends saw the same of both. If one is
stopped between the ends by what asks for no address (a link that is down, a VLAN that a port does
not carry), so is the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct

from vnetlab.state.diff import Change
from vnetlab.state.objects import LinkId
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.index import Index
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.matrix import PairResult
from vnetlab.trace.request import IpAddress

_FOR_ALL_ADDRESSES = (
    Reason.LINK_DOWN,
    Reason.NO_CARRIER,
    Reason.BRIDGE_DOWN,
    Reason.VLAN_NOT_ALLOWED,
)


class _End(Struct, frozen=True, kw_only=True):
    """A link with an address, and the port of a bridge that it is plugged into."""

    port: LinkId
    network: IPv4Network | IPv6Network
    alike: Hashable
    """What it has in common with other links of its bridge, network and VLAN."""


class Alike:
    """The ends of a lab's guests, by what pairs are compared by."""

    def __init__(self, tables: Tables, index: Index, changes: Iterable[Change]) -> None:
        self._index = index
        self._held = {
            (it.netns, it.interface.ip): (it.link, it.interface.network)
            for it in tables.state.addresses
        }
        items = [item for it in changes for item in (it.old, it.new) if item is not None]
        self._changed = {
            (getattr(it, "netns", None), getattr(it, "link", None) or getattr(it, "name", None))
            for it in items
        }
        self._changed_nodes = {netns for netns, _ in self._changed}

    def key(self, result: PairResult) -> Hashable | None:
        """What is the same for all pairs that are alike; None where a pair has to be walked."""
        ends = self._ends(result)
        if ends is None or result.send_error:
            return None
        source, destination = ends
        if source.network != destination.network:  # each may have a gateway of its own
            return None
        between = frozenset(it for it in result.seen if self._is_between(it[0][:2], result, ends))
        request = result.request
        what = (request.protocol, request.port, request.size, request.to_application)
        return (source.alike, destination.alike, between, what)

    def stops_all(self, result: PairResult, stop: Finding) -> bool:
        """Whether what stops this pair stops all that are alike."""
        ends = self._ends(result)
        place = (stop.netns, stop.link or "")
        return (
            ends is not None
            and stop.reason in _FOR_ALL_ADDRESSES
            and self._is_between(place, result, ends)
        )

    def _is_between(
        self, place: tuple[str, str], result: PairResult, ends: tuple[_End, _End]
    ) -> bool:
        ports = {(end.port.netns, end.port.name) for end in ends}
        return place[0] not in result.names and place not in ports

    def _ends(self, result: PairResult) -> tuple[_End, _End] | None:
        ends = result.request.endpoints
        source = self._end(ends.source, ends.source_address)
        destination = self._end(ends.destination, ends.destination_address)
        return (source, destination) if source and destination else None

    def _end(self, netns: str, address: IpAddress) -> _End | None:
        if (netns, address) not in self._held:
            return None
        name, network = self._held[netns, address]
        link = self._index.links.get(LinkId(netns=netns, name=name))
        port = self._index.peer(link) if link else None
        bridge = self._index.bridge(port) if port else None
        if port is None or bridge is None or netns in self._changed_nodes:
            return None
        if (port.netns, port.name) in self._changed:
            return None
        pvid = self._index.pvid(port.id)
        alike = (bridge.id, network, pvid.vid if pvid else None)
        return _End(port=port.id, network=network, alike=alike)
