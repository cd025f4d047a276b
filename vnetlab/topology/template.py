"""Jinja2 in a topology file: rendering that remembers where each character came from (pure).

How it works: an extension walks the template's tokens and puts a marker before every stretch of
literal text and every expression. A marker is an offset in the template between NUL characters,
which YAML text never has. The rendered text is then split at the markers, which gives its chunks
(see source.py). Text that a template captures into a variable (`{% set x %}`, macros, filters)
gets no markers, as its value would change; it counts as written where it is output.

Templates are sandboxed and deterministic, and a name that is not set is an error. Importing this
module imports jinja2: only a file that has a template in it should pay for that.
"""

from __future__ import annotations

import re
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, meta
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vnetlab.errors import Problem, TopologyError
from vnetlab.topology.source import Chunk, Source
from vnetlab.topology.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MARKER = re.compile(r"\0([0-9]{1,9})([cm])\0")
_COPIED, _MADE = "c", "m"
_LOCATED = {"data", "variable_begin", "block_begin"}
_CAPTURES = {"macro", "call", "filter", "set", "block"}
_UNDEFINED = re.compile(r"'(\w+)' is undefined")


def render(file: str, original: str, variables: Mapping[str, object]) -> Source:
    """Render the template. Raises TopologyError with the template's line."""
    environment = _make_environment()
    try:
        tree = environment.parse(original)
        output = environment.from_string(tree).render(variables)
    except Exception as error:  # a template is a program: it can raise anything
        raise TopologyError((_describe(file, error, variables),)) from None
    return _split_at_markers(file, original, output)


def find_variables(original: str) -> frozenset[str]:
    """The names of the variables that the template uses, which has been rendered already."""
    return frozenset(meta.find_undeclared_variables(_make_environment().parse(original)))


def _make_environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=[_Markers],
    )
    del environment.filters["random"], environment.globals["lipsum"]  # one file, one lab
    return environment


def _split_at_markers(file: str, original: str, output: str) -> Source:
    pieces = _MARKER.split(output)  # text, offset, kind, text, offset, kind, text...
    chunks, texts, start = [Chunk(0, 0)], [pieces[0]], len(pieces[0])
    for origin, kind, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if text:
            chunks.append(Chunk(start, int(origin), copied=kind == _COPIED))
            texts.append(text)
            start += len(text)
    return Source(file, original, "".join(texts), tuple(chunks))


class _Markers(Extension):
    """Puts a marker before every literal text and expression of a template."""

    _offsets: list[int]

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Note the offsets of the tokens that `filter_stream` will see: those know only lines."""
        self._offsets = []
        end = 0
        for _, kind, text in self.environment.lexer.tokeniter(source, name or "", filename):
            start = source.index(text, end)  # only stripped white space can lie between
            end = start + len(text)
            if kind in _LOCATED:
                self._offsets.append(start)
        return source

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yield the template's tokens with the markers between them."""
        tokens = list(stream)
        offsets = iter(self._offsets)
        captures = 0
        for index, token in enumerate(tokens):
            if token.type in _LOCATED:
                offset = next(offsets)
                if not captures:
                    kind = _COPIED if token.type == "data" else _MADE
                    yield Token(token.lineno, "data", f"\0{offset}{kind}\0")
                if token.type == "block_begin":
                    captures += _count_capture(_tag_at(tokens, index))
            yield token


def _tag_at(tokens: list[Token], index: int) -> list[Token]:
    """The tokens of the tag that begins at `index`, without its delimiters."""
    rest = islice(tokens, index + 1, None)
    return list(takewhile(lambda token: token.type != "block_end", rest))


def _count_capture(tag: list[Token]) -> int:
    """1 if the tag with these tokens captures what follows it, -1 if it ends that, else 0."""
    name = str(tag[0].value) if tag else ""
    if name.startswith("end"):
        return -1 if name.removeprefix("end") in _CAPTURES else 0
    if name == "set":
        kinds = [token.type for token in tag if token.type in {"assign", "pipe"}]
        return 0 if kinds[:1] == ["assign"] else 1
    return 1 if name in _CAPTURES else 0


def _describe(file: str, error: Exception, variables: Mapping[str, object]) -> Problem:
    fix = ""
    if isinstance(error, UndefinedError) and (match := _UNDEFINED.search(str(error))):
        fix = did_you_mean(match[1], variables) or f"set it: --set {match[1]}=VALUE"
    text = f"template: {error}" if str(error) else f"template: {type(error).__name__}"
    return Problem(file=file, line=_find_line(error), text=text, fix=fix)


def _find_line(error: Exception) -> int:
    """The template's line that `error` came from; the first if unknown."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    line, frame = 0, error.__traceback__
    while frame:
        if "__jinja_exception__" in frame.tb_frame.f_globals:  # jinja2 put in the template's line
            line = frame.tb_lineno
        frame = frame.tb_next
    return line or 1
