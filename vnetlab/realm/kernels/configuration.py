"""The configuration of our own kernel: what is asked for, and whether it was got (pure)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

FRAGMENT: Final = Path(__file__).with_name("lab-kernel.config")
"""The symbols that our kernel has, each with the reason for its group."""


def asked_symbols(text: str) -> tuple[str, ...]:
    """The assignments (`CONFIG_VETH=y`) in a configuration, in its order."""
    return tuple(line for line in map(str.strip, text.splitlines()) if line.startswith("CONFIG_"))


def unmet_symbols(asked: str, got: str) -> tuple[str, ...]:
    """The assignments of the configuration `asked` that the configuration `got` does not have.

    The kernel's configuration tools drop a symbol without a word when it is misspelt, was
    renamed, or depends on another one that is off.
    """
    present = set(asked_symbols(got))
    return tuple(symbol for symbol in asked_symbols(asked) if symbol not in present)


def fingerprint(text: str) -> str:
    """Eight hex digits that change with the symbols that a configuration asks for."""
    return hashlib.sha256("\n".join(asked_symbols(text)).encode()).hexdigest()[:8]
