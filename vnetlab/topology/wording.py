"""How problems are worded: what was given, what was expected, what was meant (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_VALUE = 60
_LONGEST_LIST = 10


class InvalidValueError(ValueError):
    """A value that the topology language does not accept; `fix` says what to write instead."""

    def __init__(self, text: str, *, fix: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix


def got(value: object, expected: str, *, fix: str = "") -> InvalidValueError:
    """The error for `value` where something else was `expected`."""
    return InvalidValueError(f"got {show(value)}, expected {expected}", fix=fix)


def show(value: object) -> str:
    """`value` as a user who wrote it in YAML would call it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case str() if len(value) > _LONGEST_VALUE:
            return repr(value[:_LONGEST_VALUE] + "...")
        case _:
            return repr(value)


def join_choices(choices: Iterable[object]) -> str:
    """The choices as `a, b, c`, cut where there are too many to read."""
    texts = [str(choice) for choice in choices]
    shown, left = texts[:_LONGEST_LIST], len(texts) - _LONGEST_LIST
    return ", ".join(shown) + (f" and {left} more" if left > 0 else "")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """What to write instead of the unknown `name`: the closest choice and all of them."""
    from difflib import get_close_matches  # costs start-up time, and only an error needs it

    known = list(choices)
    if not known:
        return ""
    close = get_close_matches(name, known, n=1)
    listed = join_choices(known)
    return f"did you mean '{close[0]}'? ({listed})" if close else f"choose from {listed}"
