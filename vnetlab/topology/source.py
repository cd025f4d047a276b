"""The text of a topology file, and where each character of it was written.

How it works: templates are rendered before YAML is read, so YAML's positions are those of the
rendered text. A Source keeps the original beside it and a list of chunks: each says from which
offset of the original a stretch of the rendered text was copied, or which expression made it.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import force_setattr

from vnetlab.errors import Problem, TopologyError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE_BYTES = 16 * 2**20


class Chunk(Struct, frozen=True):
    """A stretch of the rendered text, from its offset `start` to the next chunk.

    `origin` is an offset in the original: of the stretch's first character where it is `copied`,
    of the expression that made all of it otherwise.
    """

    start: int
    origin: int
    copied: bool = True


class Source(Struct, frozen=True):
    """A topology file: `file` as its user named it, the `original` text and the rendered `text`."""

    file: str
    original: str
    text: str
    chunks: tuple[Chunk, ...] = (Chunk(0, 0),)
    _line_starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = (len(line) + 1 for line in self.original.split("\n"))
        force_setattr(self, "_line_starts", tuple(accumulate(lengths, initial=0)))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, in the original of what is at `offset` of the rendered text."""
        chunk = self.chunks[bisect_right(self.chunks, offset, key=lambda chunk: chunk.start) - 1]
        origin = chunk.origin + (offset - chunk.start if chunk.copied else 0)
        line = bisect_right(self._line_starts, min(origin, len(self.original)))
        return line, origin - self._line_starts[line - 1] + 1

    def problem(self, offset: int, text: str, *, path: str = "", fix: str = "") -> Problem:
        """The problem of what is at `offset` of the rendered text."""
        line, column = self.position(offset)
        return Problem(file=self.file, line=line, column=column, path=path, text=text, fix=fix)


def read_text(path: Path) -> str:
    """The text of the file, all line ends as one LF. Raises TopologyError if it is not there."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file") from None
    except IsADirectoryError:
        raise _unreadable(path, "got a directory, expected a topology file") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE_BYTES:
        raise _unreadable(path, f"got more than {LARGEST_FILE_BYTES >> 20} MiB, expected less")
    return _decode(path, content).replace("\r\n", "\n").replace("\r", "\n")


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        problem = Problem(
            file=str(path),
            line=before.count(b"\n") + 1,
            column=len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1,
            text=f"got byte 0x{content[error.start]:02x}, expected text in UTF-8",
            fix="save the file as UTF-8",
        )
        raise TopologyError((problem,)) from None


def _unreadable(path: Path, text: str) -> TopologyError:
    return TopologyError((Problem(file=str(path), text=text),))
