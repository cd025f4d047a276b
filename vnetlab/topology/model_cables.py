"""Cables as a user writes them: what each direction does to what goes through it (pure)."""

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import Delay, Mtu, Rate, Share, Size, Vlan
from vnetlab.topology.part import Part


class CableShaping(Part):
    """The keys that a cable has for both directions, and each direction for itself."""

    rate: Rate | None = Field(
        default=None,
        description="Bandwidth: 1gbit, 1.5mbit, 64kbit, or a number of bit/s. "
        "Default: not limited.",
    )
    burst: Size | None = Field(
        default=None,
        description="How much may be sent at once, faster than the rate. "
        "Default: what the rate sends in 1 ms, and 16 KiB at least.",
    )
    queue: Size | None = Field(
        default=None,
        description="How much may wait for the rate before packets are dropped. "
        "Default: what the rate sends in 50 ms, and 128 KiB at least.",
    )
    delay: Delay | None = Field(default=None, description="Delay: 200us, 1.5ms, 2s. Default: 0.")
    jitter: Delay | None = Field(
        default=None,
        description="How much the delay of a packet may be shorter or longer, at random. "
        "Packets overtake each other where it is longer than the gap between them. Default: 0.",
    )
    loss: Share | None = Field(
        default=None, description="Share of packets that get lost, at random. Default: 0."
    )
    corruption: Share | None = Field(
        default=None,
        description="Share of packets with one bit that is flipped, at random. Default: 0.",
    )
    duplication: Share | None = Field(
        default=None, description="Share of packets that arrive twice, at random. Default: 0."
    )
    reordering: Share | None = Field(
        default=None,
        description="Share of packets that are not delayed and so overtake others, at random; "
        "it needs a delay. Default: 0.",
    )


class Direction(CableShaping):
    """One direction of a cable, where it is not as the other: its keys win over the cable's."""

    model_config = ConfigDict(title="direction")


class Cable(CableShaping):
    """A cable: what both directions do, what one does otherwise, and how large packets may be."""

    out: Direction | None = Field(
        default=None,
        description="What leaves the node in whose section this is written. Default: as the cable.",
    )
    in_: Direction | None = Field(
        default=None,
        alias="in",
        description="What arrives at the node in whose section this is written. "
        "Default: as the cable.",
    )
    mtu: Mtu | None = Field(
        default=None,
        description="Largest packet in bytes, at both ends. Default: the largest of all networks'.",
    )


class Trunk(Cable):
    """A cable to a trunk port of a physical switch."""

    vlans: tuple[Vlan, ...] | None = Field(
        default=None,
        description="VLANs that the physical switch's trunk port carries. "
        "Default: all of the file.",
    )
    native: Vlan | None = Field(
        default=None,
        description="VLAN that the physical switch's trunk port carries without a tag. Default: 1.",
    )
