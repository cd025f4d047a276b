"""Commands start about as fast as Python does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

from benchmarks import star
from benchmarks.measure import VNETLAB, Scale, in_turn, run
from benchmarks.result import Result, Target

_COMMANDS = (("--help", 5.0), ("ls", 8.0), ("status", 12.0))


def measure(scale: Scale) -> Iterator[Result]:
    """Each against `python -c pass`, beside a lab of 10 VMs."""
    python = partial(run, (sys.executable, "-c", "pass"))
    with star.standing(10):
        for word, most in _COMMANDS:
            subjects = {f"vnetlab {word}": partial(run, (*VNETLAB, word)), "python": python}
            medians = in_turn(subjects, 3 * scale.repeats)
            ours, theirs = medians.values()
            yield Result(
                claim=f"vnetlab {word}, against python -c pass",
                value=ours / theirs,
                target=Target(most=most),
                medians=tuple(medians.items()),
            )
