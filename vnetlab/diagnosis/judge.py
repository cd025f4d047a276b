"""From what was predicted and what was observed to a verdict (pure).

How it works
------------
The model of the datapath (`vnetlab.trace.forwarding`) walks the same way as the probe, over the
tables that the kernel had when the probe was sent, and says by which rows the packet would be
stopped. The taps say where it was seen last. A cause is given where both agree: the packet was
seen at the last passage before the row, and at none behind it. What the kernel itself said when
the probe was sent again (`physical.py`) supports it, or speaks against it. Where the model knows no
reason, or one that the taps refute, the cause is the rule by which the kernel says that it dropped
the packet, if it says so; otherwise the verdict gives the place of the loss alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.diagnosis.codes import blame
from vnetlab.diagnosis.fixes import Intent, make_fix
from vnetlab.diagnosis.harm import losing_harms, measured_harms
from vnetlab.diagnosis.locate import locate
from vnetlab.diagnosis.pages.catalogue import PAGES
from vnetlab.diagnosis.physical import Physical, agrees, dropping_rule, evidence
from vnetlab.diagnosis.verdict import Cause, Confidence, Evidence, Layer, Source, Verdict
from vnetlab.state.objects import Link
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep, steps_around
from vnetlab.trace.path import Passage
from vnetlab.trace.request import Protocol
from vnetlab.trace.sighting import PacketKind
from vnetlab.trace.trace import Outcome, PacketTrace, Trace

DEFAULT_TTL = "net/ipv4/ip_default_ttl"
"""The setting of a node that gives its packets their TTL."""

_MANY_ROWS = 6
"""How many of the rows that let the packet pass a verdict names."""


class Case(Struct, frozen=True, kw_only=True):
    """Everything that a verdict rests on.

    `forward` and `back` are the model's walks of the probe and of its answer over `tables`, `back`
    None where the model could not make one; `physical` what the kernel said of a probe that was
    lost.
    """

    trace: Trace
    tables: Tables
    forward: Walk
    back: Walk | None
    intent: Intent
    physical: Physical | None = None


def judge(case: Case) -> Verdict:
    """Say whether the network works for the probe, and if not, where, why, and how to mend it."""
    located = locate(case.trace)
    if located.healthy:
        return _judge_success(case, located)
    stops = _stops(case)
    if not stops:
        return _judge_unexplained(case, located)
    place = _Fit.of(case, stops[0])
    if place.passed:
        return _contradicted(case, located, stops[0])
    first = _cause(case, stops[0], _confidence(case, stops[0], place))
    others = (_cause(case, finding, Confidence.LIKELY) for finding in stops[1:])
    return replace(
        _accuse(located, [first, *others]),
        summary=f"{located.summary} {first.summary}",
        evidence=(
            Evidence(source=Source.CONFIGURED, text=f"{first.row}"),
            *located.evidence,
            *evidence(case.physical, stops[0]),
        ),
        ruled_out=_rows_before(case, stops[0]),
    )


def explain_walks(tables: Tables, intent: Intent, *walks: Walk) -> tuple[Cause, ...]:
    """Return the causes that the model alone finds, for packets that were never sent."""
    stops = (finding for walk in walks for finding in walk.stops)
    found = _merge(stops, tables.state.links)
    return tuple(_make_cause(it, tables, intent, Confidence.LIKELY) for it in found)


def confirm(verdict: Verdict, trace: Trace) -> Verdict:
    """The verdict after `trace` of a probe in a copy of the lab where its causes were mended."""
    mended = trace.replied == len(trace.packets)
    said = "all replies came" if mended else f"{trace.replied} of {len(trace.packets)} replies came"
    tried = Evidence(
        source=Source.OBSERVED, text=f"in a copy of the lab with the fix applied {said}"
    )
    causes = verdict.causes
    if mended:
        causes = tuple(
            replace(cause, confidence=Confidence.CONFIRMED) if cause.fix.change else cause
            for cause in causes
        )
    return replace(verdict, causes=causes, evidence=(*verdict.evidence, tried))


def judge_sizes(trace: Trace, small: Verdict, size: int, large: Verdict) -> Verdict:
    """The verdict on a probe whose small packets get through, `trace`, and on one of `size` bytes.

    A router that says it has a smaller MTU, and is meant to have it, is no fault.
    """
    also = ""
    if large.healthy:
        also = f"Packets of {size} bytes get through as well."
    elif _tells_a_smaller_mtu(large):
        also = f"{size} bytes are more than it is told to send: {large.causes[0].summary}"
    if also:
        contradiction = small.contradiction or large.contradiction
        return replace(
            small,
            summary=f"{small.summary} {also}",
            contradiction=contradiction,
            queues=small.queues or large.queues,
        )
    got = trace.request.packet_bytes
    told = f"Packets of {got} bytes get through, those of {size} bytes have a fault."
    return replace(large, summary=f"{told} {large.summary}")


def _tells_a_smaller_mtu(verdict: Verdict) -> bool:
    too_big = f".{Reason.PACKET_TOO_BIG.value}"
    return bool(verdict.causes) and all(
        cause.code.endswith(too_big) and not cause.fix.drifted for cause in verdict.causes
    )


def _judge_success(case: Case, located: Verdict) -> Verdict:
    """All replies came: what is left is what delays or damages packets against the topology.

    No tap is behind the sender's vNIC: what its own stack does with a reply only the model knows.
    """
    expected = _stops(case)
    refused = [finding for finding in expected if _is_at_the_end(case, finding)]
    if refused:
        return _judge_refused_reply(case, located, refused)
    harms = [
        (finding, text)
        for finding, text in measured_harms(case.trace, _walks(case))
        if _is_suspect(case, finding)
    ]
    contradiction = f"the model expected a loss: {_say(case, expected[0])}" if expected else ""
    if not harms:
        return replace(located, contradiction=contradiction)
    causes = [_cause(case, finding, Confidence.PROVEN) for finding, _ in harms]
    return replace(
        _accuse(located, causes),
        summary=f"{located.summary} But {causes[0].summary}",
        evidence=(
            *(Evidence(source=Source.OBSERVED, text=text) for _, text in harms),
            *located.evidence,
            *evidence(case.physical),
        ),
        contradiction=contradiction,
    )


def _is_at_the_end(case: Case, finding: Finding) -> bool:
    """Whether it stops the answer behind the last tap."""
    back = case.back.findings if case.back else ()
    return any(it is finding for it in back) and not steps_around(_walks(case), finding)[1]


def _judge_refused_reply(case: Case, located: Verdict, refused: list[Finding]) -> Verdict:
    causes = [_cause(case, finding, Confidence.LIKELY) for finding in refused]
    first, source = causes[0], case.trace.request.endpoints.source
    but = "which does not take them"
    if refused[0].reason is Reason.DUPLICATE_ADDRESS:
        but = "and not from one node alone"
    return replace(
        _accuse(located, causes),
        summary=f"All replies came back to {source}, {but}. {first.summary}",
        evidence=(
            Evidence(source=Source.CONFIGURED, text=first.row),
            *located.evidence,
        ),
        ruled_out=_rows_before(case, refused[0]),
    )


def _judge_unexplained(case: Case, located: Verdict) -> Verdict:
    """The model lets the packet pass: what it knows to lose some of them, or nothing."""
    lossy = list(losing_harms(case.trace, _walks(case)))
    met = (*lossy, *measured_harms(case.trace, _walks(case)))
    unwanted = [(finding, text) for finding, text in met if _is_suspect(case, finding)]
    by_chance = [it for it, _ in lossy if it.reason is not Reason.RATE_LIMIT]
    if not by_chance and not unwanted and located.layer is Layer.APPLICATION:
        return _judge_application(case, located)  # no rate loses the few packets of a probe
    if not lossy and not unwanted:
        return _judge_by_trace(case, located)
    causes = [_cause(case, finding, Confidence.PROVEN) for finding, _ in unwanted]
    causes += (_cause(case, finding, Confidence.CANDIDATE) for finding, _ in lossy)
    texts = dict.fromkeys(text for _, text in (*unwanted, *lossy))
    return replace(
        _accuse(located, causes),
        summary=f"{located.summary} {causes[0].summary}",
        evidence=(
            *(Evidence(source=Source.OBSERVED, text=text) for text in texts),
            *located.evidence,
            *evidence(case.physical),
        ),
    )


def _judge_application(case: Case, located: Verdict) -> Verdict:
    """A socket waits on the port, the probe came in, and nothing went out."""
    request = case.trace.request
    port = f"{request.protocol.value} port {request.port}"
    finding = Finding(
        reason=Reason.NO_ANSWER,
        netns=request.endpoints.destination,
        row=f"ss -ln: a socket waits on {port}",
    )
    cause = _cause(case, finding, Confidence.PROVEN)
    return replace(
        _accuse(located, [cause]),
        evidence=(*located.evidence, *evidence(case.physical)),
    )


def _contradicted(case: Case, located: Verdict, stop: Finding) -> Verdict:
    contradiction = f"the model expected the loss elsewhere: {_say(case, stop)}"
    return replace(_judge_by_trace(case, located), contradiction=contradiction)


def _judge_by_trace(case: Case, located: Verdict) -> Verdict:
    """The cause is what the kernel says itself, if it says which rule dropped the packet."""
    found = dropping_rule(case.physical, case.forward.packet)
    said = (*located.evidence, *evidence(case.physical))
    if found is None:
        return replace(located, evidence=said)
    cause = _cause(case, found, Confidence.LIKELY)
    return replace(
        _accuse(located, [cause]), summary=f"{located.summary} {cause.summary}", evidence=said
    )


class _Fit(Struct, frozen=True, kw_only=True):
    """Whether the taps saw the packet before the place of a finding, and behind it."""

    reached: bool
    passed: bool

    @classmethod
    def of(cls, case: Case, finding: Finding) -> _Fit:
        before, behind = steps_around(_walks(case), finding)
        packet = _typical(case.trace)
        seen = _seen(case.trace, packet)
        last = before[-1] if before else None
        carrying = [step for step in behind if _is_of_probe(step, case)]
        return cls(
            reached=last is None or _key(last, case) in seen,
            passed=finding.reason not in _MISLEADING
            and any(_key(step, case) in seen for step in carrying),
        )


_MISLEADING = (
    Reason.WRONG_STATIC_NEIGHBOUR,
    Reason.STALE_NEIGHBOUR,
    Reason.WRONG_STATIC_FDB_ENTRY,
    Reason.WRONG_LEARNED_FDB_ENTRY,
    Reason.WRONG_ROUTE,
    Reason.WRONG_GATEWAY,
    Reason.WRONG_NAT,
    Reason.FILTER_REDIRECT,
    Reason.DUPLICATE_MAC,
    Reason.ARP_OFF,
)
"""With these a packet goes on, to a wrong place or as a flooded copy: it may be seen behind."""


def _confidence(case: Case, finding: Finding, place: _Fit) -> Confidence:
    """Proven: nothing that was seen, and nothing that the kernel itself says, speaks against it.

    What the model does not know on the way matters no more where the kernel says the same.
    """
    packet = next(s.packet for w in _walks(case) for s in w.steps if s.finding is finding)
    said = agrees(case.physical, finding, packet) if case.physical else None
    unmodelled = any(walk.unmodelled for walk in _walks(case))
    proven = place.reached and said is not False and (said or not unmodelled)
    return Confidence.PROVEN if proven else Confidence.LIKELY


_Key = tuple[Passage, str]
_Place = tuple[str, str | None]
_NOWHERE: _Place = ("", None)


def _key(step: WalkStep, case: Case) -> _Key | None:
    """What a sighting of this step's packet would have: its passage, and what the packet is."""
    if step.passage is None:
        return None
    if not _is_of_probe(step, case):
        return (step.passage, step.packet.payload.value)
    back = case.back is not None and any(step is other for other in case.back.steps)
    return (step.passage, "answer" if back else "probe")


def _is_of_probe(step: WalkStep, case: Case) -> bool:
    """Whether it is the probe's packet or its answer, and no question on its way."""
    return step.packet.is_ip or case.trace.request.protocol is Protocol.ARP


def _seen(trace: Trace, packet: PacketTrace) -> set[_Key | None]:
    kinds = {PacketKind.REQUEST: "probe", PacketKind.REPLY: "answer"}
    steps = (*packet.forward, *packet.back)
    seen: set[_Key | None] = {
        (step.hop.passage, kinds[step.sighting.kind])
        for step in steps
        if step.sighting.kind in kinds and not step.past_router
    }
    asked = trace.observation.sightings
    return seen | {
        ((s.netns, s.ifname, s.direction), s.kind.value)
        for s in asked
        if s.kind in (PacketKind.WHO_HAS, PacketKind.IS_AT)
    }


def _typical(trace: Trace) -> PacketTrace:
    return next(p for p in trace.packets if p.outcome is not Outcome.REPLIED)


def _walks(case: Case) -> tuple[Walk, ...]:
    return (case.forward, case.back) if case.back else (case.forward,)


def _stops(case: Case) -> list[Finding]:
    """What stops the probe or its answer: the first, and what is suspect behind it."""
    stops = (finding for walk in _walks(case) for finding in walk.stops)
    found = _merge(stops, case.tables.state.links)
    return [*found[:1], *(finding for finding in found[1:] if _is_suspect(case, finding))]


def _merge(findings: Iterable[Finding], links: Collection[Link] = ()) -> list[Finding]:
    """Each row once, and without what only follows from another finding.

    A link has no carrier where its other end is down, and a sub-interface goes down with the link
    below it.
    """
    found: dict[object, Finding] = {}
    for finding in findings:
        item = finding.item
        row = (type(item), item.id) if item else (finding.reason, finding.place, finding.row)
        found.setdefault(row, finding)
    kept = list(found.values())
    down = {finding.place for finding in kept if finding.reason is Reason.LINK_DOWN}
    parents: dict[_Place, _Place] = {
        (link.netns, link.name): (link.netns, link.parent) for link in links if link.parent
    }
    return [
        finding
        for finding in kept
        if not (finding.reason is Reason.LINK_DOWN and parents.get(finding.place, _NOWHERE) in down)
        and not (
            finding.reason is Reason.NO_CARRIER
            and any((other.netns, other.name) in down for other in finding.others)
        )
    ]


def _is_suspect(case: Case, finding: Finding) -> bool:
    item = finding.item
    return item is not None and (type(item), item.id) in case.tables.suspects


def _cause(case: Case, finding: Finding, confidence: Confidence) -> Cause:
    return _make_cause(_origin(case, finding), case.tables, case.intent, confidence)


def _origin(case: Case, finding: Finding) -> Finding:
    """The finding where its reason is: a TTL runs out at a router, and is set by the sender."""
    if finding.reason is Reason.TTL_EXPIRED:
        ends = case.trace.request.endpoints
        for item in case.tables.state.sysctls:
            if item.key == DEFAULT_TTL and item.netns in (ends.source, ends.destination):
                found = replace(finding, netns=item.netns, link=None, item=item)
                if _is_suspect(case, found):
                    row = f"sysctl {DEFAULT_TTL.replace('/', '.')} = {item.value}; {finding.row}"
                    return replace(found, row=row)
    return finding


def _make_cause(finding: Finding, tables: Tables, intent: Intent, confidence: Confidence) -> Cause:
    accused = blame(finding, tables.state)
    return Cause(
        code=accused.code,
        layer=accused.layer,
        object=accused.object,
        summary=f"{accused.object} {PAGES[finding.reason].phrase}.",
        row=finding.row,
        confidence=confidence,
        fix=make_fix(finding, accused, intent),
    )


def _accuse(verdict: Verdict, causes: Sequence[Cause]) -> Verdict:
    """The verdict with these causes, each once; the first says where the fault is."""
    distinct: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        distinct.setdefault((cause.code, cause.object), cause)
    first = causes[0]
    return replace(
        verdict,
        healthy=False,
        layer=first.layer,
        object=first.object,
        cause=first.code,
        causes=tuple(distinct.values()),
    )


def _say(case: Case, finding: Finding) -> str:
    accused = blame(finding, case.tables.state)
    return f"{accused.object} {PAGES[finding.reason].phrase} ({finding.row})"


def _rows_before(case: Case, stop: Finding) -> tuple[str, ...]:
    """The last rows that let the packet pass before it was stopped, each once."""
    steps = [step for walk in _walks(case) for step in walk.steps]
    at = next(number for number, step in enumerate(steps) if step.finding is stop)
    rows = [step.row for step in steps[:at] if step.row and not step.finding]
    return tuple(dict.fromkeys(rows))[-_MANY_ROWS:]
