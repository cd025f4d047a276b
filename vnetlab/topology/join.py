"""Two documents as one (pure): what a file says beside what it includes.

Sections and other mappings are joined key by key, where a key twice is an error, and lists one
after the other. A single value is that of the second document. Every place keeps its own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from vnetlab.topology.document import Document, Path, Place, format_path
from vnetlab.topology.wording import show

if TYPE_CHECKING:
    from vnetlab.errors import Problem

_NESTED = ("defaults",)
"""Mappings whose keys are kinds, which are joined in turn; what others hold is whole objects."""


def join(first: Document, second: Document) -> tuple[Document, tuple[Problem, ...]]:
    """Both documents, which are mappings, as one, and what is wrong in the second for the first."""
    joining = _Joining(second.places, dict(first.places) | {(): second.places[()]})
    value = joining.join_mappings((), first.value, second.value)
    return Document(value, joining.places), tuple(joining.problems)


class _Joining(Struct):
    """The places of both documents, and what is wrong with the second."""

    second: Mapping[Path, Place]
    places: dict[Path, Place]
    problems: list[Problem] = field(default_factory=list)

    def join_mappings(self, at: Path, old: object, new: object) -> dict[str, object]:
        """What both have at the path `at`."""
        assert isinstance(old, dict)
        assert isinstance(new, dict)
        joined = dict(old)
        for key, value in new.items():
            path = (*at, key)
            if key not in joined or (not at and joined[key] is None):
                joined[key] = value
                self._take(path)
            elif at or value is not None:
                joined[key] = self._join(path, joined[key], value)
        return joined

    def _join(self, path: Path, old: object, new: object) -> object:
        deep = len(path) == 1 or path[:-1] == _NESTED
        if deep and isinstance(old, dict) and isinstance(new, dict):
            return self.join_mappings(path, old, new)
        if deep and isinstance(old, list) and isinstance(new, list):
            self._take(path, after=len(old))
            return [*old, *new]
        if len(path) == 1 and type(old) is type(new):
            self._drop(path)
            self._take(path)
            return new
        self._refuse(path, old, new)
        return old

    def _take(self, path: Path, *, after: int = 0) -> None:
        """Note the places that the second document has below `path`, `after` items of a list."""
        for place_path, place in self.second.items():
            if place_path[: len(path)] == path:
                below = place_path[len(path) :]
                if after and below and isinstance(below[0], int):
                    below = (below[0] + after, *below[1:])
                self.places[path + below] = place

    def _drop(self, path: Path) -> None:
        for place_path in [it for it in self.places if it[: len(path)] == path]:
            del self.places[place_path]

    def _refuse(self, path: Path, old: object, new: object) -> None:
        place = self.places[path]
        where = f"line {place.line} of {place.source.file}"
        if len(path) == 1:
            self._note(
                path, self.second[path].value, f"got {show(new)}, but {show(old)} in {where}"
            )
        else:
            text = f"is there already, in {where}"
            self._note(path, self.second[path].key, text, fix="remove one")

    def _note(self, path: Path, offset: int, text: str, *, fix: str = "") -> None:
        source = self.second[path].source
        self.problems.append(source.problem(offset, text, path=format_path(path), fix=fix))
