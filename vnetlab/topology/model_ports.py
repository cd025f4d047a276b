"""Port groups, tagged networks and routes as a user writes them (pure)."""

from typing import Annotated, ClassVar, Protocol

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import EMPTY, Address4, Address6, Flag, Names, ShortForm, Text, Vlan
from vnetlab.topology.forms_ports import (
    ROUTE,
    Consent,
    Metric,
    RouteKindName,
    RouteTo,
    Settings,
    Via,
    Vlans,
)
from vnetlab.topology.model_limits import StormLimit, VnicShaping
from vnetlab.topology.part import Part


class Security(Part):
    """What a port lets a guest do. What is not said is not enforced."""

    model_config = ConfigDict(title="security")

    forged_transmits: Consent | None = Field(
        default=None,
        description="Frames from the guest whose source is not the vNIC's MAC address. "
        "Default: accept.",
    )
    mac_changes: Consent | None = Field(
        default=None,
        description="Unicast frames to the guest that are not for the vNIC's own MAC address: "
        "it took another one. Default: accept.",
    )
    promiscuous: Consent | None = Field(
        default=None,
        description="Whether the guest gets a copy of all that passes the vSwitch in its VLAN. "
        "Default: reject.",
    )


class PortGroup(Part):
    """Settings that ports of vSwitches have in common. A port of a trunk leaves tags to its guest.

    Short form: its `network`.
    """

    model_config = ConfigDict(title="port group")

    network: Text | None = Field(
        default=None,
        description="Network that its vNICs are in, and whose VLAN its access ports have. "
        "Default: the vNIC's own.",
    )
    trunk: Vlans | None = Field(
        default=None,
        description="VLANs that reach the guest with a tag: `all` of the file, or a list. "
        "Default: none, an access port.",
    )
    native: Vlan | None = Field(
        default=None, description="VLAN that a trunk carries without a tag. Default: none."
    )
    isolated: Flag = Field(
        default=False,
        description="Whether its ports reach none of each other (private VLAN), on any hypervisor.",
    )
    shaping: VnicShaping | None = Field(
        default=None, description="How fast each of its vNICs may be. Default: not limited."
    )
    storm_limit: StormLimit | None = Field(
        default=None, description="How much each of its vNICs may send to many. Default: no limit."
    )
    security: Security | None = Field(
        default=None, description="What its ports let guests do. Default: what a switch does."
    )
    security_groups: Names = Field(
        default=(),
        description="Security groups of all its vNICs, beside their own. Default: none.",
    )


class Tagged(Part):
    """A network that a guest reaches with a tag: eth0.VLAN. Short form: its `network`."""

    model_config = ConfigDict(title="tagged network")

    network: Text | None = Field(default=None, description="Network. Default: must be given.")
    ipv4: Address4 | None = Field(default=None, description="IPv4 address. Default: assigned.")
    ipv6: Address6 | None = Field(default=None, description="IPv6 address. Default: assigned.")


TaggedNetworks = tuple[Annotated[Tagged, ShortForm("network")], ...]


class Route(Part):
    """A static route. Short form: `10.9.0.0/16 via 10.0.0.7`, `blackhole 10.9.0.0/16`."""

    model_config = ConfigDict(title="route")
    takes_defaults: ClassVar[bool] = False

    to: RouteTo | None = Field(
        default=None, description="Prefix, or `default` for all. Default: must be given."
    )
    via: Via | None = Field(
        default=None, description="Address of the next router. Default: none, for a type without."
    )
    type: RouteKindName = Field(
        default="unicast", description="What is done with the packet, as in ip-route(8)."
    )
    metric: Metric = Field(default=0, description="Of two routes the smaller one counts.")


Routes = tuple[Annotated[Route, ROUTE, EMPTY], ...]


class Machine(Part):
    """What every node with an IP stack may have."""

    routes: Routes = Field(
        default=(),
        description="Static routes; one for `default` replaces that to the gateway. Default: none.",
    )
    sysctls: Settings = Field(
        default={},
        description="Kernel settings by name, as sysctl(8) has them. Default: none.",
    )


class Attached(Protocol):
    """A NIC of a VM or a host."""

    @property
    def network(self) -> str | None:
        """The network of frames without a tag."""

    @property
    def tagged(self) -> tuple[Tagged, ...]:
        """The networks of frames with one."""


def networks_of(nic: Attached) -> tuple[str, ...]:
    """The names of the networks that a NIC is in, with a tag or without."""
    names = (nic.network, *(tagged.network for tagged in nic.tagged))
    return tuple(name for name in names if name is not None)
