"""Any value of ours as JSON text (pure).

A struct becomes an object with its fields' names, which say the units (`delay_ns`), but for those
in its `UNSHOWN`; an enum its value; an address or path its text; a set a sorted list.
"""

from __future__ import annotations

import json
from enum import Enum

from msgspec import Struct


def to_json(value: object) -> str:
    """Return `value` as indented JSON text."""
    return json.dumps(_plain(value), indent=2)


def to_json_line(value: object) -> str:
    """Return `value` as JSON text on one line."""
    return json.dumps(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        unshown = getattr(value, "UNSHOWN", ())
        shown = (name for name in value.__struct_fields__ if name not in unshown)
        return {name: _plain(getattr(value, name)) for name in shown}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
