"""How the values of ports, routes and kernel settings may be written (pure)."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import core_schema

from vnetlab.topology.forms import Sentence, Vlan
from vnetlab.topology.topology import Address, Network
from vnetlab.topology.values import (
    parse_address,
    parse_integer,
    parse_ipv4_prefix,
    parse_ipv6_prefix,
)
from vnetlab.topology.wording import InvalidValueError, got

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema
    from pydantic_core.core_schema import ValidatorFunctionWrapHandler

ALL = "all"
ROUTE_TYPES = ("unicast", "blackhole", "unreachable", "prohibit")
DEFAULT = "default"
_HIGHEST_METRIC = 2**32 - 1
_ROUTE = "a route such as '10.9.0.0/16 via 10.0.0.7' or 'blackhole 10.9.0.0/16'"
_SYSCTL = re.compile(r"net(\.[\w-]+)+|net(/[\w.-]+)+", re.ASCII)


def _choice(title: str, meaning: str, *words: str) -> tuple[BeforeValidator, WithJsonSchema]:
    def parse(value: object) -> object:
        if value not in words:
            raise got(value, " or ".join((", ".join(words[:-1]), words[-1])))
        return value

    described: JsonSchemaValue = {
        "title": title,
        "description": meaning,
        "examples": [*words],
        "type": "string",
        "pattern": f"^({'|'.join(words)})$",
    }
    return BeforeValidator(parse), WithJsonSchema(described)


class _AllOrSome:
    """Lets the word for all VLANs stand for a list of them."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        some = handler.generate_schema(tuple[Vlan, ...])
        return core_schema.no_info_wrap_validator_function(_parse_vlans, some)


def _parse_vlans(value: object, parse_list: ValidatorFunctionWrapHandler) -> object:
    if value == ALL:
        return ALL
    if not isinstance(value, list):
        raise got(value, "'all' or a list of VLAN ids")
    return parse_list(value)


def parse_destination(value: object) -> Network | str:
    """A prefix, or the word for all."""
    if value == DEFAULT:
        return DEFAULT
    if isinstance(value, str) and "/" in value:
        return (parse_ipv6_prefix if ":" in value else parse_ipv4_prefix)(value)
    raise got(value, "a prefix such as 10.9.0.0/16, or 'default'")


def _parse_metric(value: object) -> int:
    return parse_integer(value, 0, _HIGHEST_METRIC)


def _parse_settings(value: object) -> object:
    if value is not None and not isinstance(value, dict):
        raise got(value, "a mapping of settings, such as {net.ipv4.ip_forward: 1}")
    return value or {}


def _parse_setting_name(value: object) -> str:
    """The name of a kernel setting, with dots or slashes; the latter are returned."""
    if not isinstance(value, str) or not _SYSCTL.fullmatch(value):
        raise got(value, "a setting of the network such as net.ipv4.ip_forward")
    return value if "/" in value else value.replace(".", "/")


def _parse_setting(value: object) -> str:
    """The value of a kernel setting, as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise got(value, "a number or text")
    return " ".join(str(value).split())


def _parse_route(text: str) -> object:
    words = text.split()
    kind = words.pop(0) if words and words[0] in ROUTE_TYPES else None
    if not words or len(words) % 2 == 0:
        raise InvalidValueError(f"got {text!r}, expected {_ROUTE}")
    pairs = dict(zip(words[1::2], words[2::2], strict=True))
    if unknown := sorted(pairs.keys() - {"via", "metric"}):
        raise InvalidValueError(f"got {unknown[0]!r} in {text!r}, expected {_ROUTE}")
    route: dict[str, object] = {"to": words[0], **pairs}
    if pairs.get("metric", "").isdecimal():
        route["metric"] = int(pairs["metric"])
    return {**route, "type": kind} if kind else route


_ROUTE_FORM = {
    "title": "route in words",
    "type": "string",
    "description": "`TO via ADDRESS`, or a type and its prefix.",
    "examples": ["default via 10.0.0.7"],
}
_DECIDE = _choice("consent", "Whether a port lets it pass.", "accept", "reject")
_KIND = _choice("route type", "What becomes of the packet, as in ip-route(8).", *ROUTE_TYPES)
_TEXT_PREFIX = {
    "title": "prefix or default",
    "type": "string",
    "description": "IPv4 or IPv6 prefix, or `default`.",
    "examples": ["10.9.0.0/16", "default"],
}
_TEXT_ADDRESS = {
    "title": "next router",
    "type": "string",
    "description": "IPv4 or IPv6 address.",
    "examples": ["10.0.0.7"],
}
_VLAN_IDS = {
    "anyOf": [
        {"const": ALL},
        {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 4094}},
    ]
}
_METRIC_FORM = {
    "title": "metric",
    "type": "integer",
    "minimum": 0,
    "maximum": _HIGHEST_METRIC,
    "description": "The smaller, the better.",
    "examples": [100],
}
_SETTINGS_FORM = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        {"type": "null"},
    ]
}

Consent = Annotated[Literal["accept", "reject"], *_DECIDE]
Vlans = Annotated[tuple[int, ...] | str, _AllOrSome(), WithJsonSchema(_VLAN_IDS)]
RouteTo = Annotated[
    IPv4Network | IPv6Network | str,
    BeforeValidator(parse_destination),
    WithJsonSchema(_TEXT_PREFIX),
]
Via = Annotated[Address, BeforeValidator(parse_address), WithJsonSchema(_TEXT_ADDRESS)]
RouteKindName = Annotated[str, *_KIND]
Metric = Annotated[int, BeforeValidator(_parse_metric), WithJsonSchema(_METRIC_FORM)]
ROUTE = Sentence(_ROUTE_FORM, _parse_route)
Settings = Annotated[
    dict[
        Annotated[str, BeforeValidator(_parse_setting_name)],
        Annotated[str, BeforeValidator(_parse_setting)],
    ],
    BeforeValidator(_parse_settings),
    WithJsonSchema(_SETTINGS_FORM),
]
