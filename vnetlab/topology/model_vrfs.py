"""VRFs of routers as a user writes them (pure)."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from vnetlab.topology.forms import EMPTY, Text, number_form
from vnetlab.topology.forms_ports import ROUTE
from vnetlab.topology.model_ports import Route
from vnetlab.topology.part import Part
from vnetlab.topology.values import parse_integer
from vnetlab.topology.wording import got

TABLES = (1, (1 << 32) - 1)
_RESERVED_TABLES = (253, 254, 255)  # default, main, local: rtnetlink(7)


def _parse_table(value: object) -> int:
    table = parse_integer(value, *TABLES)
    if table in _RESERVED_TABLES:
        raise got(value, "a table of its own", fix="253 to 255 are the kernel's")
    return table


_TABLE_FORM = number_form("routing table", "Not 253 to 255, the kernel's own.", TABLES, 1001)
Table = Annotated[int, BeforeValidator(_parse_table), WithJsonSchema(_TABLE_FORM)]


class Vrf(Part):
    """A VRF: a router within the router, with a routing table of its own."""

    model_config = ConfigDict(title="VRF")

    table: Table | None = Field(
        default=None, description="Number of its routing table. Default: one that is free."
    )


class RouterRoute(Route):
    """A static route of a router. Short form: `10.9.0.0/16 via 10.0.0.7`, as every route's."""

    model_config = ConfigDict(title="router's route")

    vrf: Text | None = Field(
        default=None, description="VRF whose table it is in. Default: none, the main table."
    )


RouterRoutes = tuple[Annotated[RouterRoute, ROUTE, EMPTY], ...]
