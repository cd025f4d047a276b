"""A probe's trace and verdict as JSON (pure).

The fields, which stay as they are; times are nanoseconds, an absent thing is null:

- `probe`: `source`, `destination` (nodes), `source_address`, `destination_address`, `protocol`
  (icmp, udp, tcp), `port` (null for icmp), `count`, `packet_bytes`, `answered_by`;
- `packets`: a list with, for each, `sequence`, `outcome`, `round_trip_ns`, `send_error` (an errno's
  name), `lost` (null, or `carrier`, `target`, `after` and `before`: hops) and `sightings`;
- a sighting: `leg` (there, back), `on_path`, `time_ns` (since the epoch), `since_start_ns`,
  `since_previous_ns`, a hop's fields, `kind`, `vlan`, `ttl`, `source_mac`, `destination_mac`,
  `source_address`, `destination_address`, `target` (of neighbour resolution), `error`;
- a hop: `node`, `interface`, `label` (its name in the topology), `role`, `direction` (in, out);
- `resolution`: the sightings of ARP and neighbour discovery, without `leg` and `since_...`;
- `hops`: over all packets, for each hop `leg`, the hop's fields, `seen`, `since_start_ns` and
  `since_previous_ns`, each null or with `min`, `median`, `max` and `interval`, which
  holds the true median with 95 % confidence (null of fewer than six packets);
- `segments`: for each way from a hop to the next `leg`, `node`, `interface`, `direction` (of the
  latter), `delay` (`median_ns`, `interval_ns`, `packets`), `loss`, `duplication`, `corruption`,
  `reordering` (what netem sends at once; null where it is not to reorder) and `late` (packets that
  another one overtook), each with `count`, `total` and a 95 % `interval` (Clopper and Pearson),
  what is `configured`, and `agrees`: for each that is configured or was met, whether it does;
- `taps`: `lost` (packets by node), `truncated`;
- `verdict`: `healthy`, `summary`, `layer`, `object`, `cause`, `certain`, `evidence` (a list of
  `source` and `text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from vnetlab.diagnosis.verdict import Verdict
from vnetlab.trace.path import Hop
from vnetlab.trace.segments import Segment
from vnetlab.trace.timing import HopTiming, Spread, time_hops
from vnetlab.trace.trace import Loss, PacketTrace, Step, Trace
from vnetlab.views.json_text import to_json
from vnetlab.views.segments import segment_object

_Object = dict[str, object]


def render_probe_json(trace: Trace, verdict: Verdict, segments: Iterable[Segment] = ()) -> str:
    """Return all of it as indented JSON text."""
    observation = trace.observation
    return to_json(
        {
            "probe": _probe(trace),
            "packets": [_packet(packet) for packet in trace.packets],
            "resolution": [sighting_json(step) for step in trace.resolution],
            "hops": [_timing(timing) for timing in time_hops(trace)],
            "segments": [segment_object(segment) for segment in segments],
            "taps": {"lost": dict(observation.lost_by_tap), "truncated": observation.truncated},
            "verdict": verdict,
        }
    )


def _probe(trace: Trace) -> _Object:
    request, ends = trace.request, trace.request.endpoints
    return {
        "source": ends.source,
        "destination": ends.destination,
        "source_address": ends.source_address,
        "destination_address": ends.destination_address,
        "protocol": request.protocol,
        "port": request.port if request.protocol.has_ports else None,
        "count": request.count,
        "packet_bytes": request.packet_bytes,
        "answered_by": trace.observation.answerer,
    }


def _packet(packet: PacketTrace) -> _Object:
    return {
        "sequence": packet.sequence,
        "outcome": packet.outcome,
        "round_trip_ns": packet.round_trip_ns,
        "send_error": packet.send_error or None,
        "lost": _loss(packet.loss) if packet.loss else None,
        "sightings": list(_timed_sightings(packet)),
    }


def _loss(loss: Loss) -> _Object:
    return {
        "carrier": loss.carrier,
        "target": loss.target,
        "after": _hop(loss.after) if loss.after else None,
        "before": _hop(loss.before) if loss.before else None,
    }


def _timed_sightings(packet: PacketTrace) -> Iterator[_Object]:
    legs = ["there"] * len(packet.forward) + ["back"] * len(packet.back)
    times_ns = [step.sighting.time_ns for step in packet.steps]
    gaps_ns = [None, *(after - before for before, after in pairwise(times_ns))]
    for leg, step, gap_ns in zip(legs, packet.steps, gaps_ns, strict=False):
        yield {
            "leg": leg,
            "since_start_ns": step.sighting.time_ns - times_ns[0],
            "since_previous_ns": gap_ns,
            **sighting_json(step),
        }


def sighting_json(step: Step) -> _Object:
    """A sighting: the fields that are the same in every leg."""
    sighting = step.sighting
    return {
        "on_path": step.index is not None,
        "time_ns": sighting.time_ns,
        **_hop(step.hop),
        "kind": sighting.kind,
        "vlan": sighting.vlan,
        "ttl": sighting.ttl,
        "source_mac": sighting.source_mac,
        "destination_mac": sighting.destination_mac,
        "source_address": sighting.source,
        "destination_address": sighting.destination,
        "target": sighting.target,
        "error": str(sighting.error) if sighting.error else None,
    }


def _hop(hop: Hop) -> _Object:
    return {
        "node": hop.netns,
        "interface": hop.ifname,
        "label": hop.label,
        "role": hop.role,
        "direction": hop.direction,
    }


def _timing(timing: HopTiming) -> _Object:
    return {
        "leg": "there" if timing.forward else "back",
        **_hop(timing.hop),
        "seen": timing.seen,
        "since_start_ns": _spread(timing.since_start),
        "since_previous_ns": _spread(timing.since_previous),
    }


def _spread(spread: Spread | None) -> _Object | None:
    if spread is None:
        return None
    return {
        "min": spread.min_ns,
        "median": spread.median_ns,
        "max": spread.max_ns,
        "interval": spread.interval_ns,
    }
