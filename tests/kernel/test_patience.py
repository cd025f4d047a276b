"""How long a probe waits: as long as its packets may take, and no longer where they are stopped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT
from vnetlab.diagnosis.verdict import Confidence
from vnetlab.investigation import investigate
from vnetlab.lab import ProbeOptions

InNode = Callable[..., str]
pytestmark = pytest.mark.needs("bridge-vlan-filtering", "netem")


def test_a_slow_way_is_no_loss(bench: Bench, in_node: InNode) -> None:
    """A link that somebody made slow delays a packet by more than a probe waits anyway."""
    bench.up(FLAT)
    in_node("hv1", *["tc", "qdisc", "add", "dev", "eno1", "root", "netem", "delay", "1300ms"])
    found = investigate("bench", "a", "b", bench.root, options=ProbeOptions())
    assert found.trace.replied == 1
    assert found.verdict.cause == "pnic.delay"


def test_what_the_model_does_not_foresee_is_not_called_lost_early(
    bench: Bench, in_node: InNode
) -> None:
    """Seen behind the place where the model stops it, a packet is waited for like any other.

    The tables that the model is given are older than the lab.
    """
    from vnetlab import lab as verbs
    from vnetlab.investigation import request_of, walk_both_ways
    from vnetlab.trace.endpoints import choose_endpoints
    from vnetlab.trace.forwarding.patience import patience_for

    bench.up(FLAT)
    in_node("hv2", *["ip", "link", "set", "eno1", "down"])
    snapshot = verbs.snapshot("bench", bench.root)
    in_node("hv2", *["ip", "link", "set", "eno1", "up"])
    in_node("hv2", *["tc", "qdisc", "add", "dev", "eno1", "root", "netem", "delay", "700ms"])
    options = ProbeOptions()
    ends = choose_endpoints(snapshot.meant, "a", "b", version=4)
    request = request_of(snapshot, ends, options)
    stop = patience_for(snapshot.tables, *walk_both_ways(snapshot.tables, request)).stop
    assert stop is not None
    trace = verbs.probe("bench", "a", "b", bench.root, options=options, ends=ends, stop=stop)
    assert trace.replied == 1


def test_a_foretold_loss_is_proven(bench: Bench, in_node: InNode) -> None:
    """The short wait is enough to see where the packet ends."""
    bench.up(FLAT)
    assert investigate("bench", "a", "b", bench.root, options=ProbeOptions()).verdict.healthy
    in_node("hv2", *["ip", "link", "set", "eno1", "down"])
    verdict = investigate("bench", "a", "b", bench.root, options=ProbeOptions()).verdict
    assert verdict.object == "hv2.eno1"
    assert verdict.causes[0].confidence is Confidence.PROVEN
