"""A topology file and those that it includes, read and joined into one document.

How it works: `include` names files, relative to the one that it is in. Included files come first,
in their order, and `join.py` puts together what they say. A file counts once, however many include
it. All are templates with the same variables. Reads these files and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from vnetlab.errors import Problem, TopologyError
from vnetlab.topology.document import Document, format_path, read_document
from vnetlab.topology.join import join
from vnetlab.topology.source import Source, read_text
from vnetlab.topology.wording import did_you_mean, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vnetlab.topology.document import Path as KeyPath

_TEMPLATE_SIGNS = ("{{", "{%", "{#")
_MOST_FILES = 1000


def read_documents(
    path: Path, variables: Mapping[str, object]
) -> tuple[Document, tuple[Problem, ...]]:
    """The document in the file with all that it includes, and what is wrong with it so far.

    Raises TopologyError if one of the files cannot be read, or a variable is used in none.
    """
    reading = _Reading(variables)
    document = reading.read(str(path), ())
    if reading.fatal:
        raise TopologyError(tuple(sorted(reading.fatal)))
    reading.refuse_unused(str(path))
    return document, tuple(reading.problems)


class _Reading(Struct):
    """Reads file after file, and notes what is wrong: `fatal` is what leaves one of them unread."""

    variables: Mapping[str, object]
    problems: list[Problem] = field(default_factory=list)
    fatal: list[Problem] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)
    _seen: set[Path] = field(default_factory=set)

    def read(self, file: str, including: tuple[Path, ...]) -> Document:
        """The document in `file`, as its user would name it; the files `including` it are open."""
        real = Path(file).resolve()
        self._seen.add(real)
        try:
            own, problems = read_document(self._render(file))
        except TopologyError as error:
            self.fatal += error.problems
            return Document(None, {})
        self.problems += problems
        if not isinstance(own.value, dict) or own.value.get("include") is None:
            return own
        joined = Document({}, {(): own.places[()]})
        for path, name in self._names(own):
            included = self._include(own, path, name, (*including, real))
            joined = self._join(joined, included)
        del own.value["include"]
        return self._join(joined, own)

    def refuse_unused(self, file: str) -> None:
        """Raise TopologyError for variables that no file uses: they are misspelt."""
        used = sorted(self._used)
        problems = tuple(
            Problem(file=file, text=f"uses no variable '{name}'", fix=did_you_mean(name, used))
            for name in self.variables
            if name not in used
        )
        if problems:
            raise TopologyError(problems)

    def _render(self, file: str) -> Source:
        text = read_text(Path(file))
        if self.variables or any(sign in text for sign in _TEMPLATE_SIGNS):
            from vnetlab.topology.template import find_variables, render  # jinja2 starts slowly

            source = render(file, text, self.variables)
            self._used |= find_variables(text)
            return source
        return Source(file, text, text)

    def _names(self, own: Document) -> Iterator[tuple[KeyPath, str]]:
        """The files that a document includes, each with its path in it."""
        assert isinstance(own.value, dict)
        value = own.value["include"]
        listed = value if isinstance(value, list) else [value]
        for index, name in enumerate(listed):
            path = ("include", index) if isinstance(value, list) else ("include",)
            if isinstance(name, str) and name and "\0" not in name:
                yield path, name
            else:
                self.problems.append(
                    _problem(own, path, f"got {show(name)}, expected the name of a file")
                )

    def _include(
        self, own: Document, path: KeyPath, name: str, including: tuple[Path, ...]
    ) -> Document:
        """The document in the file `name`, which `own` includes at `path`; empty if it is none."""
        file = Path(own.places[()].source.file).parent / name
        fault = _find_fault(file)
        if not fault and file.resolve() in including:
            fault = f"'{name}' includes this file itself"
        elif not fault and len(self._seen) >= _MOST_FILES:
            fault = f"got more than {_MOST_FILES} files"
        if fault:
            self.fatal.append(_problem(own, path, fault))
        elif file.resolve() not in self._seen:
            return self.read(str(file), including)
        return Document(None, {})

    def _join(self, first: Document, second: Document) -> Document:
        if second.value is None:
            return first
        if not isinstance(second.value, dict):
            text = f"got {show(second.value)}, expected a mapping"
            self.problems.append(_problem(second, (), text))
            return first
        joined, problems = join(first, second)
        self.problems += problems
        return joined


def _find_fault(file: Path) -> str:
    """Why the file cannot be included; empty if it can."""
    try:
        if file.resolve().is_file():
            return ""
        there = file.exists()
    except (OSError, RuntimeError):  # a name too long, a link to itself
        there = False
    return f"'{file}' is no file" if there else f"there is no file '{file}'"


def _problem(within: Document, path: KeyPath, text: str) -> Problem:
    place = within.places[path]
    return place.source.problem(place.value, text, path=format_path(path))
