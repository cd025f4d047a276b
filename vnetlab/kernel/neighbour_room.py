"""EFFECT: room for many neighbours: one kernel's namespaces share the limit of their tables.

`gc_thresh3` of net.ipv4.neigh.default and of net.ipv6 (ip-sysctl of the kernel's documentation)
is 1024 by default: the neighbours that 33 VMs of one network have, if each talks to each. Above it
the kernel refuses to send to a neighbour that it does not know yet, until entries are 5 s old
(net/core/neighbour.c, neigh_forced_gc).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import sysctls
from vnetlab.kernel.forget import forget_neighbours
from vnetlab.kernel.nodes import Nodes

_LIMITS = tuple(f"net/{family}/neigh/default/gc_thresh3" for family in ("ipv4", "ipv6"))


@contextmanager
def room_for_neighbours(count: int, nodes: Nodes) -> Iterator[None]:
    """Let the kernel hold `count` neighbours more than are usual, if it may not and can be told to.

    Then the lab forgets its neighbours, before the limit is again what it was. Only a
    process in the kernel's first network namespace has the setting, and root alone may write it.
    """
    raised: dict[str, str] = {}
    try:
        for key in _LIMITS:
            usual = sysctls.read(key)
            if usual is not None and int(usual) < 2 * count and _try_write(key, int(usual) + count):
                raised[key] = usual
        yield
    finally:
        if raised:
            forget_neighbours(nodes)
        for key, usual in raised.items():
            _try_write(key, int(usual))


def _try_write(key: str, value: int) -> bool:
    try:
        sysctls.write(key, str(value))
    except KernelRefusedError:
        return False
    return True
