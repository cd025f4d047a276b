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
    medians = in_turn(subjects | {"read alone": star.looked_at}, scale.repeats)
    floor = in_turn({"floor": partial(star.floor_built, size)}, scale.repeats)["floor"]
    star.down_if_up()
    for name, most in (("again", 0.3), ("one more", 0.35)):
        yield Result(
            claim=f"up of {size} VMs, {name}, of the first",
            value=medians[name] / medians["first"],
            target=Target(most=most),
            medians=(("first", medians["first"]), (name, medians[name])),
        )
    looked = medians["read alone"]
    yield Result(
        claim=f"{size} VMs made by the floor and read once, against the floor",
        value=(floor + looked) / floor,
        medians=(("floor", floor), ("read", looked)),
    )
    yield Result(
        claim=f"{size} VMs read once and nothing else, of the first up",
        value=looked / medians["first"],
        medians=(("first", medians["first"]), ("read", looked)),
    )
