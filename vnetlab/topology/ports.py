"""Ports, tagged networks and routes with nothing left to guess (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vnetlab.topology.ip import Address, Interface, Network
from vnetlab.topology.limits import StormLimit, VnicShaping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology import model, model_ports


class Security(Struct, frozen=True, kw_only=True):
    """What a port lets its guest do; each is True where it is accepted."""

    forged_transmits: bool = True
    mac_changes: bool = True
    promiscuous: bool = False


class Port(Struct, frozen=True, kw_only=True):
    """A port of a switch that a guest is plugged into.

    `untagged` is the VLAN of frames without a tag, None where they go nowhere or where there are
    no VLANs; `tagged` are the VLANs that reach the guest with a tag, sorted: none at an access
    port. `group` is the port group's name, None where there is none.
    """

    group: str | None
    untagged: int | None
    tagged: tuple[int, ...]
    isolated: bool
    security: Security
    shaping: VnicShaping
    storm_limit: StormLimit


class TaggedInterface(Struct, frozen=True, kw_only=True):
    """A network that a guest is in with a tag: an 802.1Q sub-interface."""

    segment: str
    addresses: tuple[Interface, ...]


class StaticRoute(Struct, frozen=True, kw_only=True):
    """A static route; `via` is None for one that is not unicast. `metric` 0: none given.

    `vrf` is the router's VRF that it belongs to, None for the main table.
    """

    destination: Network
    via: Address | None
    type: str
    metric: int
    vrf: str | None


def untagged_vlan(
    nic: model.Nic, group: model_ports.PortGroup | None, networks: Mapping[str, model.Network]
) -> int | None:
    """The VLAN of frames without a tag: a trunk's native one, else that of the network."""
    if group and group.trunk is not None:
        return group.native
    network = networks.get((group.network if group else None) or nic.network or "")
    return network.vlan if network else None
