"""EFFECT: how many files this process may have open: a lab has three for each of its nodes.

The usual limit of 1024 is for programs that call select(2): getrlimit(2), systemd.exec(5).
"""

from __future__ import annotations

import resource
from functools import cache

_ENOUGH = 1 << 20  # fs.nr_open, if nobody has changed it


@cache
def raise_limit() -> tuple[int, int]:
    """Let this process have as many as the kernel gives it, from now on; return what it had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        enough = (max(soft, _ENOUGH), max(hard, _ENOUGH))
        resource.setrlimit(resource.RLIMIT_NOFILE, enough)
    except (OSError, ValueError):  # root alone gets more than the hard limit, of its own kernel
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def restore_limit() -> None:
    """Have again what this process came with, for the command that it becomes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, raise_limit())


def limit() -> int:
    """How many it may have now."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
