"""What a cable does to the packets of a probe, measured and held against the topology."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.investigation import Investigation, investigate
from vnetlab.lab import ProbeOptions
from vnetlab.trace.segments import Quantity, Segment

InNode = Callable[..., str]
pytestmark = pytest.mark.needs("bridge-vlan-filtering", "netem")

BAD_CABLE = """\
networks: {lan: {ipv4: 10.0.0.0/24}}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1, out: {%s}}}}
vms: {a: {on: hv1}}
hosts: {b: {to: tor1}}
"""


@pytest.fixture
def acquainted(bench: Bench, in_node: InNode) -> Callable[[str], None]:
    """Brings a lab up whose ends know each other's MAC addresses: no ARP is lost or damaged."""

    def bring_up(text: str) -> None:
        bench.up(text)
        state = verbs.snapshot("bench", bench.root).tables.state
        for node, other in (("a", "b"), ("b", "a")):
            (mac,) = (it.mac for it in state.links if (it.netns, it.name) == (other, "eth0"))
            (ip,) = (it.interface.ip for it in state.addresses if it.netns == other)
            entry = ["to", str(ip), "lladdr", mac, "dev", "eth0", "nud", "permanent"]
            in_node(node, "ip", "neigh", "replace", *entry)

    return bring_up


def _probe(bench: Bench, count: int) -> Investigation:
    return investigate("bench", "a", "b", bench.root, options=ProbeOptions(count=count))


def _uplink(found: Investigation) -> Segment:
    """The way out of the uplink."""
    (segment,) = (
        it
        for it in found.segments
        if it.forward
        and (it.hop.netns, it.hop.ifname, it.hop.direction.value) == ("hv1", "eno1", "out")
    )
    return segment


def test_what_a_cable_does_is_what_the_topology_says(
    bench: Bench, acquainted: Callable[[str], None]
) -> None:
    """Loss, duplication and reordering of netem, each within its interval."""
    acquainted(BAD_CABLE % "delay: 40ms, loss: 10%, duplication: 20%, reordering: 30%")
    segment = _uplink(_probe(bench, 200))
    assert {Quantity.LOSS, Quantity.DUPLICATION, Quantity.REORDERING} <= set(dict(segment.agrees))
    differing = {what for what, same in segment.agrees if not same} - {Quantity.DELAY}
    assert not differing, segment
    assert segment.delay is not None
    assert segment.delay.times_ns[0] >= 20_000_000
    assert segment.reordering.count


def test_what_was_changed_by_hand_differs_from_the_topology(
    bench: Bench, in_node: InNode, acquainted: Callable[[str], None]
) -> None:
    """The topology says what is configured, not the kernel."""
    acquainted(BAD_CABLE % "loss: 1%")
    in_node("hv1", *["tc", "qdisc", "replace", "dev", "eno1", "root", "netem", "loss", "60%"])
    segment = _uplink(_probe(bench, 60))
    assert dict(segment.agrees) == {Quantity.LOSS: False}


def test_damage_shows_at_the_hop_that_damages(
    bench: Bench, acquainted: Callable[[str], None]
) -> None:
    """Packets that are damaged have other bytes behind the uplink, or are not recognized there."""
    acquainted(BAD_CABLE % "corruption: 40%")
    segment = _uplink(_probe(bench, 100))
    assert segment.corruption.count
    assert dict(segment.agrees)[Quantity.CORRUPTION]
