"""Which part of the model a path into a topology file leads to (pure).

A key leads to one part (`out`), to parts by name (`vms`, then `web1`) or to a list of them (`nics`,
then 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.kinds import content_of
from vnetlab.topology.model_file import TopologyFile

if TYPE_CHECKING:
    from vnetlab.topology.document import Path
    from vnetlab.topology.part import Part


def part_at(path: Path) -> type[Part] | None:
    """The class of the mapping at `path`; None where no mapping of known keys is."""
    return _walk(path)[0]


def is_object(path: Path) -> bool:
    """Whether `path` leads to one of several parts: its last step is a name, or an index."""
    return _walk(path)[1]


def keys_of(part: type[Part]) -> list[str]:
    """The keys of a part as the file writes them, its own before those that others have too."""
    fields = part.model_fields.items()
    own = [(name, field) for name, field in fields if name in part.__annotations__]
    return [field.alias or name for name, field in dict([*own, *fields]).items()]


def _walk(path: Path) -> tuple[type[Part] | None, bool]:
    """The part at `path`, and whether it is one of several."""
    part: type[Part] | None = TopologyFile
    several = chosen = False
    for key in path:
        if several:
            several, chosen = False, True
            continue
        part, several = content_of(part).get(str(key), (None, False))
        chosen = False
        if part is None:
            return None, False
    return (None, False) if several else (part, chosen)
