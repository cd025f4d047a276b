"""Names: which ones a user may give, and the kernel's short ones derived from them (pure)."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b

from vnetlab.topology.wording import InvalidValueError, show

LONGEST_NAME = 100
"""The longest name that a user may give, in bytes: it must fit an ifalias together with others."""

LONGEST_KERNEL_NAME = 15
"""IFNAMSIZ - 1 (include/uapi/linux/if.h)."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_HASH_CHARACTERS = 8  # 40 bits: among 10,000 names in one namespace, 1 chance in 20,000 of a clash


def check_name(name: str) -> None:
    """Raise InvalidValueError unless `name` is one that a user may give to an object."""
    if not _NAME.fullmatch(name):
        usable = make_name(name)
        raise InvalidValueError(
            f"got {show(name)}, expected a name of a-z, 0-9 and '-' that does not begin with '-'",
            fix=f"write '{usable}'" if usable else "",
        )
    if len(name) > LONGEST_NAME:
        raise InvalidValueError(
            f"got a name of {len(name)} characters, expected {LONGEST_NAME} at most"
        )


def make_name(text: str) -> str:
    """The valid name that resembles `text` most; empty if there is none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST_NAME].rstrip("-")


def kernel_name(full: str) -> str:
    """The name of at most 15 bytes that a link called `full` has in the kernel.

    It is `full` itself where that fits, else its beginning, `-` and a hash of all of it:
    `frontend-server-17-0` becomes `fronte-` and eight characters. The same everywhere and always.
    """
    if len(full) <= LONGEST_KERNEL_NAME:
        return full
    digest = b32encode(blake2b(full.encode(), digest_size=_HASH_CHARACTERS * 5 // 8).digest())
    beginning = full[: LONGEST_KERNEL_NAME - _HASH_CHARACTERS - 1].rstrip("-")
    return f"{beginning}-{digest.decode().lower()}"
