"""All pairs at once cost far less per pair than a ping each."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import peers, sandbox, star
from benchmarks.measure import VNETLAB, Refused, Scale, in_turn, run
from benchmarks.result import Result, Target, skipped

_SAMPLE = 20
_MININET_GUESTS = 12


def measure(scale: Scale) -> Iterator[Result]:
    """The seconds per ordered pair."""
    size = scale.size(100)
    claim = f"matrix of {size} VMs, per pair, faster than"
    matrix = partial(_matrix, size)
    with star.standing(size):
        if why := star.no_ping():
            yield skipped(f"{claim} a ping", why)
        else:
            addresses = [star.address(f"vm{number}") for number in range(1, size + 1)]
            medians = in_turn({"vnetlab": matrix, "ping": partial(_ping, addresses)}, scale.repeats)
            yield _result(f"{claim} a ping", medians, least=50)
            in_kernel = _kernel_time(matrix) / (size * (size - 1))
            medians = {"vnetlab": in_kernel, "ping": medians["ping"]}
            yield _result(
                f"matrix of {size} VMs, its time in the kernel alone, than a ping", medians
            )
        if why := peers.missing("mininet") or star.no_ping():
            yield skipped(f"{claim} Mininet's pingAll", why)
            return
        try:
            medians = in_turn({"vnetlab": matrix, "pingAll": _ping_all}, 1)
            yield _result(f"{claim} Mininet's pingAll", medians, least=20)
        except Refused as error:
            yield skipped(f"{claim} Mininet's pingAll", str(error))


def _result(claim: str, medians: dict[str, float], least: float | None = None) -> Result:
    ours, theirs = medians.values()
    return Result(
        claim=claim,
        value=theirs / ours,
        target=Target(least=least),
        medians=tuple(medians.items()),
        note="seconds per pair",
    )


def _matrix(size: int) -> float:
    """In the first network namespace, as a user: there alone is the limit of neighbours set."""
    command = ("nsenter", f"--net={sandbox.OUTSIDE}", *VNETLAB, "matrix")
    return run(command) / (size * (size - 1))


def _kernel_time(work: Callable[[], float]) -> float:
    """The seconds that the processes of `work` spend in the kernel."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_stime
    work()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_stime - before


def _ping(addresses: list[str]) -> float:
    numbers = range(len(addresses))
    pairs = [random.sample(numbers, 2) for _ in range(_SAMPLE)]
    ping = "ip netns exec star.vm{} ping -c1 {}"
    return sum(run(ping.format(a + 1, addresses[b]).split()) for a, b in pairs) / _SAMPLE


def _ping_all() -> float:
    with peers.session("mininet", _MININET_GUESTS) as (_, process):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline()) / (_MININET_GUESTS * (_MININET_GUESTS - 1))
