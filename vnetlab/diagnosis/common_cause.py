"""Failed pairs of a matrix, grouped by what they have in common (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from vnetlab.diagnosis.verdict import UNKNOWN_CAUSE, Cause
from vnetlab.trace.forwarding.packet import Payload
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep
from vnetlab.trace.matrix import PairResult
from vnetlab.trace.path import Passage
from vnetlab.trace.sighting import Direction, PacketKind

Names = tuple[str, str]
"""Source and destination."""

Seen = Collection[tuple[Passage, PacketKind]]


class Failure(Struct, frozen=True, kw_only=True):
    """A pair that failed: its causes in the order of the path, or where its packets ended."""

    result: PairResult
    causes: tuple[Cause, ...]
    end: str


class CommonCause(Struct, frozen=True, kw_only=True):
    """Why some pairs fail; `cause` is None where only the place is known, as `summary` says."""

    code: str
    summary: str
    cause: Cause | None
    pairs: tuple[Names, ...]


class Matrix(Struct, frozen=True, kw_only=True):
    """All pairs of `sources` and `destinations`: what became of each, and why some failed.

    `left_out` are the pairs that have no addresses to probe, and why. `groups` are the failed
    pairs by their first cause, the largest group first. `cautions` limit what this says.
    """

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    results: tuple[PairResult, ...]
    failures: tuple[Failure, ...] = ()
    groups: tuple[CommonCause, ...] = ()
    left_out: tuple[tuple[Names, str], ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every pair that was probed got its answer."""
        return not self.failures


def group_failures(failures: Iterable[Failure]) -> tuple[CommonCause, ...]:
    """Group pairs by the first thing that stops them, or by the place where they were lost."""
    groups: defaultdict[tuple[str, str, tuple[str, ...]], list[Failure]] = defaultdict(list)
    for failure in failures:
        first = failure.causes[0] if failure.causes else None
        key = (
            (first.code, first.object, first.fix.commands)
            if first
            else (UNKNOWN_CAUSE, failure.end, ())
        )
        groups[key].append(failure)
    found = [_common(code, members) for (code, _, _), members in groups.items()]
    return tuple(sorted(found, key=lambda group: (-len(group.pairs), group.code, group.pairs)))


def _common(code: str, members: list[Failure]) -> CommonCause:
    cause = members[0].causes[0] if members[0].causes else None
    return CommonCause(
        code=code,
        summary=cause.summary if cause else members[0].end,
        cause=cause,
        pairs=tuple(sorted(member.result.names for member in members)),
    )


def refutes(seen: Seen, forward: Walk, back: Walk | None, stop: Finding) -> bool:
    """Whether a pair's packets were seen behind what is said to stop them."""
    steps = [(step, PacketKind.REQUEST) for step in forward.steps]
    steps += [(step, PacketKind.REPLY) for step in (back.steps if back else ())]
    at = next(number for number, (step, _) in enumerate(steps) if step.finding is stop)
    if steps[at][0].direction is not Direction.OUT:  # what goes out is seen only if it passes
        at += 1
    return any(_is_seen(step, kind, seen) for step, kind in steps[at:])


def _is_seen(step: WalkStep, kind: PacketKind, seen: Seen) -> bool:
    passage = step.passage
    return passage is not None and step.packet.payload is Payload.IP and (passage, kind) in seen


def describe_end(result: PairResult, labels: Mapping[tuple[str, str], str]) -> str:
    """Where a failed pair's packets ended, as far as that was seen; `labels` name links."""
    source, _ = result.names
    if result.send_error:
        return f"{source}'s kernel refused to send: {result.send_error}."
    if result.refusal:
        return f"What came back is {result.refusal}."
    if result.reset:
        return "What came back is a TCP reset."
    if not result.seen:
        return f"The probe never left {source}."
    (netns, ifname, direction), kind = result.seen[-1]
    what = "probe" if kind is PacketKind.REQUEST else "reply"
    verb = "came in at" if direction is Direction.IN else "went out of"
    label = labels.get((netns, ifname), f"{netns}.{ifname}")
    return f"The {what} {verb} {label} and was not seen any further."
