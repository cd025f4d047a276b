"""`down` returns at once, and the kernel is done about when it is after the floor's."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import star
from benchmarks.measure import Scale, in_turn
from benchmarks.result import Result, Target


def measure(scale: Scale) -> Iterator[Result]:
    """The command, and then how long the kernel goes on."""
    size = scale.size(1000)
    drains: dict[str, list[float]] = {"vnetlab": [], "floor": []}

    def ours() -> float:
        star.up(size)
        took = star.down()
        drains["vnetlab"].append(took + star.drained())
        return took

    def floor() -> float:
        _, place = star.floor_up(size)
        took = star.floor_down(place)
        drains["floor"].append(took + star.drained())
        return took

    medians = in_turn({"vnetlab": ours, "floor": floor}, scale.repeats)
    yield Result(
        claim=f"down of {size} VMs, against the floor: more by",
        value=medians["vnetlab"] - medians["floor"],
        unit="s",
        target=Target(most=0.3),
        medians=tuple(medians.items()),
    )
    drained = in_turn({name: iter(some).__next__ for name, some in drains.items()}, scale.repeats)
    yield Result(
        claim=f"down of {size} VMs until the kernel has drained, against the floor",
        value=drained["vnetlab"] / drained["floor"],
        target=Target(most=1.3),
        medians=tuple(drained.items()),
    )
