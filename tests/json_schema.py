"""The part of JSON Schema (draft 2020-12) that ours uses, checked; anything beyond it fails."""

from __future__ import annotations

import re
from typing import Any

from vnetlab.topology.document import Path

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
    "null": (type(None),),
}
_TOLD_TO_READERS = {"$schema", "$defs", "title", "description", "examples", "default"}
_CHECKED = {
    "$ref", "additionalProperties", "anyOf", "const", "items", "maxLength", "maximum", "minimum",
    "pattern", "properties", "propertyNames", "required", "type",
}  # fmt: skip


def find_faults(value: object, schema: Any, whole: Any, path: Path = ()) -> list[Path]:
    """The places in `value` that `schema`, a part of `whole`, does not allow."""
    unknown = schema.keys() - _TOLD_TO_READERS - _CHECKED
    assert not unknown, f"this check does not know {unknown}"
    if "$ref" in schema:
        assert schema["$ref"].startswith("#/$defs/")
        return find_faults(value, whole["$defs"][schema["$ref"][len("#/$defs/") :]], whole, path)
    if "anyOf" in schema:
        found = [find_faults(value, form, whole, path) for form in schema["anyOf"]]
        if all(found):
            return max(found, key=lambda faults: len(faults[0]))  # of the form that fits furthest
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        return [path]
    if "type" in schema and not _is(value, schema["type"]):
        return [path]
    if isinstance(value, dict):
        return _find_in_mapping(value, schema, whole, path)
    if isinstance(value, list):
        inner = schema.get("items", {})
        found = [find_faults(item, inner, whole, (*path, i)) for i, item in enumerate(value)]
        return [fault for faults in found for fault in faults]
    return [] if _fits(value, schema) else [path]


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean") == isinstance(value, bool)


def _find_in_mapping(value: dict[str, object], schema: Any, whole: Any, path: Path) -> list[Path]:
    faults = [(*path, key) for key in schema.get("required", ()) if key not in value]
    for key, item in value.items():
        at = (*path, key)
        if not _fits(key, schema.get("propertyNames", {})):
            faults.append(at)
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
        faults += [at] if inner is False else find_faults(item, inner, whole, at)
    return faults


def _fits(value: object, schema: Any) -> bool:
    if isinstance(value, str):
        longest = schema.get("maxLength", len(value))
        return len(value) <= longest and bool(re.search(schema.get("pattern", ""), value))
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True
