"""YAML 1.2 as vnetlab reads it: plain values, and the place of every key and value (pure).

The core schema (YAML 1.2.2, section 10.3) without its surprises: `no` and `10:30` are text, `010`
is ten, a key is always text (`1:` is `"1"`), a key twice is an error, tags and merge keys do
nothing. Aliases work, but may not multiply (billion laughs) or contain themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml
from msgspec import Struct, field

from vnetlab.errors import Problem, TopologyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology.source import Source

Path = tuple[str | int, ...]
"""The keys and list indexes that lead to a value: `("vms", "web1", "nics", 0)`."""

_MOST_ALIASED = 100_000
_DEEPEST = 50
_TOO_DEEP = f"is nested more than {_DEEPEST} levels deep"
_LONGEST_NUMBER = 40

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN, _TEXT = "plain", "tag:yaml.org,2002:str"
_PLAIN_ONLY = {None: [(_PLAIN, re.compile(""))]}  # every plain scalar gets a tag of our own


class Place(Struct, frozen=True):
    """Where a value is: in which source, the offsets of its key (its own, in a list) and itself.

    `is_text` says that it is one: as an object, a short form.
    """

    source: Source
    key: int
    value: int
    is_text: bool = False

    @property
    def line(self) -> int:
        """The line of the key in the file that the user wrote."""
        return self.source.position(self.key)[0]


class Document(Struct, frozen=True):
    """YAML, of one file or several joined: its value as dict, list and scalars, and its places."""

    value: object
    places: Mapping[Path, Place]


def format_path(path: Path) -> str:
    """The path as it is shown: `vms.web1.nics[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = re.fullmatch(r"[\w/<-]+", part, re.ASCII)
            text += ("." if text else "") + (part if plain else repr(part[:60]))
    return text


def read_document(source: Source) -> tuple[Document, tuple[Problem, ...]]:
    """The document in the source, and what is wrong with it that lets reading go on.

    Raises TopologyError if it is no YAML.
    """
    reading = _Reading(source)
    reading.places[()] = Place(source, 0, 0)
    node = _compose(source)
    value = reading.read(node, (), 0) if node else None
    return Document(value, reading.places), tuple(reading.problems)


class _TooDeepError(Exception):
    """A node is nested too deeply; its offset is the argument."""


class _Nesting:
    """Counts how deep a loader is: libyaml's would overflow the stack and end the process."""

    yaml_implicit_resolvers = _PLAIN_ONLY
    _depth = 0

    def descend_resolver(self, parent: yaml.Node | None, _index: object) -> None:
        """Called by PyYAML before it composes a child of `parent`."""
        self._depth += 1
        if self._depth > _DEEPEST and parent:
            raise _TooDeepError(parent.start_mark.index)

    def ascend_resolver(self) -> None:
        """Called by PyYAML when it has composed a child."""
        self._depth -= 1


class _ExactLoader(_Nesting, yaml.SafeLoader):
    """PyYAML's own parser: the one whose messages we show."""


class _FastLoader(_Nesting, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's parser where PyYAML has it: seven times as fast."""


def _compose(source: Source) -> yaml.Node | None:
    try:
        return _compose_with(_FastLoader, source.text)
    except (yaml.YAMLError, UnicodeError, _TooDeepError):
        pass  # the other parser has the last word, so that messages do not depend on libyaml
    try:
        return _compose_with(_ExactLoader, source.text)
    except yaml.reader.ReaderError as error:
        text = f"got the character U+{error.character:04X}, which YAML does not allow"
        raise TopologyError((source.problem(error.position, text),)) from None
    except yaml.MarkedYAMLError as error:
        raise TopologyError((_describe(source, error),)) from None
    except _TooDeepError as error:
        raise TopologyError((source.problem(error.args[0], _TOO_DEEP),)) from None


def _compose_with(loader_class: type[_ExactLoader | _FastLoader], text: str) -> yaml.Node | None:
    loader = loader_class(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _describe(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(filter(None, (error.context, error.problem)))
    offset = mark.index if mark else 0
    fix = ""
    if source.text[offset : offset + 1] == "\t":
        fix = "indent with spaces, not tabs"
    elif "mapping values are not allowed" in (error.problem or ""):
        fix = "look for a missing space, quote or line break before it"
    return source.problem(offset, f"not YAML: {what}", fix=fix)


class _Reading(Struct):
    """Turns nodes into values, and notes their places and problems."""

    source: Source
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _open: list[yaml.Node] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _aliased: int = 0

    def read(self, node: yaml.Node, path: Path, key: int) -> object:
        """The value of `node`, which is at `path` and whose key is at the offset `key`."""
        is_text = isinstance(node, yaml.ScalarNode) and node.value not in _NULL
        self.places[path] = Place(self.source, key, node.start_mark.index, is_text)
        self._limit(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._read_mapping(node, path)
            return [
                self.read(item, (*path, index), item.start_mark.index)
                for index, item in enumerate(node.value)
            ]
        finally:
            self._open.pop()

    def _limit(self, node: yaml.Node, path: Path) -> None:
        """Raise TopologyError where nesting or aliases would go on for (nearly) ever."""
        if id(node) in self._seen:
            self._aliased += 1
        self._seen.add(id(node))
        excess = (
            "contains itself"
            if node in self._open
            else _TOO_DEEP
            if len(self._open) > _DEEPEST
            else "stands for too many values through its aliases"
            if self._aliased > _MOST_ALIASED
            else None
        )
        if excess:
            offset = node.start_mark.index
            raise TopologyError((self.source.problem(offset, excess, path=format_path(path[:4])),))

    def _read_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            offset = key_node.start_mark.index
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(path, offset, "got a list or mapping as key, expected text", "quote it")
                continue
            key = key_node.value
            if key in mapping:
                line, _ = self.source.position(self.places[*path, key].key)
                self._add((*path, key), offset, f"is there already, in line {line}", "remove one")
                continue
            mapping[key] = self.read(value_node, (*path, key), offset)
        return mapping

    def _read_scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        if node.tag == _PLAIN:
            return _read_plain(node.value)
        if node.tag != _TEXT:
            self._add(path, node.start_mark.index, f"got the tag {node.tag!r}", "remove it")
            return None
        return node.value

    def _add(self, path: Path, offset: int, text: str, fix: str) -> None:
        self.problems.append(self.source.problem(offset, text, path=format_path(path), fix=fix))


def _read_plain(text: str) -> object:
    """The value of a scalar without quotes, by the core schema."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) <= _LONGEST_NUMBER:
        if _INTEGER.fullmatch(text):
            return int(text, 8 if text[1:2] == "o" else 16 if text[1:2] == "x" else 10)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _SPECIAL_FLOAT.fullmatch(text):
            return float(text.replace(".", ""))
    return str(text)
