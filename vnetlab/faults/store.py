"""Results of a score kept in a file, a line each, so that a long run can be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vnetlab.diagnosis.verdict import Layer
from vnetlab.errors import UsageError
from vnetlab.faults.score import Accusation, Result


class ResultFile:
    """The results that a file has already, and those that are added; without a path, in memory.

    Raises UsageError if there is such a file and it holds something else.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.results: list[Result] = []
        if path is not None and path.exists():
            try:
                self.results = [_parse(line) for line in path.read_text().splitlines()]
            except (ValueError, TypeError, KeyError, OSError) as error:
                raise UsageError(
                    f"{path}: got something else than results of 'fault score' ({error})",
                    fix="give --results another file",
                ) from None

    def add(self, result: Result) -> None:
        """Keep a result."""
        self.results.append(result)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(result), default=lambda it: it.value) + "\n")


def _parse(line: str) -> Result:
    fields: dict[str, Any] = json.loads(line)
    for name in ("truth", "accused"):
        fields[name] = tuple(
            Accusation(code=it["code"], object=it["object"], layer=Layer(it["layer"]))
            for it in fields[name]
        )
    return Result(**fields)
