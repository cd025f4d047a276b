"""The problems found in one topology file so far, each at its place (mutable, local to a load)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.errors import TopologyError
from vnetlab.topology.document import format_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vnetlab.errors import Problem
    from vnetlab.topology.document import Path, Place
    from vnetlab.topology.source import Source


class Findings:
    """Collects problems, so that a user sees all of them at once and none that only follows.

    A path is faulty once something is wrong at it or above it: what is found there afterwards
    would only follow from that, and is dropped.
    """

    def __init__(
        self, source: Source, places: Mapping[Path, Place], problems: Iterable[Problem] = ()
    ) -> None:
        self._source = source
        self._places = places
        self._problems = list(problems)
        self._faulty: set[Path] = set()
        self._above_faulty: set[Path] = set()

    def add(self, path: Path, text: str, *, fix: str = "") -> None:
        """Note what is wrong with the value at `path`, or that it is missing."""
        if not self._is_faulty(path):
            place = self._places.get(path)
            self._note(place.value if place else self._nearest(path).key, path, text, fix)
            self.mark_faulty(path)

    def add_to_key(self, path: Path, text: str, *, fix: str = "") -> None:
        """Note what is wrong with the key at the end of `path`, whatever its value is."""
        self._note(self._nearest(path).key, path, text, fix)

    def mark_faulty(self, path: Path) -> None:
        """Say that the value at `path` is not what its user wrote, so that nothing rests on it."""
        self._faulty.add(path)
        self._above_faulty.update(path[:length] for length in range(len(path)))

    def is_sound(self, path: Path) -> bool:
        """Whether nothing is wrong with the value at `path` or any in it."""
        return not self._is_faulty(path) and path not in self._above_faulty

    def has(self, path: Path) -> bool:
        """Whether the file itself says something at `path`."""
        return path in self._places

    def line(self, path: Path) -> int:
        """The line of the key (in a list: the value) at `path`, or of the nearest thing above."""
        return self._source.position(self._nearest(path).key)[0]

    def raise_if_any(self) -> None:
        """Raise TopologyError with all problems, in the file's order, if there are any."""
        if self._problems:
            raise TopologyError(tuple(sorted(self._problems)))

    def _is_faulty(self, path: Path) -> bool:
        return any(path[:length] in self._faulty for length in range(len(path) + 1))

    def _nearest(self, path: Path) -> Place:
        while path not in self._places:
            path = path[:-1]
        return self._places[path]

    def _note(self, offset: int, path: Path, text: str, fix: str) -> None:
        shown = format_path(path)
        self._problems.append(self._source.problem(offset, text, path=shown, fix=fix))
