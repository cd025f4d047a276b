"""The verb that follows real traffic: `vnetlab trace`.

The first packet of each flow is told in full, and each place where packets of it vanish, judged by
the tables that the kernel has then; all others are counted. What is remembered is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from vnetlab import lab as verbs
from vnetlab.diagnosis.followed import BAD, Fate, Flow, FlowName, Summary, Told
from vnetlab.diagnosis.judge import Case, judge
from vnetlab.diagnosis.verdict import Verdict
from vnetlab.errors import UsageError
from vnetlab.investigation import intent_of, walk_both_ways
from vnetlab.kernel.labdir import LabDir
from vnetlab.kernel.nodes import Nodes
from vnetlab.state.objects import LinkId, State
from vnetlab.trace.follow import Followed, Follower, Places, is_lost, is_unanswered
from vnetlab.trace.forwarding.bonds import with_sightings
from vnetlab.trace.forwarding.packet import CtState, Packet, first_packet
from vnetlab.trace.headers import ICMP, ICMPV6, TCP, UDP, Headers
from vnetlab.trace.path import ExpectedPath, expected_path, make_hop
from vnetlab.trace.request import Endpoints, IpAddress, ProbeRequest, Protocol
from vnetlab.trace.sighting import Answerer, Observation, PacketKind, Sighting
from vnetlab.trace.trace import Step, Trace, trace_probe
from vnetlab.trace.wiring import index_wiring
from vnetlab.wire.listen import Listener
from vnetlab.wire.pcap_filter import Filter

_LOOK_NS = 100_000_000
_LIVES_NS = 1_000_000_000
_MOST_FLOWS = 1_000
_PROTOCOLS = {TCP: Protocol.TCP, UDP: Protocol.UDP}


def follow(
    name: str,
    is_meant: Filter,
    root: Path,
    summary: Summary,
    *,
    is_over: Callable[[], bool],
    ready: Callable[[int], None] = lambda _: None,
) -> Iterator[Told]:
    """Follow the packets that a filter means until `is_over`, then those that are on their way.

    `summary` is filled meanwhile. `ready` is told once that the taps are open, and in how many
    nodes. Raises UsageError for no such lab, MissingFeatureError without the right to listen.
    """
    lab = LabDir(root, name)
    with Listener() as listener:
        follower = Follower(_places(verbs.snapshot(name, root).tables.state), is_meant)
        telling = _Telling(name, root, follower, summary)
        tapped = _tap(lab, listener, {})
        ready(len(tapped))
        looked_ns = time.monotonic_ns()
        ended_ns: int | None = None
        while True:
            if ended_ns is None and is_over():
                ended_ns = time.time_ns()
            captures, until_ns = listener.read(_LOOK_NS)
            for capture in captures:
                late = ended_ns is not None and capture.time_ns > ended_ns
                follower.take(capture, only_known=late)
            _note_losses(listener, follower, summary)
            for packet in follower.finished(until_ns):
                yield from telling.tell(packet)
            summary.not_counted = follower.not_followed + telling.beyond
            if ended_ns is not None and until_ns > ended_ns and not follower.meant_under_way:
                return
            if time.monotonic_ns() - looked_ns > _LIVES_NS:
                looked_ns = time.monotonic_ns()
                if not lab.exists:
                    summary.lab_is_gone = True
                    return
                tapped = _tap(lab, listener, tapped)


def _note_losses(listener: Listener, follower: Follower, summary: Summary) -> None:
    lost = listener.lost()
    if lost != summary.lost_by_tap:
        summary.lost_by_tap = lost
        follower.blind()


def _tap(lab: LabDir, listener: Listener, tapped: dict[str, int]) -> dict[str, int]:
    """Tap what is new; return the namespaces, each with the number of its inode."""
    try:
        found = {node: lab.namespace(node).stat().st_ino for node in lab.nodes()}
    except FileNotFoundError:  # a node is just being taken down
        return tapped
    for node in tapped.keys() - found.keys():
        listener.close(node)
    fresh = [node for node, number in found.items() if tapped.get(node) != number]
    if fresh:
        with lab.locked(shared=True), Nodes(lab) as nodes:
            listener.open(fresh, nodes.enter)
    return found


def _places(state: State) -> Places:
    holders = index_wiring(state).holders
    return Places(
        roles={namespace.name: namespace.role for namespace in state.namespaces},
        holders={address: {link.netns for link in links} for address, links in holders.items()},
    )


class _Telling:
    """What has been told, and what is counted only."""

    def __init__(self, name: str, root: Path, follower: Follower, summary: Summary) -> None:
        self.name = name
        self.root = root
        self.follower = follower
        self.summary = summary
        self.told: set[object] = set()
        self.beyond = 0
        self.snapshot = verbs.snapshot(name, root)

    def tell(self, packet: Followed) -> Iterator[Told]:
        """Count a packet that is over, and tell of it if it is the first of its kind."""
        fate = _fate(packet)
        if fate is not Fate.ARRIVED and self.is_another(packet, fate):
            try:
                self.snapshot = verbs.snapshot(self.name, self.root)
            except UsageError:  # the lab has just been taken down
                return
            self.follower.places = _places(self.snapshot.tables.state)
        meant = self.snapshot.meant
        wiring = index_wiring(self.snapshot.tables.state, meant)
        flow_name = _name(packet, wiring.holders)
        flow = self.summary.flows.get(flow_name)
        if flow is None:
            if len(self.summary.flows) >= _MOST_FLOWS:
                self.beyond += 1
                return
            flow = self.summary.flows[flow_name] = Flow(name=flow_name)
        flow.fates[fate] = flow.fates.get(fate, 0) + 1
        if packet.delay_ns is not None:
            flow.delays_ns.append(packet.delay_ns)
        if not self.is_another(packet, fate):
            return
        self.told.add(_like(packet, fate))
        told = self.in_full(packet, fate, flow_name)
        if told.verdict is not None and told.verdict.cause not in (None, *flow.codes):
            flow.codes.append(str(told.verdict.cause))
        yield told

    def is_another(self, packet: Followed, fate: Fate) -> bool:
        """Whether nothing like it was told yet."""
        return _like(packet, fate) not in self.told

    def in_full(self, packet: Followed, fate: Fate, flow: FlowName) -> Told:
        """Its trace, as of a probe; the verdict on what vanished."""
        state, meant = self.snapshot.tables.state, self.snapshot.meant
        first = packet.answers or packet
        ends = Endpoints(
            source=first.netns,
            destination=packet.netns if packet.answers else flow.destination,
            source_address=first.headers.source,
            destination_address=_asked(first.headers),
        )
        request = _request(first.headers, ends, to_application=first.arrived_at is not None)
        forward = _path(state, meant, ends.source, first)
        back = expected_path(state, ends.destination, ends.source_address, meant)
        seen = Observation(
            sightings=tuple(sorted(_sightings(packet, self.follower), key=lambda s: s.time_ns)),
            sent=1,
            answerer=_answerer(request),
            lost_by_tap=self.summary.lost_by_tap,
            of_probe=False,
        )
        trace = trace_probe(request, seen, state, forward, back)
        return Told(
            flow=flow,
            fate=fate,
            headers=packet.headers,
            trace=trace,
            delay_ns=packet.delay_ns,
            verdict=self.judge(trace, first.headers) if fate in BAD else None,
            resolution=_resolution(packet, state),
        )

    def judge(self, trace: Trace, headers: Headers) -> Verdict:
        """What `why` would say."""
        tables = with_sightings(self.snapshot.tables, trace.observation.sightings)
        packet = _packet(headers, trace.request)
        forward, back = walk_both_ways(tables, trace.request, packet=packet)
        case = Case(
            trace=trace,
            tables=tables,
            forward=forward,
            back=back,
            intent=intent_of(self.snapshot),
        )
        return judge(case)


def _fate(packet: Followed) -> Fate:
    if packet.is_refused:
        return Fate.REFUSED
    if packet.arrived_at is not None:
        return Fate.UNANSWERED if is_unanswered(packet) else Fate.ARRIVED
    if is_lost(packet):
        return Fate.LOST
    return Fate.UNKNOWN if packet.is_blind else Fate.FOR_MANY


def _like(packet: Followed, fate: Fate) -> object:
    """Packets that are alike in this are told once: of the bad, those that got as far."""
    headers = packet.headers
    port = headers.source_port if packet.answers else headers.destination_port
    flow = (packet.netns, headers.kind, headers.protocol, headers.source, _asked(headers))
    if fate not in BAD:
        return (*flow, fate, 0 if headers.icmp_type is not None else port, headers.icmp_type)
    last = packet.sightings[-1]
    return (*flow, fate, port if headers.icmp_type is None else 0, last.netns, last.ifname)


def _asked(headers: Headers) -> IpAddress:
    asks = headers.kind is PacketKind.WHO_HAS
    return headers.target if asks and headers.target is not None else headers.destination


def _name(packet: Followed, holders: Mapping[IpAddress, Collection[LinkId]]) -> FlowName:
    headers = packet.headers
    port = headers.source_port if packet.answers else headers.destination_port
    address = _asked(headers)
    held = sorted(link.netns for link in holders.get(address, ()))
    arrived = packet.arrived_at.netns if packet.arrived_at else None
    return FlowName(
        source=packet.netns,
        destination=arrived or (held[0] if held else str(address)),
        source_address=headers.source,
        destination_address=address,
        kind=headers.kind,
        protocol=headers.protocol,
        port=0 if headers.icmp_type is not None else port,
        is_answer=packet.answers is not None,
        icmp_type=headers.icmp_type,
    )


def _path(state: State, meant: State, source: str, packet: Followed) -> ExpectedPath:
    """To where it was sent; if its destination was translated on the way, on to what it became."""
    path = expected_path(state, source, _asked(packet.headers), meant)
    behind = next(
        (s for s in packet.sightings if s.destination != packet.headers.destination), None
    )
    if behind is None or packet.headers.kind is not PacketKind.REQUEST:
        return path
    onward = expected_path(state, behind.netns, behind.destination, meant)
    return ExpectedPath(spans=path.spans + onward.spans, complete=onward.complete)


def _sightings(packet: Followed, follower: Follower) -> Iterator[Sighting]:
    """Those of a question as a request's, those of its answer as a reply's."""
    first = packet.answers or packet
    if first.headers.kind is PacketKind.REQUEST:  # an ICMP error too, about what was not followed
        yield from (replace(s, kind=PacketKind.REQUEST) for s in first.sightings)
    if packet.answers is not None:
        yield from (replace(s, kind=PacketKind.REPLY) for s in packet.sightings)
    for error in packet.errors if packet.is_refused else ():
        assert error.error is not None
        about = replace(error.error, about_reply=packet.answers is not None)
        yield replace(error, kind=PacketKind.ERROR, sequence=0, error=about)
    yield from follower.questions


def _resolution(packet: Followed, state: State) -> tuple[Step, ...]:
    if packet.headers.kind is PacketKind.REQUEST:
        return ()
    wiring = index_wiring(state)
    links = [LinkId(netns=s.netns, name=s.ifname) for s in packet.sightings]
    return tuple(
        Step(sighting=s, hop=make_hop(wiring, link, s.direction), index=number)
        for number, (s, link) in enumerate(zip(packet.sightings, links, strict=True))
    )


def _request(headers: Headers, ends: Endpoints, *, to_application: bool) -> ProbeRequest:
    """The probe that is most like it, for what reads one; `_packet` is more exact."""
    protocol = _PROTOCOLS.get(headers.protocol, Protocol.ICMP)
    request = ProbeRequest(
        endpoints=ends,
        protocol=protocol,
        port=headers.destination_port or 1 if protocol is not Protocol.ICMP else 7,
        dscp=headers.dscp,
        ttl=headers.ttl or None,
        to_application=to_application and protocol is not Protocol.ICMP,
    )
    return replace(request, size=headers.length) if headers.length > 64 else request


def _answerer(request: ProbeRequest) -> Answerer:
    if request.protocol is Protocol.ICMP:
        return Answerer.GUEST_KERNEL
    return Answerer.APPLICATION if request.to_application else Answerer.NOBODY


def _packet(headers: Headers, request: ProbeRequest) -> Packet | None:
    """It as the model's; None, the request's own, for neighbour resolution."""
    if headers.kind is not PacketKind.REQUEST:
        return None
    echo = headers.protocol in (ICMP, ICMPV6)
    under_way = headers.protocol == TCP and not headers.asks
    return replace(
        first_packet(request),
        protocol=headers.protocol,
        source_port=None if echo else headers.source_port or None,
        destination_port=None if echo else headers.destination_port or None,
        icmp_type=headers.icmp_type,
        length=headers.length,
        dont_fragment=headers.dont_fragment,
        state=CtState.ESTABLISHED if under_way else CtState.NEW,
    )
