"""EFFECT: times of whole processes, those that are compared measured in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

VNETLAB = (sys.executable, "-m", "vnetlab")


class Scale(Struct, frozen=True, kw_only=True):
    """How much is measured: by how much labs are smaller than claimed, and how often."""

    divide: int = 1
    repeats: int = 3

    def size(self, claimed: int) -> int:
        """The number of VMs where the claim speaks of `claimed`."""
        return max(2, claimed // self.divide)


class Refused(RuntimeError):  # noqa: N818 # it is the command that was refused
    """A command that was to be measured failed; the message ends with what it said."""


def run(command: Sequence[str]) -> float:
    """Run a command; return its time in seconds, from its start to its end."""
    start = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = time.perf_counter() - start
    if done.returncode:
        raise Refused(f"{' '.join(command)}: {(done.stdout + done.stderr)[-500:]}")
    return took


def output(command: Sequence[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def peak_bytes(command: Sequence[str]) -> int:
    """Run a command; return the most memory that it had: getrusage(2), ru_maxrss."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Refused(" ".join(command))
    return usage.ru_maxrss * 1024


def in_turn(subjects: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Measure each once, then each again, and so on; return the medians."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repeats):
        for name, subject in subjects.items():
            times[name].append(subject())
    return {name: statistics.median(some) for name, some in times.items()}
