"""Results of a score kept in a file, a line each, so that a long run can be resumed."""

from __future__ import annotations

from pathlib import Path

from msgspec import MsgspecError
from msgspec.json import decode, encode

from vnetlab.errors import UsageError
from vnetlab.faults.score import Result


class ResultFile:
    """The results that a file has already, and those that are added; without a path, in memory.

    Raises UsageError if there is such a file and it holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.results: list[Result] = []
        if path is not None and path.exists():
            try:
                self.results = [decode(line, type=Result) for line in path.read_text().splitlines()]
            except (MsgspecError, ValueError, OSError) as error:
                raise UsageError(
                    f"{path}: got something else than results of 'fault score' ({error})",
                    fix="give --results another file",
                ) from None

    def add(self, result: Result) -> None:
        """Keep a result."""
        self.results.append(result)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(encode(result).decode() + "\n")
