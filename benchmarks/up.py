"""`up` takes hardly longer than the kernel does, and far less than other builders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import peers, star
from benchmarks.measure import Refused, Scale, in_turn
from benchmarks.result import Result, Target, skipped

_SIZES = (10, 100, 500, 1000)
_LARGE = 500
_PEERS: tuple[tuple[str, Callable[[int], float], int, float], ...] = (
    ("ip -batch", peers.ip_batch, 1000, 6),
    ("mininet", peers.mininet, 1000, 12),
    ("munet", peers.munet, 50, 40),
)


def measure(scale: Scale) -> Iterator[Result]:
    """Against the floor at each size, and against each peer at one."""
    for size in sorted({scale.size(claimed) for claimed in _SIZES}):
        yield _against_floor(size, scale)
    for name, build, claimed, least in _PEERS:
        yield _against_peer(name, build, scale.size(claimed), least)


def _against_floor(size: int, scale: Scale) -> Result:
    subjects = {"vnetlab": partial(star.built, size), "floor": partial(star.floor_built, size)}
    medians = in_turn(subjects, scale.repeats)
    claim = f"up of {size} VMs, against the floor"
    if size >= _LARGE:
        value = medians["vnetlab"] / medians["floor"]
        return Result(
            claim=claim, value=value, target=Target(most=1.3), medians=tuple(medians.items())
        )
    return Result(
        claim=f"{claim}: more by",
        value=medians["vnetlab"] - medians["floor"],
        unit="s",
        target=Target(most=0.5),
        medians=tuple(medians.items()),
    )


def _against_peer(name: str, build: Callable[[int], float], size: int, least: float) -> Result:
    claim = f"up of {size} VMs, faster than {name}"
    if why := peers.missing(name):
        return skipped(claim, why)
    subjects = {"vnetlab": partial(star.built, size), name: partial(build, size)}
    try:
        medians = in_turn(subjects, 1)  # a peer takes minutes
    except Refused as error:
        return skipped(claim, str(error))
    return Result(
        claim=claim,
        value=medians[name] / medians["vnetlab"],
        target=Target(least=least),
        medians=tuple(medians.items()),
    )
