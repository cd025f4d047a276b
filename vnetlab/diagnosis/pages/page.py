"""What is told of a reason (pure)."""

from __future__ import annotations

from msgspec import Struct


class Page(Struct, frozen=True, kw_only=True):
    """What a reason is, where it comes from, how to see it and how to mend it.

    `phrase` makes a sentence with the object's name before it. Each of `elsewhere` begins with the
    platform that it is about. `look` are commands for the node's shell: words in capitals in them
    stand for the reader's own (`PORT`, `ADDRESS`). What is in single quotes is to be typed.
    """

    phrase: str
    what: str
    elsewhere: tuple[str, ...]
    look: tuple[str, ...]
    fix: str
