"""Packets of real traffic, and the counts of their flows, as JSON: an object per line (pure).

The fields, which stay as they are; times are nanoseconds, an absent thing is null:

- `event`: `packet` (one in full), `flow` (at the end, one for each), `end` (the last line);
- of `packet` and `flow`: `source`, `destination` (nodes), `source_address`, `destination_address`,
  `what`, `protocol` (its number), `port` (the service's), `is_answer`;
- of `packet`: `fate` (arrived, for many, unanswered, refused, lost, unknown), `packet_bytes`,
  `source_port`, `destination_port`, `delay_ns`, `sightings` and `verdict` as in
  `probe --json`;
- of `flow`: `packets`, `lost`, `fates` (a count for each), `median_delay_ns`, `causes`;
- of `end`: `not_counted`, `lost_by_tap` (packets by node), `lab_is_gone`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.diagnosis.followed import FlowName, Summary, Told
from vnetlab.views.follow_text import describe_packet
from vnetlab.views.json_text import to_json_line
from vnetlab.views.probe_json import sighting_json


def render_told_json(told: Told) -> str:
    """One packet on a line."""
    packet = told.trace.packets[0]
    steps = told.resolution or (packet.back if told.flow.is_answer else packet.steps)
    return to_json_line(
        {
            "event": "packet",
            **_name(told.flow),
            "fate": told.fate,
            "packet_bytes": told.headers.length,
            "source_port": told.headers.source_port or None,
            "destination_port": told.headers.destination_port or None,
            "delay_ns": told.delay_ns,
            "sightings": [sighting_json(step) for step in steps],
            "verdict": told.verdict,
        }
    )


def render_summary_json(summary: Summary) -> Iterator[str]:
    """A line per flow, and the last one."""
    for flow in summary.flows.values():
        yield to_json_line(
            {
                "event": "flow",
                **_name(flow.name),
                "packets": flow.packets,
                "lost": flow.bad,
                "fates": {fate.value: count for fate, count in flow.fates.items()},
                "median_delay_ns": flow.delay_ns,
                "causes": flow.codes,
            }
        )
    yield to_json_line(
        {
            "event": "end",
            "not_counted": summary.not_counted,
            "lost_by_tap": dict(summary.lost_by_tap),
            "lab_is_gone": summary.lab_is_gone,
        }
    )


def _name(flow: FlowName) -> dict[str, object]:
    return {
        "source": flow.source,
        "destination": flow.destination,
        "source_address": flow.source_address,
        "destination_address": flow.destination_address,
        "what": describe_packet(flow),
        "protocol": flow.protocol,
        "port": flow.port or None,
        "is_answer": flow.is_answer,
    }
