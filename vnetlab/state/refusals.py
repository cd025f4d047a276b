"""What to say where the kernel accepted changes and does not have them (pure).

It rounds some values (`net.ipv4.icmp_ratelimit` to whole timer ticks) and limits others, and
reports no error. Anything else that is not as it was told is our mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

from vnetlab.errors import KernelRefusedError
from vnetlab.state.diff import Change
from vnetlab.state.show import describe, describe_change, settings


def untaken(changes: Sequence[Change]) -> KernelRefusedError:
    """The error for changes that were made and are still lacking; at least one."""
    values = [change for change in changes if change.old is not None and change.new is not None]
    if len(values) == len(changes):
        return KernelRefusedError(
            "the kernel did not keep what was asked for: "
            + "; ".join(map(_asked_and_kept, values)),
            fix="ask for what it keeps: it rounds some values, and limits others",
        )
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return KernelRefusedError(
        f"the kernel did not take '{describe_change(changes[0])}'{more}",
        fix="this is a fault of vnetlab: please report it with the topology",
    )


def _asked_and_kept(change: Change) -> str:
    """`net.ipv4.icmp_ratelimit in a: asked for value 9, kept 10`."""
    assert change.old is not None
    assert change.new is not None
    kept, asked = settings(change.old), settings(change.new)
    differing = [name for name in kept | asked if kept.get(name) != asked.get(name)]
    told = (
        f"{name} {asked.get(name, 'none')}, it kept {kept.get(name, 'none')}" for name in differing
    )
    return f"{describe(change.subject)}: asked for " + ", and for ".join(told)
