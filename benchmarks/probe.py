"""A probe costs about as much as a few pings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from benchmarks import star
from benchmarks.measure import VNETLAB, Scale, in_turn, run
from benchmarks.result import Result, Target, skipped

_IMPORTS = (sys.executable, "-c", "import typer, msgspec")


def measure(scale: Scale) -> Iterator[Result]:
    """One probe and one ping between the same two VMs, whole processes."""
    claim = "probe, warm, against one ping -c1"
    if why := star.no_ping():
        yield skipped(claim, why)
        return
    with star.standing(10):
        ping = ("ip", "netns", "exec", "star.vm1", "ping", "-c1", star.address("vm2"))
        subjects = {
            "probe": partial(run, (*VNETLAB, "probe", "vm1", "vm2")),
            "ping": partial(run, ping),
            "imports": partial(run, _IMPORTS),
        }
        medians = in_turn(subjects, 3 * scale.repeats)
    imports, one_ping = medians.pop("imports"), medians["ping"]
    yield Result(
        claim=claim,
        value=medians["probe"] / one_ping,
        target=Target(most=10),
        medians=tuple(medians.items()),
    )
    yield Result(
        claim="python with the libraries of any command (typer, msgspec), against one ping -c1",
        value=imports / one_ping,
        medians=(("python", imports), ("ping", one_ping)),
    )
