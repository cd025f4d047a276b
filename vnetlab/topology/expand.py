"""What stands for more than itself: `defaults` and `count` (pure).

How it works: both are about the model, whatever its kinds are. A default is given to each object
of its kind that does not say the key; `add_missing` makes what a file leaves out, so it is done
again after that. An object with a `count` becomes that many, and a group has its name; findings
are told, and point to the one that the user wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from vnetlab.topology.kinds import items_of
from vnetlab.topology.model import Counted, File
from vnetlab.topology.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings

PartT = TypeVar("PartT", bound=Part)


def apply_defaults(part: PartT, defaults: Part | None) -> PartT:
    """The mapping with all that its objects, and the objects in them, have by `defaults`."""
    if defaults is None:
        return part
    sections = items_of(File)
    given = {
        key: default
        for key, kind in items_of(type(part)).items()
        if kind.takes_defaults
        and (isinstance(part, File) or key not in sections)
        and (default := getattr(defaults, key, None))
    }
    updates: dict[str, Any] = {}
    for key in items_of(type(part)):
        value = getattr(part, key)
        if isinstance(value, dict):
            updates[key] = {
                name: apply_defaults(_with(given.get(key), item), defaults)
                for name, item in value.items()
            }
        elif value:
            updates[key] = tuple(
                apply_defaults(_with(given.get(key), item), defaults) for item in value
            )
    return part.model_copy(update=updates) if updates else part


def _with(default: Part | None, item: PartT) -> PartT:
    """The object with what it does not say from its kind's default."""
    if default is None:
        return item
    keys = default.model_fields_set & type(item).model_fields.keys() - item.model_fields_set
    return item.model_copy(update={key: getattr(default, key) for key in keys}) if keys else item


def multiply(file: File, findings: Findings) -> File:
    """The file in which every object with a `count` is that many, and a group of them."""
    updates: dict[str, Any] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for kind, part in items_of(File).items():
        if not issubclass(part, Counted):
            continue
        section: Mapping[str, Part] = getattr(file, kind)
        counts = {
            name: count
            for name, item in section.items()
            if (count := _count((kind, name), item, findings)) is not None
        }
        if counts:
            updates[kind] = _multiply(kind, section, counts, groups, findings)
    if not updates:
        return file
    numbers = {name: number for names in groups.values() for number, name in enumerate(names)}
    for kind in updates:
        updates[kind] = {
            name: _spread(item, numbers.get(name), groups) for name, item in updates[kind].items()
        }
    for name in groups.keys() & file.groups.keys():
        text = f"the name is that of the {len(groups[name])} made by a count"
        findings.add_to_key(("groups", name), text, fix="take another")
    return file.model_copy(update=updates | {"groups": groups | file.groups})


def _multiply(
    kind: str,
    section: Mapping[str, Part],
    counts: Mapping[str, int],
    groups: dict[str, tuple[str, ...]],
    findings: Findings,
) -> dict[str, Part]:
    made: dict[str, Part] = {}
    for name, item in section.items():
        if name not in counts:
            made[name] = item
            continue
        names = tuple(f"{name}{number}" for number in range(1, counts[name] + 1))
        taken = [new for new in names if new in section or new in made]
        if taken:
            text = (
                f"makes '{taken[0]}', which is there already ({findings.where((kind, taken[0]))})"
            )
            findings.add((kind, name, "count"), text, fix="give it another name")
            continue
        groups[name] = names
        for new in names:
            findings.note_copy((kind, new), of=(kind, name))
            made[new] = item.model_copy(update={"count": None})
    return made


def _count(path: Path, item: Part, findings: Findings) -> int | None:
    """How many of the object there are to be; one of a wrong number, of which no more is told."""
    if not findings.is_sound((*path, "count")) and findings.has((*path, "count")):
        findings.mark_faulty(path)
        return 1
    return item.count if isinstance(item, Counted) else None


def _spread(item: Part, number: int | None, groups: Mapping[str, tuple[str, ...]]) -> Part:
    """The object; if a count made it, and its hypervisors too, then each in turn has one."""
    places = groups.get(str(getattr(item, "on", None)))
    if not places or number is None:
        return item
    return item.model_copy(update={"on": places[number % len(places)]})
