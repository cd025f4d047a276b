"""Which addresses a probe between two nodes carries (pure)."""

from __future__ import annotations

from ipaddress import ip_address

from vnetlab.errors import UsageError
from vnetlab.state.objects import LinkId, State
from vnetlab.topology.wording import did_you_mean
from vnetlab.trace.path import expected_path
from vnetlab.trace.request import Endpoints, IpAddress, RawFrame
from vnetlab.trace.wiring import Wiring, find_next_hop, index_wiring

_BROADCAST = "ff:ff:ff:ff:ff:ff"


class NotNeighboursError(UsageError):
    """Two nodes have no network in common, where ARP is asked for."""


def choose_endpoints(
    state: State,
    source: str,
    destination: str,
    *,
    version: int | None = None,
    wiring: Wiring | None = None,
) -> Endpoints:
    """Choose the addresses for a probe from node `source` to `destination`, a node or an address.

    IPv4 before IPv6 (unless `version` says which), two addresses of one network before others.
    The source's is the one that its kernel would choose: that of the network to the next hop.
    `wiring` is the state's if it is indexed already. Raises UsageError where there is no such node,
    or no address of the same family on both.
    """
    wiring = wiring or index_wiring(state)
    _check_node(wiring, source)
    destination_node, candidates = _resolve(wiring, destination)
    if destination_node == source:
        raise UsageError(f"probe: {source} is both source and destination, expected two nodes")
    pairs = [
        (local, remote)
        for remote in sorted(candidates, key=lambda a: a.version)
        for local in _held(wiring, source)
        if local.version == remote.version and version in (None, remote.version)
    ]
    if not pairs:
        raise _no_pair(wiring, source, destination, candidates, version)
    preferred = [pair for pair in pairs if pair[0].version == pairs[0][0].version]
    local, remote = preferred[0]
    if len(preferred) > 1:
        local, remote = min(preferred, key=lambda pair: _rank(wiring, source, *pair))
    return Endpoints(
        source=source,
        destination=destination_node,
        source_address=local,
        destination_address=remote,
    )


def frame_from(state: State, ends: Endpoints, vlan: int | None) -> RawFrame:
    """Return the frame that the source's vNIC would send to its next hop, with the tag `vlan`.

    Raises UsageError where the source has no way to the destination.
    """
    spans = expected_path(state, ends.source, ends.destination_address).spans
    macs = {link.id: link.mac for link in state.links}
    if not spans:
        raise UsageError(
            f"raw: {ends.source} has no route to {ends.destination_address}, expected a next hop "
            "to send the frame to"
        )
    hops = spans[0].hops
    link = next(hop.link_id for hop in reversed(hops) if hop.netns == ends.source)
    return RawFrame(
        link=link,
        target=hops[-1].link_id,
        source_mac=macs[link],
        destination_mac=macs[hops[-1].link_id],
        vlan=vlan,
    )


def question_from(state: State, meant: State, ends: Endpoints, vlan: int | None) -> RawFrame:
    """Return the frame in which the source's vNIC asks for the destination's MAC address.

    `meant` is the lab as it is meant to be, by which the vNICs are found first. Raises
    NotNeighboursError where the two have no network in common.
    """
    held = {(it.netns, it.interface.ip): it for it in (*state.addresses, *meant.addresses)}
    macs = {link.id: link.mac for link in (*meant.links, *state.links)}
    local = held.get((ends.source, ends.source_address))
    remote = held.get((ends.destination, ends.destination_address))
    if local is None or remote is None or remote.interface.ip not in local.interface.network:
        raise NotNeighboursError(
            f"arp: {ends.destination_address} of {ends.destination} is in no network "
            f"of {ends.source}, expected a neighbour: no router passes ARP on",
            fix="ask for the next hop, or leave out --proto arp",
        )
    source, target = (LinkId(netns=it.netns, name=it.link) for it in (local, remote))
    return RawFrame(
        link=source,
        target=target,
        source_mac=macs[source],
        destination_mac=_BROADCAST,
        vlan=vlan,
    )


def _rank(wiring: Wiring, source: str, local: IpAddress, remote: IpAddress) -> tuple[bool, bool]:
    """Smaller is better: on one network, in the network of the next hop."""
    networks = [i.network for _, i in wiring.addresses.get(source, ()) if i.ip == local]
    next_hop = find_next_hop(wiring, source, remote)
    leaves_by_it = next_hop is not None and any(next_hop.address in n for n in networks)
    return (not any(remote in n for n in networks), not leaves_by_it)


def _resolve(wiring: Wiring, name: str) -> tuple[str, tuple[IpAddress, ...]]:
    """The node that `name` means, and the addresses of it that may be probed."""
    try:
        address = ip_address(name)
    except ValueError:
        _check_node(wiring, name)
        return name, _held(wiring, name)
    holders = sorted(wiring.holders.get(address, ()))
    if not holders:
        raise UsageError(f"probe: no node of the lab holds {name}")
    return holders[0].netns, (address,)


def _held(wiring: Wiring, netns: str) -> tuple[IpAddress, ...]:
    return tuple(interface.ip for _, interface in wiring.addresses.get(netns, ()))


def _check_node(wiring: Wiring, name: str) -> None:
    if name not in wiring.nodes:
        raise UsageError(f"probe: no node '{name}'", fix=did_you_mean(name, sorted(wiring.nodes)))


def _no_pair(
    wiring: Wiring,
    source: str,
    destination: str,
    candidates: tuple[IpAddress, ...],
    version: int | None,
) -> UsageError:
    family = f"IPv{version}" if version else "IP"
    for name, held in ((source, _held(wiring, source)), (destination, candidates)):
        if not any(version in (None, address.version) for address in held):
            return UsageError(f"probe: {name} has no {family} address")
    return UsageError(f"probe: {source} and {destination} have no addresses of the same family")
