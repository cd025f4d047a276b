"""The verbs that say why: a probe judged, and a flow explained without one.

They put together what `vnetlab.lab` observes, what the model of the datapath predicts from it, and
what a probe saw.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from vnetlab import lab as verbs
from vnetlab.diagnosis.explanation import Explanation
from vnetlab.diagnosis.fixes import Intent
from vnetlab.diagnosis.judge import DEFAULT_TTL, Case, confirm, explain_walks, judge, judge_sizes
from vnetlab.diagnosis.queues import suspected_links, with_queues
from vnetlab.diagnosis.verdict import Verdict
from vnetlab.errors import UsageError
from vnetlab.state.diff import Change
from vnetlab.state.edit import carry_out
from vnetlab.state.plan import Plan
from vnetlab.state.tables import Tables
from vnetlab.trace.applications import is_for_application
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.bonds import with_sightings
from vnetlab.trace.forwarding.ip import index_world, reply_to, walk_frame, walk_in
from vnetlab.trace.forwarding.journey import World
from vnetlab.trace.forwarding.neighbours import walk_question
from vnetlab.trace.forwarding.packet import Packet, first_packet
from vnetlab.trace.forwarding.patience import patience_for
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import MAX_BYTES, Endpoints, ProbeRequest
from vnetlab.trace.segments import Segment, measure_segments
from vnetlab.trace.sighting import Answerer
from vnetlab.trace.trace import Trace


class Investigation(Struct, frozen=True, kw_only=True):
    """A probe, and what it says about the network; `segments` compare it with the topology."""

    trace: Trace
    verdict: Verdict
    segments: tuple[Segment, ...] = ()


def investigate(
    name: str,
    source: str,
    destination: str,
    root: Path,
    *,
    options: verbs.ProbeOptions,
    waiting: Callable[[], None] = lambda: None,
) -> Investigation:
    """Send a probe and judge it by the tables that the kernel had before.

    One that is lost is sent again, with the kernel asked what it does with it. `waiting` is called
    where another command holds the lab's lock. Raises what `vnetlab.lab.probe` raises.
    """
    snapshot = verbs.snapshot(name, root, waiting=waiting)
    ends = _endpoints(snapshot, source, destination, options)
    return _investigate(name, ends, root, snapshot, options)


def investigate_sizes(
    name: str, source: str, destination: str, root: Path, *, options: verbs.ProbeOptions
) -> Investigation:
    """Send small packets and, where these get through, such as just fit the source's link.

    What is wrong with the large ones alone is the verdict then; but for a router on the way that
    says it has a smaller MTU, as it is meant to: that is how hosts learn of it (RFC 1191, RFC
    8201). With a size in `options`, packets of that size alone. Raises what `vnetlab.lab.probe`
    raises.
    """
    snapshot = verbs.snapshot(name, root)
    ends = _endpoints(snapshot, source, destination, options)
    small = _investigate(name, ends, root, snapshot, options)
    size = _full_size(small.trace, snapshot)
    to_application = small.trace.observation.answerer is Answerer.APPLICATION
    if not small.verdict.healthy or options.size is not None or size is None or to_application:
        return small
    large = _investigate(name, ends, root, snapshot, replace(options, size=size))
    return replace(large, verdict=judge_sizes(small.trace, small.verdict, size, large.verdict))


def _full_size(trace: Trace, snapshot: verbs.Snapshot) -> int | None:
    """The MTU of the link by which the source sends, where its packets can be made larger."""
    hops = trace.forward.hops
    links = snapshot.tables.state.links
    mtu = next((link.mtu for link in links if hops and link.id == hops[0].link_id), 0)
    size = min(mtu, MAX_BYTES)
    return size if size > trace.request.packet_bytes else None


def _investigate(
    name: str,
    ends: Endpoints,
    root: Path,
    snapshot: verbs.Snapshot,
    options: verbs.ProbeOptions,
) -> Investigation:
    request = request_of(snapshot, ends, options)
    forward, back = walk_both_ways(snapshot.tables, request)
    patience = patience_for(snapshot.tables, forward, back)
    passed = {step.netns for walk in (forward, back) if walk for step in walk.steps}
    trace = verbs.probe(
        name,
        ends.source,
        ends.destination,
        root,
        options=options,
        state=snapshot.tables.state,
        meant=snapshot.meant,
        ends=ends,
        also_watched=passed,
        request=replace(request, timeout_ns=patience.timeout_ns),
        stop=patience.stop,
    )
    physical = None
    if trace.replied < len(trace.packets):
        from vnetlab.second_look import look_again  # heavy, and a healthy probe needs none of it

        seen = {step.hop.netns for packet in trace.packets for step in packet.steps}
        physical = look_again(
            name, root, trace, snapshot.tables.state, sorted(passed | seen), way_ns=patience.way_ns
        )
    tables = with_sightings(snapshot.tables, trace.observation.sightings)
    if tables.sending_slaves:
        forward, back = walk_both_ways(tables, request)
    case = Case(
        trace=trace,
        tables=tables,
        forward=forward,
        back=back,
        intent=intent_of(snapshot),
        physical=physical,
    )
    configured = (snapshot.meant if snapshot.meant.namespaces else snapshot.tables.state).qdiscs
    segments = measure_segments(trace, configured)
    verdict = judge(case)
    here = snapshot.tables.state
    if links := suspected_links(measure_segments(trace, here.qdiscs), here):
        from vnetlab.queue_look import look_at_queues  # few probes need it

        verdict = with_queues(verdict, look_at_queues(name, root, trace, here, links))
    return Investigation(trace=trace, verdict=verdict, segments=segments)


def verify(
    name: str,
    found: Investigation,
    root: Path,
    *,
    options: verbs.ProbeOptions,
    waiting: Callable[[], None] = lambda: None,
) -> Investigation:
    """Mend what was found in a copy of the lab, and probe there.

    The causes are confirmed if the packets arrive in the copy. The lab itself is left as it is, and
    the copy is gone afterwards. `waiting` as in `investigate`. Raises what `vnetlab.lab.up` and
    `probe` raise.
    """
    changes = repairs(found.verdict)
    if not changes:
        return found
    ends = found.trace.request.endpoints
    with verbs.copied(name, root, waiting=waiting) as copy:
        verbs.change(copy, root, partial(carry_out, changes))
        trace = verbs.probe(copy, ends.source, ends.destination, root, options=options, ends=ends)
    return replace(found, verdict=confirm(found.verdict, trace))


def mend(
    name: str, verdict: Verdict, root: Path, *, waiting: Callable[[], None] = lambda: None
) -> Plan:
    """Make in the lab itself the changes that mend what a verdict found; return what was done.

    `waiting` as in `investigate`. Raises what `vnetlab.lab.change` raises.
    """
    return verbs.change(name, root, partial(carry_out, repairs(verdict)), waiting=waiting)


def repairs(verdict: Verdict) -> tuple[Change, ...]:
    """The changes that mend the causes of a verdict, as far as there are any."""
    return tuple(cause.fix.change for cause in verdict.causes if cause.fix.change is not None)


def explain(
    name: str, source: str, destination: str, root: Path, *, options: verbs.ProbeOptions
) -> Explanation:
    """Say what the kernel would do with a packet and its answer, and send none.

    Raises UsageError if there is no such lab, node or address.
    """
    snapshot = verbs.snapshot(name, root)
    state = snapshot.tables.state
    ends = _endpoints(snapshot, source, destination, options)
    request = request_of(snapshot, ends, options)
    forward, back = walk_both_ways(snapshot.tables, request)
    walks = (forward, back) if back else (forward,)
    return Explanation(
        request=request,
        forward=forward,
        back=back,
        causes=explain_walks(snapshot.tables, intent_of(snapshot), *walks),
        labels={(link.netns, link.name): link.label for link in state.links if link.label},
    )


def walk_both_ways(
    tables: Tables,
    request: ProbeRequest,
    *,
    world: World | None = None,
    packet: Packet | None = None,
) -> tuple[Walk, Walk | None]:
    """The model's walk of a probe, and that of its answer where the probe can arrive at all.

    `world` are the tables if they are indexed already, `packet` is another one than the probe's.
    """
    world = world or index_world(tables)
    ends = request.endpoints
    given = packet is not None
    packet = packet or first_packet(request)
    if request.ttl is None and not given:
        packet = _with_ttl(tables, ends.source, packet)
    by_probe = not request.to_application
    if request.raw is not None and not packet.is_ip:
        return walk_question(world, request.raw, packet)
    if request.raw is not None:
        forward = walk_frame(world, request.raw, packet, answered_by_probe=by_probe)
    else:
        forward = walk_in(world, ends.source, packet, answered_by_probe=by_probe)
    if not forward.arrived:
        return forward, None
    answer = _with_ttl(tables, ends.destination, reply_to(packet, forward))
    return forward, walk_in(world, ends.destination, answer, answers=forward)


def _with_ttl(tables: Tables, netns: str, packet: Packet) -> Packet:
    """The packet as a node's kernel sends it: ip-sysctl, `ip_default_ttl`."""
    if packet.version != 4:  # the version of IP
        return packet
    return replace(packet, ttl=int(tables.sysctl(netns, DEFAULT_TTL, str(packet.ttl))))


def request_of(
    snapshot: verbs.Snapshot, ends: Endpoints, options: verbs.ProbeOptions
) -> ProbeRequest:
    """The probe that `options` describe, and whether an application is meant to answer it."""
    request = verbs.make_request(snapshot.tables.state, ends, options, snapshot.meant)
    listeners, services = snapshot.tables.listeners, snapshot.meant.services
    return replace(request, to_application=is_for_application(request, listeners, services))


def _endpoints(
    snapshot: verbs.Snapshot, source: str, destination: str, options: verbs.ProbeOptions
) -> Endpoints:
    """The addresses that the nodes are meant to have: one that a node has lost is the question."""
    version = options.version
    try:
        return choose_endpoints(snapshot.meant, source, destination, version=version)
    except UsageError:
        state = snapshot.tables.state
        return choose_endpoints(state, source, destination, version=version)


def intent_of(snapshot: verbs.Snapshot) -> Intent:
    """What is known of how the lab is meant to be, for the fixes."""
    return Intent(changes=snapshot.changes, lines=dict(snapshot.lines))
