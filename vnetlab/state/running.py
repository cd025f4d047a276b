"""Processes of a node as objects: its services, and the control group that limits all (pure)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class Service(Struct, frozen=True, kw_only=True):
    """A shell command in the background of a node, started in `directory`.

    `failure` says how it failed: `exit code 1`, `killed`; None where it runs, or ended well (then
    `ended` is true, which makes no difference to what is desired).
    """

    netns: str
    name: str
    command: str
    directory: str
    failure: str | None = None
    ended: bool = False

    @property
    def id(self) -> tuple[str, str]:
        """Node and name."""
        return (self.netns, self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Service) and super().__eq__(replace(other, ended=self.ended))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.id)


class Limits(Struct, frozen=True, kw_only=True):
    """The control group of a node's processes: cgroups(7), version 2.

    `cpu_quota_us` is the computing time in each 100 ms (`cpu.max`), `memory_bytes` the most memory
    (`memory.max`); None is no limit.
    """

    netns: str
    cpu_quota_us: int | None = None
    memory_bytes: int | None = None

    @property
    def id(self) -> str:
        """Its node."""
        return self.netns
