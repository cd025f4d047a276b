"""A lab is no process, and to build one takes little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import star
from benchmarks.measure import Scale, peak_bytes
from benchmarks.result import Result, Target


def measure(scale: Scale) -> Iterator[Result]:
    """Processes that a lab leaves, and the peak of the command that makes it."""
    size = scale.size(1000)
    before = _processes()
    star.write(size)
    peak = peak_bytes(star.up_command())
    left = _processes() - before
    star.down()
    star.drained()
    yield Result(
        claim=f"processes that a lab of {size} VMs leaves",
        value=left,
        unit="",
        target=Target(most=0),
    )
    yield Result(
        claim=f"peak memory of up, {size} VMs",
        value=peak / 1e6,
        unit="MB",
        target=Target(most=150),
    )


def _processes() -> int:
    return sum(entry.name.isdecimal() for entry in Path("/proc").iterdir())
