"""EFFECT: the star of most claims: N VMs on one vSwitch, by vnetlab and by the floor."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import VNETLAB, output, run
from benchmarks.sandbox import PLACE

FLOOR = (sys.executable, "-S", "-E", str(Path(__file__).with_name("floor.py")))
_FILE = PLACE / "star.yaml"
_LANGUAGE = """\
name: star
networks:
  lan: {{ipv4: 10.0.0.0/16, ipv6: "fd00::/64"}}
hypervisors:
  hv1:
vms:
  vm: {{on: hv1, count: {guests}, nics: [lan]}}
"""
_MARK = "drain"
_places = (str(PLACE / f"floor-{number}") for number in itertools.count())


def up(guests: int) -> float:
    """Build the star, or change it, with vnetlab; return the seconds."""
    write(guests)
    return run(up_command())


def write(guests: int) -> None:
    """Write its file."""
    _FILE.write_text(_LANGUAGE.format(guests=guests))


def up_command(realm: str = "host") -> tuple[str, ...]:
    """The command for the file as it is."""
    return (*VNETLAB, "up", "--realm", realm, str(_FILE))


def checked(guests: int) -> float:
    """Read and check its file, and do nothing with it; return the seconds."""
    write(guests)
    return run((*VNETLAB, "validate", str(_FILE)))


def down() -> float:
    """Take it away; return the seconds."""
    return run((*VNETLAB, "down", "star"))


def down_if_up() -> None:
    """Take it away if it is there, and wait until it is gone."""
    if "star" in output((*VNETLAB, "ls", "--json")):
        down()
    drained()


def built(guests: int) -> float:
    """The seconds of `up`, from nothing to nothing."""
    took = up(guests)
    down()
    drained()
    return took


@contextmanager
def standing(guests: int) -> Iterator[None]:
    """Have the star while something is measured on it."""
    up(guests)
    try:
        yield
    finally:
        down()
        drained()


def floor_up(guests: int) -> tuple[float, str]:
    """Build the floor's star; return the seconds, and where it is."""
    place = next(_places)
    return run((*FLOOR, "up", place, str(guests))), place


def floor_down(place: str) -> float:
    """Drop it; return the seconds."""
    return run((*FLOOR, "down", place))


def looked_at() -> float:
    """Read what vnetlab has built, as the floor does; return the seconds."""
    return run((*FLOOR, "look", "/run/netns/star.vm"))


def floor_built(guests: int) -> float:
    """The seconds of the floor, from nothing to nothing."""
    took, place = floor_up(guests)
    floor_down(place)
    drained()
    return took


def drained() -> float:
    """Wait until the kernel has freed all that was dropped before; return the seconds.

    It frees namespaces in the order in which they were dropped, by one worker (net/core/
    net_namespace.c, cleanup_net): when the veth of one more is gone, all before it are.
    """
    start = time.perf_counter()
    run(("ip", "netns", "add", _MARK))
    run(("ip", "link", "add", _MARK, "type", "veth", "peer", "name", "peer", "netns", _MARK))
    run(("ip", "netns", "del", _MARK))
    while _MARK in {name for _, name in socket.if_nameindex()}:
        time.sleep(0.005)
    return time.perf_counter() - start


def address(vm: str) -> str:
    """The IPv4 address of a VM of the star that is up."""
    command = ("ip", "-n", f"star.{vm}", "-json", "-4", "address", "show", "dev", "eth0")
    return str(json.loads(output(command))[0]["addr_info"][0]["local"])


def no_ping() -> str:
    """Why there can be no ping; nothing where there can."""
    return "" if shutil.which("ping") else "no 'ping' on PATH"
