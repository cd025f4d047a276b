"""The problems found in a topology so far, each at its place (mutable, local to a load)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from vnetlab.errors import TopologyError
from vnetlab.topology.document import format_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vnetlab.errors import Problem
    from vnetlab.topology.document import Path, Place


class Findings:
    """Collects problems, so that a user sees all of them at once and none that only follows.

    A path is faulty once something is wrong at it or above it: what is found there afterwards
    would only follow from that, and is dropped.
    """

    def __init__(self, places: Mapping[Path, Place], problems: Iterable[Problem] = ()) -> None:
        self._places = places
        self._warnings: list[Problem] = []
        self._copies: dict[Path, Path] = {}
        self._made: dict[Path, list[Path]] = {}
        self._has_defaults = ("defaults",) in places
        self._several = len({id(place.source) for place in places.values()}) > 1
        self._problems = list(problems)
        self._faulty: set[Path] = set()
        self._above_faulty: set[Path] = set()

    def note_copy(self, path: Path, *, of: Path) -> None:
        """Say that the object at `path` is a copy of the one that the user wrote at `of`."""
        self._copies[path] = of
        self._made.setdefault(of, []).append(path)

    def copies(self, path: Path) -> tuple[Path, ...]:
        """The paths of all copies of what is at `path`, or `path` alone if it has none."""
        made = self._made.get(path[:2], ())
        return tuple(copy + path[2:] for copy in made) or (path,)

    def add(self, path: Path, text: str, *, fix: str = "") -> None:
        """Note what is wrong with the value at `path`, or that it is missing."""
        path = self.origin(path)
        if not self._is_faulty(path):
            self._problems.append(self._problem(path, text, fix))
            self.mark_faulty(path)

    def warn(self, path: Path, text: str, *, fix: str = "") -> None:
        """Note what is likely wrong, though allowed, at the key of `path` or what is above it."""
        path = self.origin(path)
        place = self._nearest(path)
        problem = place.source.problem(place.key, text, path=format_path(path), fix=fix)
        warning = replace(problem, severity="warning")
        if warning not in self._warnings:
            self._warnings.append(warning)

    def add_to_key(self, path: Path, text: str, *, fix: str = "") -> None:
        """Note what is wrong with the key at the end of `path`, whatever its value is."""
        path = self.origin(path)
        place = self._nearest(path)
        problem = place.source.problem(place.key, text, path=format_path(path), fix=fix)
        if problem not in self._problems:
            self._problems.append(problem)

    def origin(self, path: Path) -> Path:
        """The path at which the user wrote what is at `path`.

        That of the object which a copy is of, or that of the default which an object has.
        """
        if path[:2] in self._copies:
            path = self._copies[path[:2]] + path[2:]
        if self._has_defaults and path not in self._places:
            for at in range(len(path) - 2):
                default = ("defaults", path[at], *path[at + 2 :])
                if default in self._places and not self._says(path[: at + 2], path[at + 2]):
                    return default
        return path

    def mark_faulty(self, path: Path) -> None:
        """Say that the value at `path` is not what its user wrote, so that nothing rests on it."""
        path = self.origin(path)
        self._faulty.add(path)
        self._above_faulty.update(path[:length] for length in range(len(path)))

    def is_sound(self, path: Path) -> bool:
        """Whether nothing is wrong with the value at `path` or any in it."""
        path = self.origin(path)
        return not self._is_faulty(path) and path not in self._above_faulty

    def has(self, path: Path) -> bool:
        """Whether the file itself says something at `path`."""
        return self.origin(path) in self._places

    def where(self, path: Path) -> str:
        """Where `path` was written, in words: `line 4`; of several files, `line 4 of net.yaml`."""
        place = self._nearest(self.origin(path))
        return f"line {place.line}" + (f" of {place.source.file}" if self._several else "")

    def line(self, path: Path) -> tuple[str, int]:
        """The file and line of the key (in a list: the value) at `path`, or of what is above it."""
        place = self._nearest(self.origin(path))
        return place.source.file, place.line

    def warnings(self) -> tuple[Problem, ...]:
        """All warnings, in the file's order."""
        return tuple(sorted(self._warnings))

    def raise_if_any(self) -> None:
        """Raise TopologyError with all problems, in the file's order, if there are any."""
        if self._problems:
            raise TopologyError(tuple(sorted(self._problems)))

    def _says(self, item: Path, key: str | int) -> bool:
        """Whether the user gave the object at `item` the key, or wrote its short form."""
        place = self._places.get(item)
        return bool(place and place.is_text) or (*item, key) in self._places

    def _is_faulty(self, path: Path) -> bool:
        return any(path[:length] in self._faulty for length in range(len(path) + 1))

    def _nearest(self, path: Path) -> Place:
        while path not in self._places:
            path = path[:-1]
        return self._places[path]

    def _problem(self, path: Path, text: str, fix: str) -> Problem:
        place = self._places.get(path)
        found = place or self._nearest(path)
        offset = place.value if place else found.key
        return found.source.problem(offset, text, path=format_path(path), fix=fix)
