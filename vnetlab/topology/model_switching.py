"""Physical switches, their links and spanning trees as a user writes them (pure)."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

from vnetlab.topology.forms import FLAG_FORM, Delay, Flag, ShortForm, Text, Vlan, number_form
from vnetlab.topology.model_cables import Trunk
from vnetlab.topology.part import Part
from vnetlab.topology.switching import LAG_MODES, TEAM_MODES
from vnetlab.topology.values import parse_integer
from vnetlab.topology.wording import InvalidValueError, got, join_choices

MOST_MEMBERS = 8
_MEMBERS, _COSTS = (1, MOST_MEMBERS), (1, 65535)
_BRIDGE_PRIORITIES, _PORT_PRIORITIES = (0, 65535), (0, 63)

_MEMBERS_FORM = number_form("members", "Cables of a link.", _MEMBERS, 2)
_COST_FORM = number_form("path cost", "IEEE 802.1D-1998, 8.5.5.3.", _COSTS, 10)
_PRIORITY_FORM = number_form("bridge priority", "The lowest is the root.", _BRIDGE_PRIORITIES, 4096)
_PORT_PRIORITY_FORM = number_form("port priority", "The lowest wins.", _PORT_PRIORITIES, 16)


def _parse_mode(value: object, modes: tuple[str, ...]) -> str:
    if value in modes:
        return str(value)
    raise InvalidValueError(got(value, join_choices(modes)).text)


def _integer(limits: tuple[int, int], form: JsonSchemaValue) -> Any:
    return (BeforeValidator(lambda value: parse_integer(value, *limits)), WithJsonSchema(form))


def _mode(title: str, modes: tuple[str, ...]) -> Any:
    pattern = "|".join(re.escape(mode) for mode in modes)
    form = {
        "title": title,
        "description": "How a bond shares out frames.",
        "examples": [*modes],
        "type": "string",
        "pattern": f"^({pattern})$",
    }
    return (BeforeValidator(lambda value: _parse_mode(value, modes)), WithJsonSchema(form))


TeamMode = Annotated[str, *_mode("teaming", TEAM_MODES)]
LagMode = Annotated[str, *_mode("LAG", LAG_MODES)]
Members = Annotated[int, *_integer(_MEMBERS, _MEMBERS_FORM)]
Cost = Annotated[int, *_integer(_COSTS, _COST_FORM)]
BridgePriority = Annotated[int, *_integer(_BRIDGE_PRIORITIES, _PRIORITY_FORM)]
PortPriority = Annotated[int, *_integer(_PORT_PRIORITIES, _PORT_PRIORITY_FORM)]


class Stp(Part):
    """The spanning tree of a physical switch (IEEE 802.1D-1998). Short form: `true` or `false`."""

    model_config = ConfigDict(title="spanning tree")

    enabled: Flag = Field(default=True, description="Whether it takes part in one.")
    priority: BridgePriority = Field(
        default=32768, description="Bridge priority. The switch with the lowest is the root."
    )
    hello_time: Delay = Field(
        default=2_000_000_000, description="How often the root says that it is there: 1s to 10s."
    )
    max_age: Delay = Field(
        default=20_000_000_000, description="How long that is believed: 6s to 40s."
    )
    forward_delay: Delay = Field(
        default=15_000_000_000,
        description="How long a port listens, and then learns, before it forwards: 2s to 30s.",
    )


class SwitchLink(Trunk):
    """A link to another physical switch, written at one of the two. Short form: its `to`."""

    model_config = ConfigDict(title="switch link")

    to: Text | None = Field(
        default=None, description="The other switch. Default: the only other one."
    )
    peer_native: Vlan | None = Field(
        default=None,
        description="VLAN that the other switch's port carries without a tag. Default: `native`.",
    )
    members: Members | None = Field(
        default=None,
        description="How many cables it is made of; more than one are a LAG. "
        "Default: one; with `lag` two.",
    )
    lag: LagMode | None = Field(
        default=None,
        description="How both ends share out frames to the members. "
        "Default: 802.3ad where there are several.",
    )
    cost: Cost | None = Field(
        default=None, description="STP's path cost at both ends. Default: 2, as of 10 Gbit/s."
    )
    priority: PortPriority | None = Field(
        default=None, description="STP's port priority at both ends. Default: 32."
    )


class PhysicalSwitch(Part):
    """A physical switch. Its ports are made from what is connected to it."""

    model_config = ConfigDict(title="physical switch")

    stp: Annotated[Stp, ShortForm("enabled", of=bool, form=FLAG_FORM)] | None = Field(
        default=None, description="Its spanning tree. Default: none."
    )
    links: tuple[Annotated[SwitchLink, ShortForm("to")], ...] = Field(
        default=(), description="Its links to other physical switches. Default: none."
    )
