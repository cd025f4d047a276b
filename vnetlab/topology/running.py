"""What runs on a node by itself, and how much of the machine it may take (pure)."""

from __future__ import annotations

from msgspec import Struct


class Service(Struct, frozen=True, kw_only=True):
    """A command that `up` starts on a node, in the background. `name` is unique on the node."""

    name: str
    command: str


class Limits(Struct, frozen=True, kw_only=True):
    """What all processes on a node may take together; None: all there is.

    `cpu_thousandths` is in thousandths of one CPU.
    """

    cpu_thousandths: int | None = None
    memory_bytes: int | None = None
