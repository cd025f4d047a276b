"""How a long step tells its caller how far it is (pure)."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called whenever a step begins and while it goes on.

    `step` is a clause for the user ("compiling linux 7.2.13"), the same one for as long as the
    step lasts; `done` is the part of that step that is done, 0.0 to 1.0, or None if unknown.
    """

    def __call__(self, step: str, done: float | None) -> None:
        """Take note of it; must return quickly."""
        ...


def ignore_progress(step: str, done: float | None) -> None:
    """The `Progress` of a caller that does not show any."""
