"""A verb that finds another command at work on its lab says so, and waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import faulting
from vnetlab import lab as verbs
from vnetlab.investigation import investigate, mend, verify
from vnetlab.lab import ProbeOptions

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q")

LAB = """\
hypervisors: {hv1: {}}
networks: {web: {vlan: 10, ipv4: 10.10.0.0/24}}
vms: {a: {on: hv1, nics: [web]}, b: {on: hv1, nics: [web]}}
"""

Waiting = Callable[[], None]


def _copy(root: Path, waiting: Waiting) -> None:
    with verbs.copied("bench", root, waiting=waiting):
        pass


VERBS: dict[str, Callable[[Path, Waiting], object]] = {
    "fault list": lambda root, waiting: faulting.places(
        "bench", "vnic-down", root, waiting=waiting
    ),
    "fault inject": lambda root, waiting: faulting.inject(
        "bench", "vnic-down", "a.eth0", root, waiting=waiting
    ),
    "fault clear": lambda root, waiting: verbs.repair("bench", root, waiting=waiting),
    "change": lambda root, waiting: verbs.change(
        "bench", root, lambda state: state, waiting=waiting
    ),
    "copied": _copy,
    "probe": lambda root, waiting: investigate(
        "bench", "a", "b", root, options=ProbeOptions(), waiting=waiting
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_who_waits_for_a_busy_lab_is_told_so_once(bench: Bench, verb: str) -> None:
    """Before the other command lets the lab go; afterwards the verb does its work."""
    bench.up(LAB)
    other, told = ExitStack(), []
    other.enter_context(bench.lab().locked())

    def waiting() -> None:
        told.append(verb)
        other.close()

    VERBS[verb](bench.root, waiting)
    assert told == [verb]


def test_a_fix_waits_for_a_busy_lab(bench: Bench) -> None:
    """Both where it is tried in a copy and where it is made in the lab itself."""
    bench.up(LAB)
    faulting.inject("bench", "vnic-down", "a.eth0", bench.root)
    options = ProbeOptions()
    found = investigate("bench", "a", "b", bench.root, options=options)
    other, told = ExitStack(), []

    def waiting() -> None:
        told.append("waits")
        other.close()

    other.enter_context(bench.lab().locked())
    tried = verify("bench", found, bench.root, options=options, waiting=waiting)
    assert tried.verdict.is_confirmed
    other.enter_context(bench.lab().locked())
    assert mend("bench", tried.verdict, bench.root, waiting=waiting).changes
    assert told == ["waits", "waits"]
    assert bench.plan(LAB).changes == ()
