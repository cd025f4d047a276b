"""Where a rule of nftables is run (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from vnetlab.state.nftables import NftSet
from vnetlab.state.objects import Link
from vnetlab.state.tables import Tables


class Place(Struct, frozen=True, kw_only=True):
    """The chain's family and hook, and between which links.

    `links` are those of the namespace by name; `sets` the named sets of the table. `chance` is the
    answer of whatever depends on chance or rates; `translates` says that the chain is one for NAT.
    `iif` and `oif` are None where the kernel has none at this hook.
    """

    tables: Tables
    netns: str
    family: str
    point: str
    priority: int
    iif: str | None
    oif: str | None
    links: Mapping[str, Link]
    sets: Mapping[str, NftSet]
    chance: bool = False
