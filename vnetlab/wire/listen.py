"""Listening to all traffic of namespaces, in the order in which it passed the taps (effect)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Self

from vnetlab.wire.bpf import beginning
from vnetlab.wire.taps import BATCH, Capture, Enter, Taps, wait_for_timestamps

_BYTES = 256
"""How much of each packet is copied: its headers, and some bytes to know it by."""

_LATE_NS = 5_000_000
"""A packet is stamped before a reader sees it: on another CPU, a moment before."""


class Listener:
    """Taps in many namespaces, read as one. Use it as a context manager: leaving it closes them."""

    def __init__(self) -> None:
        self._taps = Taps()
        self._early: list[Capture] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._taps.__exit__()

    def open(self, namespaces: Iterable[str], enter: Enter) -> None:
        """Tap these namespaces, anew where they are tapped. Raises what `Taps.open` raises."""
        names = list(namespaces)
        for netns in names:
            self._taps.close(netns)
            self._taps.open(netns, enter, beginning(_BYTES))
        if names:
            wait_for_timestamps(names[0], enter)

    def close(self, netns: str) -> None:
        """End the tap of a namespace."""
        self._taps.close(netns)

    def read(self, timeout_ns: int) -> tuple[list[Capture], int]:
        """Wait for something to come; return it by time, and until when it is complete.

        What is later than that is kept for the next call: a tap that was read before others may
        have something earlier by then.
        """
        self._taps.wait(timeout_ns)
        until_ns = time.time_ns() - _LATE_NS
        fresh = list(self._taps.drain())
        counts = Counter(capture.netns for capture in fresh)
        for netns in (netns for netns, count in counts.items() if count >= BATCH):
            until_ns = min(until_ns, max(c.time_ns for c in fresh if c.netns == netns))
        waiting = sorted(self._early + fresh, key=lambda capture: capture.time_ns)
        self._early = [capture for capture in waiting if capture.time_ns > until_ns]
        return [capture for capture in waiting if capture.time_ns <= until_ns], until_ns

    def lost(self) -> tuple[tuple[str, int], ...]:
        """The namespaces whose tap lost packets, and how many."""
        return self._taps.lost()
