"""Every error that vnetlab raises for its user (pure).

The tree, each with the exit code that the command line ends with::

    VnetlabError                     never raised itself
    ├── UsageError            (2)    a lab, node or option that is not there
    │   └── TopologyError     (2)    the topology file is wrong: every problem of it at once
    │   └── CommandError    (126/7)  a command for a node that cannot be run, or is not there
    ├── KernelRefusedError    (3)    the kernel said no, or a lab kernel died
    ├── ProbeError            (4)    a probe could not be sent or watched
    └── MissingFeatureError   (5)    a named kernel feature, tool or permission is missing

A lost packet is a result, not an error: it has no place here (exit code 1).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct


class VnetlabError(Exception):
    """An error with one message for the user: what is wrong, then what to do.

    `message` says where it is, what was given and what was expected; `fix` says what to do,
    as a clause without a full stop, and may be empty.
    """

    exit_code: ClassVar[int]

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}; {self.fix}" if self.fix else self.message


class UsageError(VnetlabError):
    """The command names something that is not there, or contradicts itself."""

    exit_code = 2


class Problem(Struct, frozen=True, kw_only=True, order=True):
    """One thing wrong in a topology file, or (of `severity` warning) allowed but likely wrong.

    `file`, `line` and `column` (both from 1; 0 = unknown) are those of the file the user wrote;
    `path` is the key's path in it (`vms.web1.on`), empty for the file as a whole.
    """

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    text: str
    fix: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        where += "" if self.line else ":"
        where += " warning:" if self.severity == "warning" else ""
        what = f"{self.path}: {self.text}" if self.path else self.text
        return f"{where} {what}" + (f"; {self.fix}" if self.fix else "")


class TopologyError(UsageError):
    """A topology file is wrong. `problems` holds all that was found, in the file's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CommandError(UsageError):
    """What was to run on a node cannot be run. The exit code is the one of a shell: sh(1p)."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # each has one of two


class KernelRefusedError(VnetlabError):
    """The kernel refused a change, or the lab kernel itself failed."""

    exit_code = 3


class ProbeError(VnetlabError):
    """The probe could not be sent or watched, so it says nothing about the network."""

    exit_code = 4


class MissingFeatureError(VnetlabError):
    """A kernel feature, a tool or a permission that the command needs is missing."""

    exit_code = 5
