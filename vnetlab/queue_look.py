"""EFFECT: a probe whose packets waited or ended at a link's queue is sent again, watching that.

A probe that took no longer than is configured costs nothing of this. Where the queue is empty by
then, it costs a moment.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from vnetlab.diagnosis.queues import Backlog, find_queue, is_filled
from vnetlab.diagnosis.verdict import Queue
from vnetlab.kernel.backlogs import read_backlogs
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nodes import Nodes
from vnetlab.state.objects import LinkId, State
from vnetlab.trace.trace import Trace
from vnetlab.wire.crowd import Crowd
from vnetlab.wire.probe import run_probe

_COUNT = 10
_TIMEOUT_NS = 200_000_000
_LOOKS = 5
_PAUSE_S = 0.005
_SHORTEST_S = 0.1


def look_at_queues(
    name: str, root: Path, trace: Trace, state: State, links: Iterable[LinkId]
) -> tuple[Queue, ...]:
    """Send the probe of `trace` again and return which queues of these links are filled, by whom.

    Raises ProbeError if it cannot be watched, KernelRefusedError if the kernel refuses a dump.
    """
    lab = LabDir(root, name)
    with lab.locked(shared=True), Nodes(lab) as nodes:
        return tuple(
            queue for link in links if (queue := _look(nodes, trace, state, link)) is not None
        )


def _look(nodes: Nodes, trace: Trace, state: State, link: LinkId) -> Queue | None:
    """None of a link that has gone meanwhile."""
    try:
        return _watched(nodes, trace, state, link)
    except OSError:
        return None


def _watched(nodes: Nodes, trace: Trace, state: State, link: LinkId) -> Queue | None:
    qdiscs = [it for it in state.qdiscs if (it.netns, it.link) == (link.netns, link.name)]
    with ExitStack() as stack:
        with nodes.enter(link.netns):
            index, channel = socket.if_nametoindex(link.name), Channel()
            stack.callback(channel.close)
        if not any(is_filled(look, qdiscs) for look in _looks(channel, index)):
            return None
        crowd = stack.enter_context(Crowd(link, nodes.enter))
        watch = _Watch(channel, index, crowd)
        count = min(max(trace.request.count, 3), _COUNT)
        request = replace(trace.request, count=count, timeout_ns=_TIMEOUT_NS)
        with watch:
            run_probe(request, [trace.request.endpoints.source], nodes.enter)
        return find_queue(state, link, watch.seen, dict(crowd.flows))


def _looks(channel: Channel, index: int) -> Iterator[list[Backlog]]:
    for _ in range(_LOOKS):
        yield list(read_backlogs(channel, index))
        time.sleep(_PAUSE_S)


class _Watch:
    """Looks at a link's queue, and at who sends by it, in a thread while the context lasts."""

    def __init__(self, channel: Channel, index: int, crowd: Crowd) -> None:
        self.seen: list[list[Backlog]] = []
        self._channel, self._index, self._crowd = channel, index, crowd
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        end_s = time.monotonic() + _SHORTEST_S
        while not self._done.is_set() or time.monotonic() < end_s:
            self.seen.append(list(read_backlogs(self._channel, self._index)))
            self._crowd.count(_PAUSE_S)
