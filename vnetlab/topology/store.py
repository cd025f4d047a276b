"""A resolved topology as JSON and back: what is cached beside a running lab (pure).

The structs' own types say how to read it, so that neither pydantic nor a second description
of them is needed.
"""

from __future__ import annotations

import json
from functools import cache, reduce
from ipaddress import ip_address, ip_interface, ip_network
from operator import or_
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from msgspec import Struct

from vnetlab.topology.topology import Address, Interface, Network, Topology

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMAT = 1
_READERS: dict[object, Callable[[str], object]] = {
    Address: ip_address,
    Interface: ip_interface,
    Network: ip_network,
}


def dump(topology: Topology) -> str:
    """`topology` as JSON text, the same for equal topologies."""
    content = {"format": _FORMAT, "topology": _to_json(topology)}
    return json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"


def parse(text: str) -> Topology:
    """The topology in `text`. Raises ValueError if `dump` of this version did not write it."""
    try:
        topology = _from_json(_content(text), Topology)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a stored topology: {error!r}") from error
    assert isinstance(topology, Topology)
    return topology


def parse_source(text: str) -> str:
    """The `source` of the topology in `text`, and nothing else of it. Raises as `parse` does."""
    try:
        return str(_content(text)["source"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a stored topology: {error!r}") from error


def _content(text: str) -> Any:
    content = json.loads(text)
    if content["format"] != _FORMAT:
        raise ValueError(f"got format {content['format']!r}, expected {_FORMAT}")
    return content["topology"]


def _to_json(value: object) -> object:
    if isinstance(value, Struct):
        return {name: _to_json(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value if isinstance(value, int | str | None) else str(value)


def _from_json(value: Any, kind: Any) -> object:
    if kind in _READERS:
        return _READERS[kind](value)
    if get_origin(kind) is UnionType:
        return None if value is None else _from_json(value, _besides_none(kind))
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        kinds = [first] * len(value) if others == [...] else [first, *others]
        return tuple(_from_json(item, kind) for item, kind in zip(value, kinds, strict=True))
    if isinstance(kind, type) and issubclass(kind, Struct):
        by_name = _field_kinds(kind)
        return kind(**{name: _from_json(value[name], by_name[name]) for name in by_name})
    return value


def _besides_none(kind: Any) -> Any:
    """What `X | None` is where it is not None: X may be several."""
    return reduce(or_, (one for one in get_args(kind) if one is not NoneType))


@cache
def _field_kinds(kind: type[object]) -> dict[str, Any]:
    return get_type_hints(kind)
