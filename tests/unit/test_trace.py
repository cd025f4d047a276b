"""What sightings say about a packet: where it went, where it was lost, and who is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from vnetlab.diagnosis.locate import locate
from vnetlab.diagnosis.verdict import Layer
from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import State
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.path import ExpectedPath, Hop, Span, expected_path
from vnetlab.trace.request import ProbeRequest, Protocol
from vnetlab.trace.sighting import (
    Answerer,
    Direction,
    Observation,
    PacketKind,
    SendError,
    Sighting,
)
from vnetlab.trace.timing import time_hops
from vnetlab.trace.trace import Carrier, Outcome, PacketTrace, Trace, trace_probe

SHIPPED = Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"
BARE_METAL = SHIPPED.with_name("bare-metal.yaml")
STEP_NS = 1000
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Lab:
    """The shipped topology, and a probe between two of its nodes whose sightings are made up."""

    def __init__(self, state: State, source: str, destination: str, **request: object) -> None:
        self.state = state
        self.ends = choose_endpoints(state, source, destination)
        self.request = replace(ProbeRequest(endpoints=self.ends), **request)
        self.forward = expected_path(state, self.ends.source, self.ends.destination_address)
        self.back = expected_path(state, self.ends.destination, self.ends.source_address)

    def there(self, *, until: str = "", at_ns: int = 0, sequence: int = 0) -> list[Sighting]:
        """The probe along its path, a microsecond per hop, up to and with `until`."""
        return self.walk(self.forward.hops, PacketKind.REQUEST, until, at_ns, sequence)

    def again(self, *, until: str = "", at_ns: int = 100_000, sequence: int = 0) -> list[Sighting]:
        """The reply along its path."""
        return self.walk(self.back.hops, PacketKind.REPLY, until, at_ns, sequence)

    def walk(
        self, hops: Iterable[Hop], kind: PacketKind, until: str, at_ns: int, sequence: int
    ) -> list[Sighting]:
        """A packet along `hops`, up to and with `until`."""
        seen: list[Sighting] = []
        for number, hop in enumerate(hops):
            seen.append(self.sighting(hop, kind, at_ns + number * STEP_NS, sequence))
            if until and until == str(hop):
                break
        else:
            assert not until, f"no hop {until!r}; the path is {[str(hop) for hop in hops]}"
        return seen

    def sighting(self, hop: Hop, kind: PacketKind, time_ns: int, sequence: int = 0) -> Sighting:
        """A packet at one hop."""
        source, destination = self.ends.source_address, self.ends.destination_address
        path = self.forward
        if kind is not PacketKind.REQUEST:
            source, destination = destination, source
            path = self.back
        span = next((at for at, it in enumerate(path.spans) if hop in it.hops), 0)
        return Sighting(
            time_ns=time_ns,
            netns=hop.netns,
            ifname=hop.ifname,
            direction=hop.direction,
            kind=kind,
            source_mac=f"02:00:00:00:00:{span:02x}",
            destination_mac="02:00:00:00:00:02",
            source=source,
            destination=destination,
            sequence=sequence,
        )

    def who_has(self, span: Span, *, until: str = "", at_ns: int = 0) -> list[Sighting]:
        """The question for a span's next hop along that span."""
        walked = self.walk(span.hops, PacketKind.WHO_HAS, until, at_ns, 0)
        return [
            replace(s, sequence=None, target=span.next_hop, source_mac=span.mac) for s in walked
        ]

    def is_at(self, span: Span, hops: Sequence[Hop], *, until: str = "") -> list[Sighting]:
        """The answer along `hops`."""
        walked = self.walk(hops, PacketKind.IS_AT, until, 50_000, 0)
        return [
            replace(s, sequence=None, target=span.next_hop, destination_mac=span.mac)
            for s in walked
        ]

    def trace(self, *sightings: Sighting, sent: int = 1, **observed: object) -> Trace:
        """The trace of these sightings, whatever their order."""
        observation = Observation(
            sightings=tuple(sorted(sightings, key=lambda s: s.time_ns)),
            sent=sent,
            **observed,  # type: ignore[arg-type] # a test names fields
        )
        return trace_probe(self.request, observation, self.state, self.forward, self.back)


@pytest.fixture(scope="module")
def state() -> State:
    return compile_topology(load(SHIPPED))


@pytest.fixture
def lab(state: State) -> Lab:
    return Lab(state, "web1", "web2")


Expectation: TypeAlias = Callable[[PacketTrace], str]
"""Returns what is wrong, nothing if all is well."""


def check(trace: Trace, *expectations: Expectation, packet: int = 0) -> None:
    """Check what happened to a packet; a failure prints all that was seen of it."""
    journey = trace.packets[packet]
    wrong = [text for text in (expect(journey) for expect in expectations) if text]
    seen = [f"  {s.sighting.time_ns} {s.hop} {s.sighting.kind.value}" for s in journey.steps]
    assert not wrong, "\n".join([*wrong, f"{journey.outcome}, {journey.loss}; seen:", *seen])


def seen_at(*hops: str) -> Expectation:
    """Expect sightings on the path at these hops, in this order, among others."""

    def expect(journey: PacketTrace) -> str:
        steps = iter([str(step.hop) for step in journey.steps if step.index is not None])
        missing = [hop for hop in hops if hop not in steps]
        return f"not seen in this order on the path: {missing}" if missing else ""

    return expect


def not_seen_at(hop: str) -> Expectation:
    """Expect no sighting at that hop, on the path or off it."""
    return lambda journey: (
        f"seen at {hop}" if any(str(step.hop) == hop for step in journey.steps) else ""
    )


def astray_at(hop: str) -> Expectation:
    """Expect a sighting there that is no part of the path."""
    return lambda journey: (
        ""
        if any(str(step.hop) == hop and step.index is None for step in journey.steps)
        else f"not seen off the path at {hop}"
    )


def ended(outcome: Outcome) -> Expectation:
    """Expect this end of the journey."""
    return lambda journey: "" if journey.outcome is outcome else f"expected {outcome}"


def lost(*, after: str | None, before: str | None, carrier: Carrier = Carrier.PROBE) -> Expectation:
    """Expect the loss between these two hops."""

    def expect(journey: PacketTrace) -> str:
        if journey.loss is None:
            return "expected a loss"
        got = tuple(str(hop) if hop else None for hop in (journey.loss.after, journey.loss.before))
        if (got, journey.loss.carrier) == ((after, before), carrier):
            return ""
        return f"expected {carrier} lost after {after}, before {before}"

    return expect


def test_a_reply_at_the_source_ends_the_journey(lab: Lab) -> None:
    """Every hop there and back is seen, and the round trip is from the first to the last."""
    trace = lab.trace(*lab.there(), *lab.again())
    check(
        trace,
        ended(Outcome.REPLIED),
        seen_at("web1.eth0 out", "hv1.eno1 out", "web2.eth0 in", "web2.eth0 out", "web1.eth0 in"),
    )
    assert trace.packets[0].round_trip_ns == 100_000 + 7 * STEP_NS
    assert trace.packets[0].loss is None


def test_a_probe_is_lost_between_two_hops(lab: Lab) -> None:
    """It lies after the last hop that it was seen at, and before the next one of its path."""
    check(
        lab.trace(*lab.there(until="hv2.eno1 in")),
        ended(Outcome.LOST_FORWARD),
        seen_at("hv2.eno1 in"),
        not_seen_at("hv2.web2.eth0 out"),
        lost(after="hv2.eno1 in", before="hv2.web2.eth0 out"),
    )


def test_a_lost_reply_is_told_from_a_lost_probe(lab: Lab) -> None:
    """The probe arrived; its reply is judged on its own path."""
    check(
        lab.trace(*lab.there(), *lab.again(until="tor1.hv2.eno1 in")),
        ended(Outcome.LOST_RETURN),
        lost(after="tor1.hv2.eno1 in", before="tor1.hv1.eno1 out", carrier=Carrier.REPLY),
    )


def test_a_destination_that_says_nothing_is_told_from_a_lost_reply(lab: Lab) -> None:
    """No reply was seen at all: the loss is at the destination itself."""
    check(
        lab.trace(*lab.there()),
        ended(Outcome.LOST_RETURN),
        lost(after="web2.eth0 in", before="web2.eth0 out", carrier=Carrier.REPLY),
    )


def test_a_missed_hop_does_not_end_the_path(lab: Lab) -> None:
    """What was seen further on proves that the packet got there."""
    passed = [s for s in lab.there(until="hv2.eno1 in") if s.netns != "tor1"]
    check(lab.trace(*passed), lost(after="hv2.eno1 in", before="hv2.web2.eth0 out"))


def test_a_flooded_copy_is_no_step_of_the_path(lab: Lab) -> None:
    """A frame that a switch sent to the wrong port does not move the loss."""
    stray = replace(
        lab.there(until="tor1.hv1.eno1 in")[-1],
        ifname="gw.eth0",
        direction=Direction.OUT,
        time_ns=9000,
    )
    check(
        lab.trace(*lab.there(until="tor1.hv1.eno1 in"), stray),
        astray_at("tor1.gw.eth0 out"),
        lost(after="tor1.hv1.eno1 in", before="tor1.hv2.eno1 out"),
    )


def test_a_second_round_of_a_loop_is_no_step_of_the_path(lab: Lab) -> None:
    """Each hop counts once: the first time."""
    once = lab.there(until="tor1.hv1.eno1 in")
    check(
        lab.trace(*once, replace(once[-1], time_ns=70_000)),
        astray_at("tor1.hv1.eno1 in"),
        lost(after="tor1.hv1.eno1 in", before="tor1.hv2.eno1 out"),
    )


def test_sightings_of_one_instant_are_put_in_the_path_s_order(lab: Lab) -> None:
    """Where the clock is too coarse, the path says what was first."""
    at_once = [replace(sighting, time_ns=5) for sighting in reversed(lab.there())]
    steps = lab.trace(*at_once).packets[0].forward
    assert [step.index for step in steps] == list(range(8))


def test_an_unanswered_question_stands_for_the_probe_that_waits(lab: Lab) -> None:
    """The probe was never seen, since its MAC address was asked for: the question was lost."""
    asked = lab.who_has(lab.forward.spans[0], until="tor1.hv2.eno1 out")
    check(
        lab.trace(*asked),
        ended(Outcome.LOST_FORWARD),
        lost(after="tor1.hv2.eno1 out", before="hv2.eno1 in", carrier=Carrier.WHO_HAS),
    )


def test_a_question_that_arrived_but_was_not_answered_ends_there(lab: Lab) -> None:
    """The neighbour heard it and said nothing."""
    check(
        lab.trace(*lab.who_has(lab.forward.spans[0])),
        lost(after="web2.eth0 in", before="web2.eth0 out", carrier=Carrier.WHO_HAS),
    )


def test_a_lost_answer_stands_for_the_probe_that_waits(lab: Lab) -> None:
    """The question was answered; the answer went astray on its way."""
    span = lab.forward.spans[0]
    answer = lab.is_at(span, lab.back.hops, until="hv1.eno1 in")
    check(
        lab.trace(*lab.who_has(span), *answer),
        lost(after="hv1.eno1 in", before="hv1.web1.eth0 out", carrier=Carrier.IS_AT),
    )


def test_a_question_asked_again_may_get_further(lab: Lab) -> None:
    """Of two attempts the one that got further counts."""
    span = lab.forward.spans[0]
    first = lab.who_has(span, until="hv1.web1.eth0 in")
    second = lab.who_has(span, until="hv2.eno1 in", at_ns=1_000_000_000)
    check(
        lab.trace(*first, *second),
        lost(after="hv2.eno1 in", before="hv2.web2.eth0 out", carrier=Carrier.WHO_HAS),
    )


def test_a_question_of_somebody_else_says_nothing(lab: Lab) -> None:
    """Another host asks for the same address meanwhile."""
    asked = lab.who_has(lab.forward.spans[0], until="hv1.web1.eth0 in")
    foreign = [replace(sighting, source_mac="02:ff:ff:ff:ff:ff") for sighting in asked]
    check(lab.trace(*foreign), lost(after=None, before="web1.eth0 out"))


def test_a_router_s_question_stands_for_the_probe_that_waits_there(state: State) -> None:
    """The probe came to the router, whose question for the destination was lost."""
    lab = Lab(state, "web1", "db1")
    until_router = lab.there(until="gw.web in")
    asked = lab.who_has(lab.forward.spans[1], until="tor1.gw.eth0 in", at_ns=50_000)
    check(
        lab.trace(*until_router, *asked),
        lost(after="tor1.gw.eth0 in", before="tor1.hv2.eno1 out", carrier=Carrier.WHO_HAS),
    )


def test_an_error_from_the_path_is_a_refusal(state: State) -> None:
    """The router said that it has no route: the probe is lost there, and known to be."""
    lab = Lab(state, "web1", "db1")
    no_route = IcmpError(version=4, type=3, code=0)
    refused = [
        replace(s, kind=PacketKind.ERROR, error=no_route) for s in lab.again() if s.netns != "db1"
    ]
    trace = lab.trace(*lab.there(until="gw.web in"), *refused)
    check(trace, ended(Outcome.REFUSED), lost(after="gw.web in", before="gw.db out"))
    assert any("ICMP 3/0 network unreachable" in e.text for e in locate(trace).evidence)


def test_a_redirect_is_no_refusal(lab: Lab) -> None:
    """ICMP 5 is advice: the packet that it quotes went on."""
    redirect = IcmpError(version=4, type=5, code=1)
    advice = [replace(s, kind=PacketKind.ERROR, error=redirect) for s in lab.again(at_ns=50_000)]
    check(lab.trace(*lab.there(), *advice, *lab.again()), ended(Outcome.REPLIED))
    check(lab.trace(*lab.there(), *advice), ended(Outcome.LOST_RETURN))


def test_what_the_guest_refuses_to_send_is_not_sent(lab: Lab) -> None:
    """The errno is the evidence, and the guest's operating system the layer."""
    trace = lab.trace(send_errors=(SendError(sequence=0, errno="ENETUNREACH"),))
    check(trace, ended(Outcome.NOT_SENT), lost(after=None, before="web1.eth0 out"))
    verdict = locate(trace)
    assert (verdict.layer, verdict.object) == (Layer.GUEST_OS, "web1")
    assert verdict.summary == "On the way there, the probe never left web1."
    assert "ENETUNREACH, network is unreachable" in verdict.evidence[0].text


@pytest.mark.parametrize(
    ("until", "layer", "blamed"),
    [
        ("web1.eth0 out", Layer.VNIC, "web1.eth0"),
        ("hv1.web1.eth0 in", Layer.VIRTUAL_SWITCH, "hv1.vs0"),
        ("hv1.eno1 out", Layer.PNIC, "hv1.eno1"),
        ("tor1.hv1.eno1 in", Layer.PHYSICAL_NETWORK, "tor1"),
        ("tor1.gw.eth0 out", Layer.PHYSICAL_NETWORK, "tor1.gw.eth0 - gw.eth0"),
        ("gw.web in", Layer.PHYSICAL_NETWORK, "gw"),
        ("tor1.hv2.eno1 out", Layer.PNIC, "hv2.eno1"),
        ("hv2.eno1 in", Layer.VIRTUAL_SWITCH, "hv2.vs0"),
        ("hv2.db1.eth0 out", Layer.VNIC, "db1.eth0"),
        ("db1.eth0 in", Layer.GUEST_OS, "db1"),
    ],
)
def test_the_place_of_a_loss_names_a_layer(
    state: State, until: str, layer: Layer, blamed: str
) -> None:
    """Between the ends of a cable it is the cable's layer, within a node what the node does."""
    lab = Lab(state, "web1", "db1")
    verdict = locate(lab.trace(*lab.there(until=until)))
    assert not verdict.healthy
    assert (verdict.layer, verdict.object, verdict.cause) == (layer, blamed, "unknown")


@pytest.mark.parametrize(
    ("until", "layer", "blamed"),
    [
        ("backup.eth0 out", Layer.PNIC, "backup.eth0"),
        ("tor1.backup.eth0 in", Layer.PHYSICAL_NETWORK, "tor1"),
        ("tor1.db1.eth0 out", Layer.PNIC, "db1.eth0"),
        ("db1.eth0 in", Layer.GUEST_OS, "db1"),
    ],
)
def test_the_place_of_a_loss_between_bare_metal_hosts_names_a_layer(
    until: str, layer: Layer, blamed: str
) -> None:
    """Their cables are those of physical NICs, and no virtual switch is on the way."""
    lab = Lab(compile_topology(load(BARE_METAL)), "backup", "db1")
    verdict = locate(lab.trace(*lab.there(until=until)))
    assert (verdict.layer, verdict.object) == (layer, blamed)


def test_silence_of_an_application_is_told_from_that_of_the_guest(state: State) -> None:
    """The port was taken: what is silent is what holds it."""
    lab = Lab(state, "web1", "web2", protocol=Protocol.UDP, port=53)
    verdict = locate(lab.trace(*lab.there(), answerer=Answerer.APPLICATION))
    assert (verdict.layer, verdict.object) == (Layer.APPLICATION, "web2 udp/53")


def test_a_reset_is_the_application_s_refusal(state: State) -> None:
    """TCP: the destination answered, but nothing accepts on that port."""
    lab = Lab(state, "web1", "web2", protocol=Protocol.TCP, port=80)
    reset = [replace(s, kind=PacketKind.RESET) for s in lab.again()]
    trace = lab.trace(*lab.there(), *reset)
    check(trace, ended(Outcome.REFUSED))
    verdict = locate(trace)
    assert (verdict.layer, verdict.object) == (Layer.APPLICATION, "web2 tcp/80")
    assert verdict.summary == "web1 reached web2, but web2 answered with a TCP reset."


def test_a_tap_that_lost_packets_makes_the_place_uncertain(lab: Lab) -> None:
    """Silence is evidence only where the tap lost nothing; elsewhere a loss does not matter."""
    seen = lab.there(until="hv2.eno1 in")
    assert locate(lab.trace(*seen)).certain
    assert locate(lab.trace(*seen, lost_by_tap=(("hv1", 3),))).certain
    verdict = locate(lab.trace(*seen, lost_by_tap=(("hv2", 3),)))
    assert not verdict.certain
    assert any("the tap in hv2 lost 3 packets" in e.text for e in verdict.evidence)


def test_a_healthy_path_has_no_cause(lab: Lab) -> None:
    """Neither layer nor object nor cause; neighbour resolution is worth a remark."""
    asked = lab.who_has(lab.forward.spans[0])
    verdict = locate(lab.trace(*asked, *lab.there(at_ns=20_000), *lab.again()))
    assert verdict.healthy
    assert (verdict.layer, verdict.object, verdict.cause) == (None, "", None)
    assert "web1 had to ask for the MAC address" in verdict.evidence[0].text


def test_of_several_packets_the_most_frequent_loss_is_named(lab: Lab) -> None:
    """One packet got its reply, one was lost here, two there."""
    trace = lab.trace(
        *lab.there(sequence=0),
        *lab.again(sequence=0),
        *lab.there(until="hv1.eno1 out", sequence=1, at_ns=200_000),
        *lab.there(until="hv2.eno1 in", sequence=2, at_ns=300_000),
        *lab.there(until="hv2.eno1 in", sequence=3, at_ns=400_000),
        sent=4,
    )
    verdict = locate(trace)
    assert trace.replied == 1
    assert verdict.object == "hv2.vs0"
    assert verdict.summary.endswith("(2 of 4 packets).")


def test_hops_are_timed_over_all_packets(lab: Lab) -> None:
    """Least, middle and greatest time since the hop before; a lost packet counts where seen."""
    slow = lab.there(sequence=2, at_ns=900_000)
    slow[2:] = [replace(s, time_ns=s.time_ns + 50_000) for s in slow[2:]]
    trace = lab.trace(
        *lab.there(sequence=0),
        *lab.there(sequence=1, at_ns=500_000, until="hv1.eno1 out"),
        *slow,
        sent=3,
    )
    first, second, third, fourth, *_ = time_hops(trace)
    assert first.since_previous is None
    assert (second.seen, third.seen, fourth.seen) == (3, 3, 2)
    gaps = third.since_previous
    assert gaps is not None
    assert (gaps.min_ns, gaps.median_ns, gaps.max_ns) == (STEP_NS, STEP_NS, 51_000)
    assert third.since_start is not None
    assert third.since_start.max_ns == 52_000


def test_paths_without_hops_make_an_empty_trace(state: State) -> None:
    """A guest without a route: nothing to see, and no crash."""
    lab = Lab(state, "web1", "db1")
    lab.forward = lab.back = ExpectedPath(spans=(), complete=False)
    trace = lab.trace()
    check(trace, ended(Outcome.LOST_FORWARD), lost(after=None, before=None))
    assert locate(trace).layer is Layer.GUEST_OS
