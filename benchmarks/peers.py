"""EFFECT: other builders of labs, each told to build the same star in its own way.

Those that are not installed are not measured: iproute2, mininet (Debian: `mn` on PATH, and its
module for /usr/bin/python3), munet (PyPI: `munet` on PATH, in a venv of its own).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Refused, run
from benchmarks.sandbox import PLACE

_SCRIPTS = Path(__file__).with_name("peer_scripts")
_BATCH = PLACE / "batch"


def ip_batch(guests: int) -> float:
    """The seconds that `ip -batch` takes: one call for the links, one for each guest's own."""
    names = [f"vm{number}" for number in range(1, guests + 1)]
    start = time.perf_counter()
    _batch("netns add switch", *(f"netns add {name}" for name in names))
    make = "link add {0} type veth peer name eth0 netns {0}"
    _batch(
        "link add br0 type bridge mcast_snooping 0",
        *(make.format(name) for name in names),
        *(f"link set {name} master br0 up" for name in names),
        "link set br0 up",
        netns="switch",
    )
    for number, name in enumerate(names, 1):
        _batch(
            "link set lo up",
            "link set eth0 up",
            f"addr add 10.0.{number >> 8}.{number & 255}/16 dev eth0",
            f"addr add fd00::{number:x}/64 dev eth0 nodad",
            netns=name,
        )
    took = time.perf_counter() - start
    _batch(*(f"netns del {name}" for name in ("switch", *names)))
    return took


def _batch(*lines: str, netns: str = "") -> None:
    _BATCH.write_text("\n".join(lines) + "\n")
    run(("ip", *(("-n", netns) if netns else ()), "-batch", str(_BATCH)))


def missing(peer: str) -> str:
    """Why a peer cannot be measured; nothing where it can."""
    program = {"mininet": "mn", "munet": "munet", "ip -batch": "ip"}[peer]
    return "" if shutil.which(program) else f"{peer} is not installed: no '{program}' on PATH"


def mininet(guests: int) -> float:
    """The seconds until Mininet has built its star."""
    with session("mininet", guests) as (took, _):
        return took


def munet(guests: int) -> float:
    """The seconds until munet has built its star."""
    with session("munet", guests) as (took, _):
        return took


@contextmanager
def session(peer: str, guests: int) -> Iterator[tuple[float, subprocess.Popen[str]]]:
    """Have a peer's star: the seconds until it said `up`, and its process, which takes a line."""
    python = "/usr/bin/python3"
    if peer == "munet":
        python = Path(shutil.which("munet") or "").read_text().splitlines()[0][2:]
    start = time.perf_counter()
    with subprocess.Popen(
        [python, str(_SCRIPTS / f"{peer}_star.py"), str(guests)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HOME": str(PLACE), "TMPDIR": str(PLACE)},
    ) as process:
        assert process.stdout is not None
        if not any(line.strip() == "up" for line in process.stdout):
            raise Refused(f"{peer}: ended before its lab was up")
        try:
            yield time.perf_counter() - start, process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
