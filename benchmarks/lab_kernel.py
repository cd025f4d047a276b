"""EFFECT: the lab kernel of the sandbox: started by the first command that needs it, then ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.measure import VNETLAB, output, run


def missing() -> str:
    """Why there is none; nothing where there is one."""
    full = "every feature" in output((*VNETLAB, "kernel", "list"))
    return "" if full else "no full lab kernel: 'vnetlab kernel build' makes one"


@contextmanager
def ended() -> Iterator[None]:
    """End the lab kernel afterwards, with all labs in it."""
    try:
        yield
    finally:
        run((*VNETLAB, "kernel", "stop"))
