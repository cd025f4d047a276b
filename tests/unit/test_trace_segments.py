"""What a hop did to packets, counted from sightings and held against qdiscs."""

from __future__ import annotations

from ipaddress import ip_address

from msgspec.structs import replace

from vnetlab.state.objects import LinkId, Qdisc
from vnetlab.state.shaping import CERTAIN, ROOT
from vnetlab.trace.path import ExpectedPath, Hop, Span
from vnetlab.trace.payload import essence, untagged
from vnetlab.trace.request import Endpoints, ProbeRequest, RawFrame
from vnetlab.trace.segments import Quantity, Segment, measure_segments
from vnetlab.trace.sighting import Direction, Observation, PacketKind, Sighting
from vnetlab.trace.trace import Outcome, PacketTrace, Step, Trace
from vnetlab.wire.marker import Marker
from vnetlab.wire.raw_frames import build_frame

MS = 1_000_000
A, B = ip_address("10.0.0.1"), ip_address("10.0.0.2")
ENDS = Endpoints(source="a", destination="b", source_address=A, destination_address=B)
REQUEST = ProbeRequest(endpoints=ENDS)
HOPS = tuple(
    Hop(netns=netns, ifname="l", direction=way, label=netns, role=None)
    for netns, way in (("a", Direction.OUT), ("sw", Direction.IN), ("sw", Direction.OUT))
)
RAW = RawFrame(
    link=LinkId(netns="a", name="l"),
    target=LinkId(netns="b", name="l"),
    source_mac="02:00:00:00:00:01",
    destination_mac="02:00:00:00:00:02",
)


def _frame(sequence: int) -> bytes:
    return build_frame(REQUEST, RAW, Marker(0x12345), sequence, 0)


def _packet(sequence: int, *out_ms: float, frame: bytes | None = None) -> PacketTrace:
    """Seen at the first two hops 10 ms after the packet before; at the last, so much later."""
    start = sequence * 10 * MS
    times = [(HOPS[0], start), (HOPS[1], start), *((HOPS[2], start + int(t * MS)) for t in out_ms)]
    steps = []
    for at, (hop, time_ns) in enumerate(times):
        sighting = Sighting(
            time_ns=time_ns,
            netns=hop.netns,
            ifname=hop.ifname,
            direction=hop.direction,
            kind=PacketKind.REQUEST,
            source_mac="",
            destination_mac="",
            source=A,
            destination=B,
            sequence=sequence,
            frame=frame if frame and at > 1 else _frame(sequence),
        )
        steps.append(Step(sighting=sighting, hop=hop, index=at if at < len(HOPS) else None))
    outcome = Outcome.REPLIED if out_ms else Outcome.LOST_FORWARD
    return PacketTrace(sequence=sequence, outcome=outcome, forward=tuple(steps), back=())


def _measure(*packets: PacketTrace, **options: int) -> Segment:
    """The segment out of the switch, whose qdisc has these options."""
    path = ExpectedPath(spans=(Span(next_hop=B, mac="", hops=HOPS),), complete=True)
    trace = Trace(
        request=REQUEST,
        forward=path,
        back=ExpectedPath(spans=(), complete=True),
        packets=packets,
        resolution=(),
        observation=Observation(sightings=(), sent=len(packets)),
    )
    qdisc = Qdisc(
        netns="sw", link="l", handle=1, parent=ROOT, kind="netem", options=tuple(options.items())
    )
    *_, last = measure_segments(trace, [qdisc])
    return last


def test_a_delay_agrees_with_its_setting_or_not() -> None:
    """20 ms are 20 ms and not 25 ms; what is not configured is not judged."""
    packets = [_packet(number, 20.3) for number in range(30)]
    assert dict(_measure(*packets, delay_ns=20 * MS).agrees) == {Quantity.DELAY: True}
    assert dict(_measure(*packets, delay_ns=25 * MS).agrees) == {Quantity.DELAY: False}
    assert _measure(*packets).agrees == ()


def test_a_loss_is_held_against_its_interval() -> None:
    """20 of 100 are 15 %, but not 50 %, and not nothing."""
    packets = [_packet(number, *([1] if number % 5 else [])) for number in range(100)]
    found = _measure(*packets, loss_u32=int(CERTAIN * 0.15))
    assert (found.loss.count, found.loss.total) == (20, 100)
    assert dict(found.agrees)[Quantity.LOSS]
    assert not dict(_measure(*packets, loss_u32=CERTAIN // 2).agrees)[Quantity.LOSS]
    assert not dict(_measure(*packets).agrees)[Quantity.LOSS]


def test_a_copy_is_counted_where_it_is_made() -> None:
    """Seen twice behind a hop that it came to once."""
    found = _measure(_packet(0, 1, 1), _packet(1, 1))
    assert (found.duplication.count, found.duplication.total) == (1, 2)
    assert dict(found.agrees) == {Quantity.DUPLICATION: False}


def test_netem_s_reordering_is_what_it_sends_at_once() -> None:
    """A packet that was sent at once overtook those that wait; these are late, it is early."""
    packets = [_packet(number, 0.01 if number % 4 == 3 else 30) for number in range(40)]
    found = _measure(*packets, delay_ns=30 * MS, reordering_u32=CERTAIN // 4)
    assert found.early is not None
    assert (found.early.count, found.reordering.count) == (10, 20)
    assert dict(found.agrees) == {Quantity.DELAY: True, Quantity.REORDERING: True}
    assert not dict(_measure(*packets).agrees)[Quantity.REORDERING]


def test_a_damaged_packet_has_other_bytes_behind() -> None:
    """But for what routers and NAT change."""
    damaged = bytearray(_frame(1))
    damaged[60] ^= 1
    found = _measure(_packet(0, 1), _packet(1, 1, frame=bytes(damaged)))
    assert (found.corruption.count, found.corruption.total) == (1, 2)
    assert dict(found.agrees) == {Quantity.CORRUPTION: False}
    routed = bytearray(_frame(0))
    routed[22] -= 1  # TTL
    routed[26:30] = b"\x0a\x09\x09\x09"
    assert essence(bytes(routed)) == essence(_frame(0)) is not None
    tagged = build_frame(REQUEST, replace(RAW, vlan=7), Marker(0x12345), 0, 0)
    assert essence(tagged) == essence(_frame(0))
    assert untagged(tagged) == untagged(_frame(0)) == _frame(0)


def test_any_flipped_bit_is_damage_where_nothing_routes() -> None:
    """In addresses and headers as well; but for a checksum that a NIC is still to compute."""
    for bit in range(8 * len(_frame(0))):
        damaged = bytearray(_frame(0))
        damaged[bit // 8] ^= 1 << bit % 8
        assert untagged(bytes(damaged)) != untagged(_frame(0))
