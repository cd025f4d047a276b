"""EFFECT: the user's terminal: its size, and its raw mode while a session has it."""

from __future__ import annotations

import os
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULT_SIZE = os.terminal_size((80, 24))


def size() -> os.terminal_size:
    """Return the size of the terminal that a standard stream is, 80x24 if none is one."""
    for fd in (1, 2, 0):
        try:
            return os.get_terminal_size(fd)
        except OSError:
            continue
    return _DEFAULT_SIZE


@contextmanager
def raw_mode(fd: int) -> Iterator[None]:
    """Pass every key on as it is typed, Ctrl-C included; restore the terminal in any case."""
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # keeps what was typed ahead
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
