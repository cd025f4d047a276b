"""How long a probe is waited for: by what the model knows of its way."""

from __future__ import annotations

from tests.unit.forwarding_tables import all_of, at, having, network, packet, setting, walk
from vnetlab.state.objects import Qdisc
from vnetlab.state.shaping import ROOT, SECOND_NS
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.patience import patience_for
from vnetlab.trace.patience import Patience
from vnetlab.trace.sighting import Direction, PacketKind

UNICAST = packet(protocol=6, source_port=1024, destination_port=80)


def _qdisc(
    name: str, kind: str, parent: int = ROOT, handle: int = 0x1_0000, **options: int
) -> Qdisc:
    where = at(name)
    return Qdisc(
        netns=where.netns,
        link=where.name,
        handle=handle,
        parent=parent,
        kind=kind,
        options=tuple(sorted(options.items())),
    )


def _patience(tables: Tables) -> Patience:
    return patience_for(tables, walk(tables, UNICAST), None)


def test_what_the_way_may_take_is_waited_for() -> None:
    """The delay, the jitter and a full queue of each qdisc, and a second for a busy machine."""
    netem = _qdisc("hv1.up", "netem", delay_ns=300_000_000, jitter_ns=20_000_000)
    tbf = _qdisc("hv1.up", "tbf", 0x1_0001, 0x2_0000, rate_bit_s=1_000_000, limit_bytes=10_000)
    elsewhere = _qdisc("hv2.up", "netem", delay_ns=7 * SECOND_NS)
    found = _patience(having(netem, tbf, elsewhere)(network()))
    assert found.way_ns == 400_000_000
    assert found.timeout_ns == SECOND_NS + 400_000_000
    assert found.stop is None


def test_a_stop_that_is_foretold_is_told_by_the_places_around_it() -> None:
    """The packet comes in at the switch, whose other port is down."""
    found = _patience(setting("tor.h2", up=False)(network()))
    assert found.stop is not None
    assert found.stop.last == ("tor", "h1", Direction.IN, PacketKind.REQUEST)
    assert ("hv2", "up", Direction.IN, PacketKind.REQUEST) in found.stop.behind
    assert found.stop.timeout_ns < SECOND_NS


def test_a_foretold_stop_behind_a_slow_link_is_waited_for_longer() -> None:
    """The packet has to get to the place before it."""
    slow = having(_qdisc("hv1.up", "netem", delay_ns=3 * SECOND_NS))
    found = _patience(all_of(slow, setting("tor.h2", up=False))(network()))
    assert found.stop is not None
    assert found.stop.timeout_ns > 3 * SECOND_NS
