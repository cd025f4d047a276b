"""`up` on a lab that is up costs what has to be read, and what differs.

Beside it is measured of what that consists at least: the file, and reading every VM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import star
from benchmarks.measure import Scale, in_turn
from benchmarks.result import Result, Target


def measure(scale: Scale) -> Iterator[Result]:
    """The first `up`, a second, and one with a VM more."""
    size = scale.size(1000)

    def anew() -> float:
        star.down_if_up()
        return star.up(size)

    subjects: dict[str, Callable[[], float]] = {
        "first": anew,
        "again": partial(star.up, size),
        "one more": partial(star.up, size + 1),
        "file": partial(star.checked, size),
        "read": star.looked_at,
    }
    medians = in_turn(subjects, scale.repeats)
    star.down_if_up()
    floor = in_turn({"floor": partial(star.floor_built, size)}, scale.repeats)["floor"]
    first, file, read = (medians[name] for name in ("first", "file", "read"))
    for name, most in (("again", 0.3), ("one more", 0.35)):
        yield Result(
            claim=f"up of {size} VMs, {name}, of the first",
            value=medians[name] / first,
            target=Target(most=most),
            medians=(("first", first), (name, medians[name])),
        )
    yield Result(
        claim=f"{size} VMs: their file checked, made by the floor, read once, against the floor",
        value=(file + floor + read) / floor,
        medians=(("validate", file), ("floor", floor), ("read", read)),
    )
    yield Result(
        claim=f"{size} VMs: their file checked and they read once, of the first up",
        value=(file + read) / first,
        medians=(("first", first), ("validate", file), ("read", read)),
    )
