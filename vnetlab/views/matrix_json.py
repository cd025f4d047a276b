"""A matrix of probes as JSON (pure).

The fields: `healthy`, `sources`, `destinations`; `pairs`, each with `source`, `destination`,
`source_address`, `destination_address`, `reached`, `round_trip_ns`, `lost`, and if it failed `code`
(of its first cause, or unknown), `causes` (codes in the order of the path), `end` (where its
packets were seen last); `groups` of failed pairs: `code`, `summary`, `cause` as a verdict's or
null, `pairs`; `left_out`: `source`, `destination`, `why`; `cautions`.
"""

from __future__ import annotations

from vnetlab.diagnosis.common_cause import CommonCause, Failure, Matrix
from vnetlab.diagnosis.verdict import UNKNOWN_CAUSE
from vnetlab.trace.matrix import PairResult
from vnetlab.views.json_text import to_json


def render_matrix_json(matrix: Matrix) -> str:
    """Return all of it as indented JSON text."""
    failures = {failure.result.names: failure for failure in matrix.failures}
    return to_json(
        {
            "healthy": matrix.healthy,
            "sources": matrix.sources,
            "destinations": matrix.destinations,
            "pairs": [_pair(result, failures.get(result.names)) for result in matrix.results],
            "groups": [_group(group) for group in matrix.groups],
            "left_out": [
                {"source": source, "destination": destination, "why": why}
                for (source, destination), why in matrix.left_out
            ],
            "cautions": matrix.cautions,
        }
    )


def _pair(result: PairResult, failure: Failure | None) -> dict[str, object]:
    ends = result.request.endpoints
    said: dict[str, object] = {
        "source": ends.source,
        "destination": ends.destination,
        "source_address": ends.source_address,
        "destination_address": ends.destination_address,
        "reached": result.reached,
        "round_trip_ns": result.round_trip_ns,
        "lost": result.lost,
    }
    if failure:
        codes = [cause.code for cause in failure.causes]
        said |= {"code": (*codes, UNKNOWN_CAUSE)[0], "causes": codes, "end": failure.end}
    return said


def _group(group: CommonCause) -> dict[str, object]:
    pairs = [{"source": source, "destination": destination} for source, destination in group.pairs]
    return {
        "code": group.code,
        "summary": group.summary,
        "cause": group.cause,
        "pairs": pairs,
    }
