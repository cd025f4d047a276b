"""A VM in a lab of a thousand costs what it costs in a lab of a hundred, but for the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import star
from benchmarks.measure import Scale, in_turn
from benchmarks.result import Result, Target


def measure(scale: Scale) -> Iterator[Result]:
    """Time per VM at both sizes, divided by how the floor's grows."""
    few, many = scale.size(100), scale.size(1000)
    medians = in_turn(
        {
            f"vnetlab, {few}": partial(star.built, few),
            f"floor, {few}": partial(star.floor_built, few),
            f"vnetlab, {many}": partial(star.built, many),
            f"floor, {many}": partial(star.floor_built, many),
        },
        scale.repeats,
    )
    few_ours, few_floor, many_ours, many_floor = medians.values()
    yield Result(
        claim=f"growth of the time per VM from {few} to {many}, the floor's divided out",
        value=(many_ours / few_ours) / (many_floor / few_floor),
        target=Target(most=1.3),
        medians=tuple(medians.items()),
    )
