"""A verdict's causes, and what the model says of a flow, as text (pure)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from vnetlab.diagnosis.explanation import Explanation
from vnetlab.diagnosis.verdict import Cause, Verdict
from vnetlab.trace.forwarding.packet import Payload
from vnetlab.trace.forwarding.walk import Walk, WalkStep
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.terminal import DIM, GREEN, RED, YELLOW, Terminal, hang


def render_causes(causes: Iterable[Cause], terminal: Terminal) -> list[str]:
    """Each cause: what, by which row, how sure that is, where it is written, how to mend it."""
    lines: list[str] = []
    for number, cause in enumerate(causes, 1):
        head = f"{number}. {cause.code} ({cause.confidence.value}) "
        first, *more = hang(head, cause.summary, terminal.width)
        lines += [terminal.paint(first, YELLOW), *more]
        for name, fact in cause_facts(cause):
            lines += hang(f"      {name}: ", fact, terminal.width)
    return lines


def cause_facts(cause: Cause) -> Iterator[tuple[str, str]]:
    """The name and text of each thing to be said of a cause."""
    yield "layer", cause.layer.value
    yield "row", cause.row
    if cause.fix.line:
        yield "written at", cause.fix.line
    for command in cause.fix.commands:
        yield "fix", f"vnetlab exec {cause.fix.node} -- {command}"
    if cause.fix.advice:
        yield "fix", cause.fix.advice


def render_why(verdict: Verdict, terminal: Terminal) -> str:
    """The verdict alone."""
    word, color = ("OK", GREEN) if verdict.healthy else ("FAULT", RED)
    head, *more = hang(word.ljust(6), verdict.summary, terminal.width)
    lines = [terminal.paint(word, color) + head.removeprefix(word), *more]
    lines += render_causes(verdict.causes, terminal)
    if not verdict.healthy and not verdict.causes:
        place = f"{verdict.object}, {verdict.layer.value}" if verdict.layer else verdict.object
        lines += hang("      cause: ", f"unknown; the place: {place}", terminal.width)
    for queue in verdict.queues:
        lines += hang("      queue: ", queue.words, terminal.width)
    lines += remarks(verdict, terminal)
    return "\n".join(lines)


def remarks(verdict: Verdict, terminal: Terminal) -> list[str]:
    """What was ruled out, and where the kernel did otherwise than the model says."""
    lines: list[str] = []
    for row in verdict.ruled_out:
        lines += hang("      ruled out: ", row, terminal.width)
    if verdict.contradiction:
        lines += hang("      MODEL CONTRADICTED: ", verdict.contradiction, terminal.width)
    return lines


def render_explanation(explanation: Explanation, terminal: Terminal) -> str:
    """The walk there and back, a row per decision, then the causes if it does not pass."""
    request, ends = explanation.request, explanation.request.endpoints
    title = (
        f"{ends.source} ({ends.source_address}) {terminal.arrow} "
        f"{ends.destination} ({ends.destination_address}): {request.protocol.value}, "
        f"{request.packet_bytes} bytes, by the kernel's tables as they are now; nothing is sent"
    )
    blocks = [
        "\n".join(textwrap.wrap(title, terminal.width)),
        _render_walk("there", explanation.forward, explanation, terminal),
    ]
    if explanation.back is not None:
        blocks.append(_render_walk("back", explanation.back, explanation, terminal))
    blocks.append("\n".join(_outcome(explanation, terminal)))
    return "\n\n".join(blocks)


def _outcome(explanation: Explanation, terminal: Terminal) -> Iterator[str]:
    if explanation.passes:
        yield terminal.paint("PASSES", GREEN) + " there and back"
    else:
        yield terminal.paint("DROPPED", RED)
    yield from render_causes(explanation.causes, terminal)
    walks = [explanation.forward, *([explanation.back] if explanation.back else [])]
    for what in dict.fromkeys(item for walk in walks for item in walk.unmodelled):
        yield from hang("      not modelled: ", what, terminal.width)


def _render_walk(heading: str, walk: Walk, explanation: Explanation, terminal: Terminal) -> str:
    steps = [step for step in walk.steps if step.row or step.direction or step.finding]
    columns = [
        Column(title="#", cells=tuple(str(n) for n, _ in enumerate(steps, 1)), right=True),
        Column(title="place", cells=tuple(_place(step, explanation) for step in steps)),
        Column(title="dir", cells=tuple(_direction(step) for step in steps)),
        Column(title="VLAN", cells=tuple(_vlan(step) for step in steps), right=True),
        Column(title="what", cells=tuple(_what(step) for step in steps), importance=1),
        Column(title="row that decides", cells=tuple(map(_row, steps))),
    ]
    title, *rows = lay_out(columns, terminal.width)
    shown = [
        terminal.paint(row, RED) if step.finding and not step.finding.harms else row
        for step, row in zip(steps, rows, strict=True)
    ]
    return "\n".join([terminal.paint(title, DIM), heading, *shown])


def _place(step: WalkStep, explanation: Explanation) -> str:
    if step.link is None:
        return step.netns
    return explanation.labels.get((step.netns, step.link), f"{step.netns}.{step.link}")


def _direction(step: WalkStep) -> str:
    return step.direction.value if step.direction else ""


def _vlan(step: WalkStep) -> str:
    return "-" if step.packet.vlan is None else str(step.packet.vlan)


def _what(step: WalkStep) -> str:
    return "" if step.packet.payload is Payload.IP else step.packet.payload.value


def _row(step: WalkStep) -> str:
    if step.finding is None:
        return step.row
    word = "harms" if step.finding.harms else "DROP"
    return f"{word} {step.finding.reason.value}: {step.finding.row}"
