"""`up` on a lab that is up costs what has to be read, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import star
from benchmarks.measure import Scale, in_turn
from benchmarks.result import Result, Target


def measure(scale: Scale) -> Iterator[Result]:
    """The first `up`, a second, and one with a VM more."""
    size = scale.size(1000)

    def first() -> float:
        star.down_if_up()
        return star.up(size)

    subjects: dict[str, Callable[[], float]] = {
        "first": first,
        "again": partial(star.up, size),
        "one more": partial(star.up, size + 1),
    }
    medians = in_turn(subjects, scale.repeats)
    star.down_if_up()
    for name, most in (("again", 0.3), ("one more", 0.35)):
        yield Result(
            claim=f"up of {size} VMs, {name}, of the first",
            value=medians[name] / medians["first"],
            target=Target(most=most),
            medians=(("first", medians["first"]), (name, medians[name])),
        )
