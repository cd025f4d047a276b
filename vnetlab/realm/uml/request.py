"""What a command asks the lab kernel's agent for: itself, run there (pure)."""

from __future__ import annotations

import json
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict


class Stdin(StrEnum):
    """What a session's standard input is."""

    NULL = "null"
    PIPE = "pipe"
    TERMINAL = "terminal"


class Request(Struct, frozen=True, kw_only=True):
    """A command with everything it inherits from the shell that it was typed in.

    `stdout_tty` and `stderr_tty` say that these are a terminal. `rows` and `columns` are its size.
    `encoding` is that of Python's text streams there.
    """

    argv: tuple[str, ...]
    cwd: str
    environ: dict[str, str]
    umask: int
    stdin: Stdin
    stdout_tty: bool
    stderr_tty: bool
    rows: int
    columns: int
    encoding: str

    @property
    def needs_terminal(self) -> bool:
        """True if any of the three standard streams is a terminal."""
        return self.stdin == Stdin.TERMINAL or self.stdout_tty or self.stderr_tty

    def to_json(self) -> bytes:
        """Return the request as JSON; bytes that are no UTF-8 survive (PEP 383)."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> Request:
        """Return the request that `to_json` wrote."""
        fields = json.loads(data)
        fields["argv"] = tuple(fields["argv"])
        fields["stdin"] = Stdin(fields["stdin"])
        return cls(**fields)
