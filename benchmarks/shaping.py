"""Cables have the rate, the delay and the loss that their file says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import lab_kernel
from benchmarks.measure import VNETLAB, Refused, Scale, output, run
from benchmarks.result import Result, Target, skipped

_FILE = Path(__file__).with_name("shaping.yaml")
_CABLE = (sys.executable, "-S", "-E", str(Path(__file__).with_name("cable.py")))
_RATES = {"r1": 1e6, "r10": 1e7, "r100": 1e8, "r1000": 1e9}
_DELAYS = {"d0": 0.0, "d1": 0.001, "d10": 0.01, "d100": 0.1}
_LOSSES = {"l01": 0.001, "l1": 0.01, "l10": 0.1}
_SECONDS, _ROUNDS, _DATAGRAMS = 8, 40, 20_000
_SURE = 0.999
"""How much of what chance does is within the interval."""


def measure(scale: Scale) -> Iterator[Result]:
    """Each setting by itself, between two hypervisors, in the first realm that has it."""
    for kind, measured in (("rates", _rates), ("delays", _delays), ("losses", _losses)):
        try:
            run((*VNETLAB, "up", str(_FILE), "--set", f"kind={kind}"))
        except Refused as error:
            yield skipped(f"shaping, {kind}", lab_kernel.missing() or str(error))
            continue
        yield measured(scale, _address("sink"))
        run((*VNETLAB, "down", "shaping"))


def _rates(scale: Scale, sink: str) -> Result:
    rates = {vm: _rate(vm, sink, _SECONDS / min(scale.divide, 4)) for vm in _RATES}
    errors = {vm: 100 * abs(rates[vm] / rate - 1) for vm, rate in _RATES.items()}
    return Result(
        claim="shaped rate, 1 mbit to 1 gbit: farthest from its setting",
        value=max(errors.values()),
        unit="%",
        target=Target(most=2),
        note=", ".join(f"{rate / 1e6:.4g} mbit" for rate in rates.values()),
    )


def _delays(scale: Scale, sink: str) -> Result:
    rounds = max(5, _ROUNDS // scale.divide)
    trips = {vm: _round_trip(vm, sink, rounds) for vm in _DELAYS}
    delays = {vm: trip - trips["d0"] for vm, trip in trips.items()}
    shares = (abs(delays[vm] - delay) / max(delay * 0.05, 100e-6) for vm, delay in _DELAYS.items())
    return Result(
        claim="shaped delay, 1 to 100 ms: farthest from its setting, of 5 % or 100 us",
        value=max(shares),
        target=Target(most=1),
        note=", ".join(f"{delay * 1e3:.4g} ms" for delay in delays.values() if delay),
    )


def _losses(scale: Scale, sink: str) -> Result:
    number = max(2000, _DATAGRAMS // scale.divide)
    lost = {vm: number - _arrived(vm, sink, number) for vm in _LOSSES}
    outside = [vm for vm, share in _LOSSES.items() if not _is_chance(lost[vm], number, share)]
    return Result(
        claim=f"shaped loss, 0.1 to 10 %: settings outside of the {_SURE:.1%} binomial interval",
        value=len(outside),
        unit="",
        target=Target(most=0),
        note=", ".join(f"{100 * some / number:.4g} %" for some in lost.values()),
    )


def _rate(vm: str, sink: str, seconds: float) -> float:
    """Bits per second that come over the cable of `vm`."""
    with _running("sink", "take") as receiver:
        run((*VNETLAB, "exec", vm, "--", *_CABLE, "give", sink, str(seconds)))
        return float(_line(receiver))


def _round_trip(vm: str, sink: str, rounds: int) -> float:
    """Seconds."""
    with _running("sink", "answer") as receiver:
        took = output((*VNETLAB, "exec", vm, "--", *_CABLE, "ask", sink, str(rounds)))
        receiver.terminate()
    return float(took)


def _arrived(vm: str, sink: str, number: int) -> int:
    """How many of a number of datagrams came over the cable of `vm`."""
    with _running("sink", "count") as receiver:
        run((*VNETLAB, "exec", vm, "--", *_CABLE, "send", sink, str(number)))
        return int(_line(receiver))


def _running(vm: str, verb: str) -> subprocess.Popen[str]:
    """The receiving end, ready."""
    command = (*VNETLAB, "exec", vm, "--", *_CABLE, verb)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert _line(process) == "ready"
    return process


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _address(vm: str) -> str:
    command = (*VNETLAB, "exec", vm, "--", "ip", "-json", "-4", "address", "show", "dev", "eth0")
    return str(json.loads(output(command))[0]["addr_info"][0]["local"])


def _is_chance(lost: int, number: int, share: float) -> bool:
    """Whether neither so few nor so many are too rare: the binomial distribution's two ends."""
    rare = (1 - _SURE) / 2
    fewer = sum(_likelihood(some, number, share) for some in range(lost))
    return fewer < 1 - rare and fewer + _likelihood(lost, number, share) > rare


def _likelihood(lost: int, number: int, share: float) -> float:
    ways = math.lgamma(number + 1) - math.lgamma(lost + 1) - math.lgamma(number - lost + 1)
    return math.exp(ways + lost * math.log(share) + (number - lost) * math.log1p(-share))
