"""What a lab costs in the lab kernel, against the same on the host."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks import lab_kernel, star
from benchmarks.measure import VNETLAB, Scale, run
from benchmarks.result import Result, skipped

_PARTS = {
    "up": star.up_command("{realm}"),
    "up again": star.up_command("{realm}"),
    "probe": (*VNETLAB, "probe", "vm1", "vm2"),
    "exec true": (*VNETLAB, "exec", "vm1", "true"),
    "down": (*VNETLAB, "down", "star"),
}
_REALMS = ("uml", "host")


def measure(scale: Scale) -> Iterator[Result]:
    """The lab kernel's start, then each command in it and on the host in turn."""
    size = scale.size(100)
    if why := lab_kernel.missing():
        yield skipped(f"lab kernel against host, {size} VMs", why)
        return
    times: dict[tuple[str, str], list[float]] = {}
    star.write(size)
    with lab_kernel.ended():
        first = _carried_out("uml")["up"]
        for _ in range(scale.repeats):
            for realm in _REALMS:
                for part, took in _carried_out(realm).items():
                    times.setdefault((part, realm), []).append(took)
    medians = {key: statistics.median(some) for key, some in times.items()}
    yield Result(claim="lab kernel: its start", value=first - medians["up", "uml"], unit="s")
    for part in _PARTS:
        pair = {realm: medians[part, realm] for realm in _REALMS}
        yield Result(
            claim=f"{part}, {size} VMs, lab kernel against host",
            value=pair["uml"] / pair["host"],
            medians=tuple(pair.items()),
        )


def _carried_out(realm: str) -> dict[str, float]:
    """The seconds of each part, in a lab of that realm."""
    took = {
        part: run([word.format(realm=realm) for word in command])
        for part, command in _PARTS.items()
    }
    star.drained()
    return took
