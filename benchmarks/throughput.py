"""What vnetlab makes carries as much as the same veths and bridge made by hand."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import star
from benchmarks.measure import VNETLAB, Scale, in_turn, run
from benchmarks.result import Result, Target

_STREAM = (sys.executable, "-S", "-E", str(Path(__file__).with_name("stream.py")))
_SECONDS = 2.0
_TRACES = {"tracing others": "udp port 9", "tracing it": "tcp port 5201"}


def measure(scale: Scale) -> Iterator[Result]:
    """TCP from VM to VM through the vSwitch, against the floor's."""
    seconds = _SECONDS / scale.divide
    _, place = star.floor_up(2)
    with star.standing(2):
        ours = ("/run/netns/star.vm1", "/run/netns/star.vm2", star.address("vm2"))
        theirs = (f"{place}/1", f"{place}/2", "10.0.0.2")
        plain = partial(_bits_per_s, *ours, seconds)
        by_hand = partial(_bits_per_s, *theirs, seconds)
        rates = in_turn({"vnetlab": plain, "by hand": by_hand}, 3 * scale.repeats)
        traced = {name: partial(_traced, words, *ours, seconds) for name, words in _TRACES.items()}
        with_taps = in_turn({"taps off": plain, **traced}, scale.repeats)
    star.floor_down(place)
    yield Result(
        claim="throughput VM to VM, unshaped, of the same by hand",
        value=rates["vnetlab"] / rates["by hand"],
        target=Target(least=0.95),
        note=_told(rates),
    )
    for name in _TRACES:
        yield Result(
            claim=f"throughput with taps on, {name}, of that with taps off",
            value=with_taps[name] / with_taps["taps off"],
            note=_told({name: with_taps[name]}),
        )


def _told(rates: dict[str, float]) -> str:
    return ", ".join(f"{name} {rate / 1e9:.2f} Gbit/s" for name, rate in rates.items())


def _traced(words: str, source: str, destination: str, address: str, seconds: float) -> float:
    """The rate while `vnetlab trace` has a tap at every hop."""
    command = (*VNETLAB, "trace", *words.split())
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as trace:
        assert trace.stderr is not None
        trace.stderr.readline()  # that it follows them
        rate = _bits_per_s(source, destination, address, seconds)
        trace.send_signal(signal.SIGINT)
    return rate


def _bits_per_s(source: str, destination: str, address: str, seconds: float) -> float:
    command = ("nsenter", f"--net={destination}", *_STREAM, "receive")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        run(("nsenter", f"--net={source}", *_STREAM, "send", address, str(seconds)))
        return float(receiver.stdout.readline())
