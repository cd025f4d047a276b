"""Limits of a port group's vNICs as a user writes them (pure)."""

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import Rate, Size
from vnetlab.topology.part import Part


class Limit(Part):
    """How fast each vNIC of a port group may be in one direction."""

    model_config = ConfigDict(title="limit")

    average: Rate | None = Field(
        default=None, description="Bandwidth on average. Default: not limited."
    )
    peak: Rate | None = Field(
        default=None,
        description="Bandwidth while a burst lasts, more than the average. Default: not limited.",
    )
    burst: Size | None = Field(
        default=None,
        description="How much may be sent faster than the average. "
        "Default: what the average sends in 1 ms, and 16 KiB at least.",
    )


class VnicShaping(Limit):
    """How fast each vNIC of a port group may be, in both directions or each on its own."""

    model_config = ConfigDict(title="vNIC shaping")

    to_vm: Limit | None = Field(
        default=None, description="What the VM receives. Default: as both directions."
    )
    from_vm: Limit | None = Field(
        default=None, description="What the VM sends. Default: as both directions."
    )


class StormLimit(Part):
    """How much each vNIC of a port group may send to many; the rest is dropped."""

    model_config = ConfigDict(title="storm limit")

    broadcast: Rate | None = Field(
        default=None, description="Broadcasts, such as ARP requests. Default: not limited."
    )
    multicast: Rate | None = Field(
        default=None,
        description="Multicasts, such as IPv6 neighbour discovery. Default: not limited.",
    )
