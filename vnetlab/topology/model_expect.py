"""Expectations as a user writes them: which node is to reach which, and which must not (pure)."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field

from vnetlab.topology.expectations import PROTOCOLS
from vnetlab.topology.forms import (
    EMPTY,
    EXPECTATION,
    Destination,
    Flag,
    Names,
    Port,
    Protocol,
    Text,
    list_if_null,
)
from vnetlab.topology.part import Part


class Expectation(Part):
    """What must be so between nodes. Short form: `A -> B tcp/80 via C`, `A -x- B`.

    It goes for every pair where A or B is a group; a node and itself are no pair.
    """

    model_config = ConfigDict(title="expectation")
    takes_defaults: ClassVar[bool] = False

    from_: Text | None = Field(
        default=None, alias="from", description="Node or group that sends. Default: must be given."
    )
    to: Destination | None = Field(
        default=None,
        description="Node, group or address that is to answer. Default: must be given.",
    )
    proto: Protocol = Field(default=PROTOCOLS[0], description="What is sent.")
    port: Port | None = Field(
        default=None, description="Port of `tcp` or `udp`. Default: any that answers, the probe's."
    )
    via: Names | None = Field(
        default=None,
        description="Nodes that the packet must come through, in this order. Default: any way.",
    )
    blocked: Flag = Field(
        default=False, description="Whether it must not arrive, as `-x-` says in the short form."
    )


Expectations = Annotated[
    tuple[Annotated[Expectation, EXPECTATION, EMPTY], ...], BeforeValidator(list_if_null)
]
