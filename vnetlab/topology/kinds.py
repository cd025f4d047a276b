"""The model asked about itself: which keys hold which kinds of objects (pure).

What goes for every kind (defaults, `count`) asks here, so that a new key or section needs no list
of its own anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import get_args, get_origin

from vnetlab.topology.model import File
from vnetlab.topology.part import Part


@cache
def items_of(part: type[Part]) -> Mapping[str, type[Part]]:
    """The keys of a mapping that hold objects, by name or in a list, and their class."""
    found = {key: _find_part(field.annotation) for key, field in part.model_fields.items()}
    return {key: inner for key, (inner, several) in found.items() if inner and several}


@cache
def content_of(part: type[Part]) -> Mapping[str, tuple[type[Part] | None, bool]]:
    """By the keys that a user writes: the part that each holds, and whether it holds several."""
    fields = part.model_fields.items()
    return {field.alias or name: _find_part(field.annotation) for name, field in fields}


@cache
def all_items() -> Mapping[str, tuple[type[Part], ...]]:
    """Every key, wherever it stands, that holds objects which may have defaults, and their classes.

    A section of the file goes before a key of that name in an object.
    """
    classes: dict[str, tuple[type[Part], ...]] = {}
    for key, part in _walk(File, set()):
        if part not in classes.get(key, ()):
            classes[key] = (*classes.get(key, ()), part)
    sections = {key: (part,) for key, part in items_of(File).items() if part.takes_defaults}
    return {**classes, **sections}


def _find_part(annotation: object) -> tuple[type[Part] | None, bool]:
    """The part that a value of this type is or holds, and whether it holds several."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation, False
    several = get_origin(annotation) in (dict, tuple)
    for inner in get_args(annotation):
        part, more = _find_part(inner)
        if part:
            return part, several or more
    return None, False


def _walk(part: type[Part], seen: set[type[Part]]) -> Iterator[tuple[str, type[Part]]]:
    """Every key at or below the part that holds objects."""
    seen.add(part)
    for key, field in part.model_fields.items():
        inner, several = _find_part(field.annotation)
        if inner:
            if several and inner.takes_defaults:
                yield key, inner
            if inner not in seen:
                yield from _walk(inner, seen)
