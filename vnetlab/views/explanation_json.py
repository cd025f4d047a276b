"""What the model says of a flow, as JSON (pure).

The fields: `source`, `destination`, `source_address`, `destination_address`, `protocol`, `port`,
`packet_bytes`, `passes`; `forward` and `back` (null where the packet cannot arrive), each with
`passes`, `unmodelled` and `steps`: `node`, `interface`, `label`, `direction`, `vlan`, `carries`
(ip, who-has, is-at), `row`, `drops` and `harms` (a reason, or null); `causes` as a verdict's.
"""

from __future__ import annotations

from vnetlab.diagnosis.explanation import Explanation
from vnetlab.trace.forwarding.walk import Walk, WalkStep
from vnetlab.views.json_text import to_json


def render_explanation_json(explanation: Explanation) -> str:
    """Return all of it as indented JSON text."""
    request, ends = explanation.request, explanation.request.endpoints
    back = explanation.back
    return to_json(
        {
            "source": ends.source,
            "destination": ends.destination,
            "source_address": ends.source_address,
            "destination_address": ends.destination_address,
            "protocol": request.protocol,
            "port": request.port,
            "packet_bytes": request.packet_bytes,
            "passes": explanation.passes,
            "forward": _walk(explanation, explanation.forward),
            "back": _walk(explanation, back) if back else None,
            "causes": explanation.causes,
        }
    )


def _walk(explanation: Explanation, walk: Walk) -> dict[str, object]:
    steps = [_step(explanation, step) for step in walk.steps]
    return {"passes": walk.passes, "unmodelled": walk.unmodelled, "steps": steps}


def _step(explanation: Explanation, step: WalkStep) -> dict[str, object]:
    finding = step.finding
    reason = finding.reason if finding else None
    return {
        "node": step.netns,
        "interface": step.link,
        "label": explanation.labels.get((step.netns, step.link or "")),
        "direction": step.direction,
        "vlan": step.packet.vlan,
        "carries": step.packet.payload,
        "row": finding.row if finding else step.row,
        "drops": reason if finding and not finding.harms else None,
        "harms": reason if finding and finding.harms else None,
    }
