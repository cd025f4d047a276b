"""VRFs with nothing left to guess (pure)."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vnetlab.topology.model_vrfs import Vrf as VrfPart

_FIRST, _COUNT = 1001, 60_000


class Vrf(Struct, frozen=True, kw_only=True):
    """A VRF of a router, and the number of its routing table."""

    name: str
    table: int


def resolve_vrfs(vrfs: Mapping[str, VrfPart]) -> tuple[Vrf, ...]:
    """The VRFs of one router. A hash of the name says the table of one that has none given."""
    taken = {vrf.table for vrf in vrfs.values()}
    resolved = []
    for name, vrf in vrfs.items():
        table = vrf.table
        if table is None:
            number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
            free = (_FIRST + (number + step) % _COUNT for step in range(_COUNT))
            table = next(it for it in free if it not in taken)
            taken.add(table)
        resolved.append(Vrf(name=name, table=table))
    return tuple(resolved)
