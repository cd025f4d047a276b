"""How the values of a topology file may be written: short and long forms, text, quantities (pure).

Each is a type for a field of the model: pydantic reads it with the parser of ours that it names,
and describes it in the JSON Schema as it says here. A pattern lets pass whatever the parser does.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, WithJsonSchema
from pydantic_core import core_schema

from vnetlab.topology.expectations import (
    PROTOCOLS,
    SCHEMA_PATTERN,
    parse_expectation,
    parse_protocol,
)
from vnetlab.topology.names import LONGEST_NAME
from vnetlab.topology.quantities import (
    FASTEST_BIT_S,
    LARGEST_BYTES,
    LONGEST_DELAY_NS,
    SLOWEST_BIT_S,
    parse_delay,
    parse_rate,
    parse_share,
    parse_size,
)
from vnetlab.topology.topology import Address
from vnetlab.topology.values import (
    HIGHEST_MTU,
    HIGHEST_PORT,
    HIGHEST_VLAN,
    LOWEST_MTU,
    LOWEST_PORT,
    LOWEST_VLAN,
    MOST_COPIES,
    parse_address,
    parse_count,
    parse_flag,
    parse_ipv4_address,
    parse_ipv4_prefix,
    parse_ipv6_address,
    parse_ipv6_prefix,
    parse_mac,
    parse_mtu,
    parse_port,
    parse_text,
    parse_vlan,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

PartT = TypeVar("PartT", bound=BaseModel)

_NULL: JsonSchemaValue = {"type": "null"}
_NAME: JsonSchemaValue = {
    "title": "name",
    "description": "Of `a` to `z`, digits and `-`, which does not come first.",
    "examples": ["web1"],
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9-]*$",
    "maxLength": LONGEST_NAME,
}
_DECIMAL = r"[0-9]{1,20}(\.[0-9]{1,20})?"
_IPV4 = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_IPV6 = "[0-9a-fA-F]*:[0-9a-fA-F:.]*"
_BYTE, _EVEN_BYTE = "[0-9a-fA-F]{2}", "[0-9a-fA-F][02468aceACE]"


class _Or:
    """Says in the JSON Schema that a value may also be written in another form."""

    def __init__(self, form: JsonSchemaValue) -> None:
        self._form = form

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        forms = schema.get("anyOf", [schema])
        return {"anyOf": forms if self._form in forms else [*forms, self._form]}


class _Named:
    """Says in the JSON Schema that the keys of a mapping are names."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core) | {"propertyNames": _NAME}


class ShortForm:
    """The short form of a mapping: its most used value alone, that of `key`.

    It is a name, or a value of another type `of`, which `form` describes.
    """

    def __init__(self, key: str, *, of: type = str, form: JsonSchemaValue = _NAME) -> None:
        self._key = key
        self._type = of
        self._form = form

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._expand, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [self._form, handler(core), _NULL]}

    def _expand(self, value: object) -> object:
        return {self._key: value} if isinstance(value, self._type) else _empty_if_null(value)


class Sentence:
    """The short form of a mapping: one text, which `form` describes and `parse` takes apart."""

    def __init__(self, form: JsonSchemaValue, parse: Callable[[str], object]) -> None:
        self._form = form
        self._parse = parse

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._expand, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [self._form, handler(core)]}

    def _expand(self, value: object) -> object:
        return self._parse(value) if isinstance(value, str) else value


def _empty_if_null(value: object) -> object:
    return {} if value is None else value


def list_if_null(value: object) -> object:
    """An empty list where nothing is said."""
    return [] if value is None else value


def list_if_single(value: object) -> object:
    """A list of one where its only value stands alone."""
    return value if value is None or isinstance(value, list) else [value]


def _text(title: str, meaning: str, pattern: str, *examples: str) -> JsonSchemaValue:
    told = {"title": title, "description": meaning, "examples": [*examples]}
    return {**told, "type": "string", "pattern": f"^({pattern})$"}


def number_form(
    title: str, meaning: str, limits: tuple[int, int], *examples: int
) -> JsonSchemaValue:
    """How the JSON Schema describes a whole number between two limits."""
    told = {"title": title, "description": meaning, "examples": [*examples]}
    return {**told, "type": "integer", "minimum": limits[0], "maximum": limits[1]}


_VLAN = number_form(
    "VLAN id", "0 and 4095 are reserved by IEEE 802.1Q.", (LOWEST_VLAN, HIGHEST_VLAN), 10
)
_MTU = number_form(
    "bytes", "The largest IP packet; from 1280 with IPv6.", (LOWEST_MTU, HIGHEST_MTU), 1500, 9000
)
_RATE = _text(
    "rate",
    "A number of `bit`, `kbit`, `mbit`, `gbit` or `tbit` a second, each 1000 of the one before.",
    rf"{_DECIMAL} ?([kKmMgGtT]?[bB][iI][tT])?",
    *("1gbit", "1.5mbit", "64kbit"),
)
_BIT_S = number_form("bit/s", "A rate without a unit.", (SLOWEST_BIT_S, FASTEST_BIT_S), 64000)
_DELAY = _text(
    "delay",
    f"A number of `ns`, `us`, `ms` or `s`, up to {LONGEST_DELAY_NS // 10**9}s.",
    rf"{_DECIMAL} ?[nNuUmM]?[sS]|0+(\.0+)? ?",
    *("200us", "1.5ms", "2s"),
)
_SIZE = _text(
    "size",
    "A number of `b`, `kb`, `mb` (bytes, 1000 and 1000000 of them), `kib` or `mib` (1024 and "
    "1048576).",
    rf"{_DECIMAL} ?([kKmM][iI]?)?[bB]",
    *("64kb", "1.5mb", "128kib"),
)
_BYTES = number_form("bytes", "A size without a unit.", (1, LARGEST_BYTES), 64000)
_SHARE = _text(
    "share", "Per cent, in steps of 0.0001%.", rf"{_DECIMAL} ?%|0+(\.0+)? ?", "0.1%", "25%"
)
_MAC = _text(
    "MAC address",
    "Unicast: the first byte is even. With colons or dashes.",
    f"{_EVEN_BYTE}((:{_BYTE}){{5}}|(-{_BYTE}){{5}})",
    "02:00:00:00:00:01",
)
_PREFIX4 = _text("IPv4 prefix", "Without host bits.", rf"{_IPV4}/[0-9.]{{1,15}}", "10.0.0.0/24")
_PREFIX6 = _text("IPv6 prefix", "Without host bits.", rf"{_IPV6}/[0-9]{{1,3}}", "fd00::/64")
_ADDRESS4 = _text("IPv4 address", "Without a prefix length.", _IPV4, "10.0.0.5")
_ADDRESS6 = _text("IPv6 address", "Without a prefix length or zone.", _IPV6, "fd00::5")
_ADDRESS = _text("address", "IPv4 or IPv6.", f"{_IPV4}|{_IPV6}", "10.0.0.1", "fd00::1")

_FILE_NAME: JsonSchemaValue = {
    "title": "file",
    "description": "A path, relative to the file that it is in.",
    "examples": ["networks.yaml"],
    "type": "string",
    "pattern": ".",
}
PORT_FORM = number_form("port", "Of TCP or UDP.", (LOWEST_PORT, HIGHEST_PORT), 80)
_PROTOCOL = _text("protocol", "What a packet is of.", "|".join(PROTOCOLS), *PROTOCOLS)
FLAG_FORM: JsonSchemaValue = {
    "title": "yes or no",
    "description": "`true` or `false`.",
    "examples": ["true"],
    "type": "boolean",
}
_EXPECTATION: JsonSchemaValue = {
    "title": "arrow",
    "description": "`A -> B`, or `A -x- B` for what must not arrive; then `tcp/80`, `udp/53` or "
    "`icmp`, and `via C, D`.",
    "examples": ["web1 -> db1 tcp/5432 via gw", "db1 -x- web1 tcp/22"],
    "type": "string",
    "pattern": SCHEMA_PATTERN,
}
_COUNT = number_form("count", "How many.", (1, MOST_COPIES), 10)

Text = Annotated[str, BeforeValidator(parse_text), WithJsonSchema(_NAME)]
Vlan = Annotated[int, BeforeValidator(parse_vlan), WithJsonSchema(_VLAN)]
Mtu = Annotated[int, BeforeValidator(parse_mtu), WithJsonSchema(_MTU)]
Rate = Annotated[int, BeforeValidator(parse_rate), WithJsonSchema({"anyOf": [_RATE, _BIT_S]})]
Delay = Annotated[
    int, BeforeValidator(parse_delay), WithJsonSchema({"anyOf": [_DELAY, {"const": 0}]})
]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema({"anyOf": [_SIZE, _BYTES]})]
Share = Annotated[
    int, BeforeValidator(parse_share), WithJsonSchema({"anyOf": [_SHARE, {"const": 0}]})
]
Mac = Annotated[str, BeforeValidator(parse_mac), WithJsonSchema(_MAC)]
Prefix4 = Annotated[IPv4Network, BeforeValidator(parse_ipv4_prefix), WithJsonSchema(_PREFIX4)]
Prefix6 = Annotated[IPv6Network, BeforeValidator(parse_ipv6_prefix), WithJsonSchema(_PREFIX6)]
Address4 = Annotated[IPv4Address, BeforeValidator(parse_ipv4_address), WithJsonSchema(_ADDRESS4)]
Address6 = Annotated[IPv6Address, BeforeValidator(parse_ipv6_address), WithJsonSchema(_ADDRESS6)]
Gateway = Annotated[Address, BeforeValidator(parse_address), WithJsonSchema(_ADDRESS)]
Gateways = Annotated[tuple[Gateway, ...], BeforeValidator(list_if_single), _Or(_ADDRESS)]

Port = Annotated[int, BeforeValidator(parse_port), WithJsonSchema(PORT_FORM)]
Flag = Annotated[bool, BeforeValidator(parse_flag), WithJsonSchema(FLAG_FORM)]
Protocol = Annotated[str, BeforeValidator(parse_protocol), WithJsonSchema(_PROTOCOL)]
Destination = Annotated[
    str, BeforeValidator(parse_text), WithJsonSchema({"anyOf": [_NAME, _ADDRESS]})
]
Count = Annotated[int, BeforeValidator(parse_count), WithJsonSchema(_COUNT)]
Names = Annotated[tuple[Text, ...], BeforeValidator(list_if_single), _Or(_NAME)]
EXPECTATION = Sentence(_EXPECTATION, parse_expectation)
FileName = Annotated[str, BeforeValidator(parse_text), WithJsonSchema(_FILE_NAME)]
FileNames = Annotated[tuple[FileName, ...], BeforeValidator(list_if_single), _Or(_FILE_NAME)]

EMPTY = BeforeValidator(_empty_if_null)
"""Nothing is a mapping without keys."""
Section = Annotated[dict[str, Annotated[PartT, EMPTY, _Or(_NULL)]], EMPTY, _Named(), _Or(_NULL)]
"""Objects by name. Nothing (`hv1:`) is one that has all the defaults."""
Groups = Annotated[dict[str, Names], EMPTY, _Named(), _Or(_NULL)]
