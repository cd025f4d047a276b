"""Run the benchmarks: `python -m benchmarks [--small] [--out DIR] [--into README.md] [CLAIM...]`.

It writes results.md, results.json and results.svg to --out (benchmarks/results), and the table
between the marks of the file that --into names. --small divides sizes by 20 and measures once.
Naming claims (the names of the files) runs those alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    change,
    down,
    fabric,
    growth,
    matrix,
    memory,
    probe,
    realms,
    report,
    sandbox,
    shaping,
    start,
    throughput,
    up,
)
from benchmarks.measure import Scale
from benchmarks.result import Result, skipped

CLAIMS: dict[str, Callable[[Scale], Iterator[Result]]] = {
    "start": start.measure,
    "up": up.measure,
    "growth": growth.measure,
    "change": change.measure,
    "down": down.measure,
    "memory": memory.measure,
    "probe": probe.measure,
    "matrix": matrix.measure,
    "throughput": throughput.measure,
    "shaping": shaping.measure,
    "fabric": fabric.measure,
    "realms": realms.measure,
}
_RESULTS = Path(__file__).with_name("results")
_SMALL = Scale(divide=20, repeats=1)


def main() -> None:
    """Parse the arguments, measure in the sandbox, write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=", ".join(CLAIMS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, metavar="DIR", default=_RESULTS)
    parser.add_argument("--into", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := set(arguments.claims) - set(CLAIMS):
        parser.error(f"no claim {', '.join(sorted(unknown))}: expected {', '.join(CLAIMS)}")
    sandbox.enter(sys.argv[1:])
    scale = _SMALL if arguments.small else Scale()
    results: list[Result] = []
    start_s = time.perf_counter()
    for name in arguments.claims or CLAIMS:
        for result in _measured(name, scale):
            print(report.line(result), file=sys.stderr, flush=True)  # noqa: T201
            results.append(result)
    machine = report.machine(took_s=time.perf_counter() - start_s)
    report.write(arguments.out, machine, results)
    if arguments.into:
        report.insert(arguments.into, machine, results)


def _measured(name: str, scale: Scale) -> Iterator[Result]:
    """The results of a claim; one that fails is told, and does not stop the others."""
    try:
        yield from CLAIMS[name](scale)
    except Exception as error:  # whatever it was
        yield skipped(name, f"failed: {str(error).splitlines()[0]}")


if __name__ == "__main__":
    main()
