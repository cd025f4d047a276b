"""Services and limits of a node (pure)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from vnetlab.state.compile.parts import Context
from vnetlab.state.objects import Object
from vnetlab.state.running import Limits, Service
from vnetlab.topology import running

_QUOTA_US = 100
"""Of each 100 ms, for a thousandth of a CPU."""

_LARGEST_PAGE = 1 << 16
"""The kernel rounds a limit of memory down to pages, of 4 to 64 KiB."""


def compile_running(
    context: Context, node: str, services: tuple[running.Service, ...], limits: running.Limits
) -> Iterator[Object]:
    """What runs on `node`, and the limits of it if there are any."""
    directory = posixpath.dirname(context.topology.source)
    for service in services:
        yield Service(netns=node, name=service.name, command=service.command, directory=directory)
    if limits != running.Limits():
        cpu, memory = limits.cpu_thousandths, limits.memory_bytes
        yield Limits(
            netns=node,
            cpu_quota_us=None if cpu is None else cpu * _QUOTA_US,
            memory_bytes=None if memory is None else memory // _LARGEST_PAGE * _LARGEST_PAGE,
        )
