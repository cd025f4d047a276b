"""Where a probe was lost (pure).

A loss lies between two hops that follow each other on the packet's path. Between OUT of one link
and IN at its peer lies a cable, and the layer is that of its ends: a vNIC, an uplink. Between IN
and OUT of one node lies what that node does: its bridge, its routing, the guest's operating
system.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator

from vnetlab.diagnosis.verdict import UNKNOWN_CAUSE, Evidence, Layer, Source, Verdict
from vnetlab.state.objects import Role
from vnetlab.state.show import ROLE_WORDS
from vnetlab.trace.path import Hop
from vnetlab.trace.sighting import Answerer, Direction, PacketKind
from vnetlab.trace.trace import Carrier, Loss, Outcome, PacketTrace, Step, Trace, is_aside

_LAYER_WITHIN = {
    Role.VNIC: Layer.GUEST_OS,
    Role.HOST_NIC: Layer.GUEST_OS,
    Role.VLAN_INTERFACE: Layer.GUEST_OS,
    Role.VSWITCH_PORT: Layer.VIRTUAL_SWITCH,
    Role.PNIC: Layer.VIRTUAL_SWITCH,
    Role.PHYSICAL_PORT: Layer.PHYSICAL_NETWORK,
    Role.TEAM: Layer.VIRTUAL_SWITCH,
    Role.LAG: Layer.PHYSICAL_NETWORK,
    Role.ROUTER_PORT: Layer.PHYSICAL_NETWORK,
    Role.ROUTER_INTERFACE: Layer.PHYSICAL_NETWORK,
}
"""The layer of what happens behind a link of that role, in its node."""

_CABLES = {Role.VNIC: Layer.VNIC, Role.PNIC: Layer.PNIC, Role.HOST_NIC: Layer.PNIC}
"""The layer of a cable that has an end of that role; any other is the physical network's."""

_EXAMPLES = 3
"""How many places of one kind the evidence names."""


def locate(trace: Trace) -> Verdict:
    """Say whether every packet got its reply, and if not, where most of the others were lost."""
    failed = [packet for packet in trace.packets if packet.outcome is not Outcome.REPLIED]
    if not failed:
        remarks = (*_questions(trace), *_remarks(trace))
        return Verdict(healthy=True, summary=_success(trace), evidence=_observed(remarks))
    (outcome, loss), count = Counter((p.outcome, p.loss) for p in failed).most_common(1)[0]
    example = next(p for p in failed if (p.outcome, p.loss) == (outcome, loss))
    layer, blamed = _blame(trace, example)
    if loss:
        summary = _describe_loss(trace, loss, back=outcome is Outcome.LOST_RETURN)
    else:
        summary = _describe_refusal(trace, example)
    if len(trace.packets) > 1:
        summary = f"{summary.removesuffix('.')} ({count} of {len(trace.packets)} packets)."
    return Verdict(
        healthy=False,
        summary=summary,
        layer=layer,
        object=blamed,
        cause=UNKNOWN_CAUSE,
        certain=not _blind_spots(trace, loss),
        evidence=_observed((*_proof(trace, example), *_remarks(trace))),
    )


def _success(trace: Trace) -> str:
    ends = trace.request.endpoints
    if len(trace.packets) == 1:
        return f"{ends.source} reached {ends.destination} and got the reply."
    replies = f"{len(trace.packets)} of {len(trace.packets)} replies"
    return f"{ends.source} reached {ends.destination} and got {replies}."


def _blame(trace: Trace, packet: PacketTrace) -> tuple[Layer | None, str]:
    loss = packet.loss
    if loss is None:
        return _blame_refusing_node(trace, packet)
    after, before = loss.after, loss.before
    if after is None:
        sent = not packet.send_error  # the guest's own stack let it go, the link did not
        if sent and before is not None and before.role in (Role.VNIC, Role.HOST_NIC):
            return _CABLES[before.role], before.label
        return _within(before, trace.request.endpoints.source)
    if _is_at_destination(trace, loss):
        return _blame_destination(trace)
    if before is None:
        return _within(after, after.netns) if after.direction is Direction.IN else _cable(after)
    if after.netns != before.netns:
        return _cable(after, before)
    if after.bridge and after.bridge == before.bridge:
        return _LAYER_WITHIN.get(after.role) if after.role else None, after.bridge
    return _within(after, after.netns)


def _within(hop: Hop | None, node: str) -> tuple[Layer | None, str]:
    role = hop.role if hop else Role.VNIC
    return (_LAYER_WITHIN.get(role) if role else None), (hop and hop.bridge) or node


def _cable(*ends: Hop) -> tuple[Layer, str]:
    for end in ends:
        if end.role in _CABLES:
            return _CABLES[end.role], end.label
    return Layer.PHYSICAL_NETWORK, " - ".join(end.label for end in ends)


def _is_at_destination(trace: Trace, loss: Loss) -> bool:
    """Whether the probe arrived, but no answer left."""
    destination = trace.request.endpoints.destination
    return (
        loss.carrier is Carrier.REPLY
        and loss.after is not None
        and loss.after.netns == destination
        and loss.after.direction is Direction.IN
    )


def _blame_destination(trace: Trace) -> tuple[Layer, str]:
    request = trace.request
    if trace.observation.answerer is Answerer.APPLICATION:
        return Layer.APPLICATION, f"{request.endpoints.destination} {_service(trace)}"
    return Layer.GUEST_OS, request.endpoints.destination


def _blame_refusing_node(trace: Trace, packet: PacketTrace) -> tuple[Layer | None, str]:
    """The node that the refusal comes from; at the destination's port, what listens there."""
    first = _refusal(packet).hop
    if first.netns == trace.request.endpoints.destination:
        if not trace.request.protocol.has_ports:
            return Layer.GUEST_OS, first.netns
        return Layer.APPLICATION, f"{first.netns} {_service(trace)}"
    return _within(first, first.netns)


def _refusal(packet: PacketTrace) -> Step:
    """The first sighting of what came back in place of the reply."""
    return next(step for step in packet.back if not is_aside(step.sighting))


def _service(trace: Trace) -> str:
    return f"{trace.request.protocol.value}/{trace.request.port}"


def _describe_refusal(trace: Trace, packet: PacketTrace) -> str:
    refusal = _refusal(packet)
    what = str(refusal.sighting.error or "a TCP reset")
    ends = trace.request.endpoints
    return (
        f"{ends.source} reached {ends.destination}, but {refusal.hop.netns} answered with {what}."
    )


def _describe_loss(trace: Trace, loss: Loss, *, back: bool) -> str:
    """Where it was lost, and on which of the two ways, but at the turning point between them."""
    if _is_at_destination(trace, loss) and loss.after:
        what = "probe" if trace.observation.of_probe else "packet"
        return f"The {what} arrived at {_name(loss.after)}, but {loss.after.netns} sent no reply."
    text = _describe_place(trace, loss)
    return f"On the way {'back' if back else 'there'}, {text[0].lower()}{text[1:]}"


def _describe_place(trace: Trace, loss: Loss) -> str:
    subject = _subject(trace, loss)
    after, before = loss.after, loss.before
    if after is None:
        return f"{subject} never left {trace.request.endpoints.source}."
    verb = "came in at" if after.direction is Direction.IN else "went out of"
    if before is None:
        return f"{subject} {verb} {_name(after)}; the path leads no further."
    if after.netns == before.netns and (after.direction, before.direction) == _TURN:
        if loss.carrier is Carrier.WHO_HAS and after.ifname == before.ifname:
            return f"{subject} {verb} {_name(after)}, but {after.netns} sent no answer."
        return f"{subject} {verb} {_name(after)} and never went out of {_name(before)}."
    missing = "came in at" if before.direction is Direction.IN else "went out of"
    return f"{subject} {verb} {_name(after)} and never {missing} {_name(before)}."


_TURN = (Direction.IN, Direction.OUT)


def _subject(trace: Trace, loss: Loss) -> str:
    by_arp = trace.request.endpoints.version == 4
    match loss.carrier:
        case Carrier.PROBE:
            return "The probe" if trace.observation.of_probe else "The packet"
        case Carrier.REPLY:
            return "The reply"
        case Carrier.WHO_HAS:
            question = "ARP request" if by_arp else "neighbour solicitation"
            return f"The {question} for {loss.target}"
        case Carrier.IS_AT:
            answer = "ARP reply" if by_arp else "neighbour advertisement"
            return f"The {answer} of {loss.target}"


def _name(hop: Hop) -> str:
    return f"{hop.label} ({ROLE_WORDS[hop.role]})" if hop.role else hop.label


def _proof(trace: Trace, packet: PacketTrace) -> Iterator[str]:
    """What was seen of one lost packet."""
    if packet.send_error:
        number = getattr(errno, packet.send_error, 0)
        reason = os.strerror(number).lower() if number else "refused"
        yield f"{trace.request.endpoints.source}'s kernel: {packet.send_error}, {reason}"
    if packet.loss and packet.loss.target:
        yield f"the probe waited for the MAC address of {packet.loss.target}"
    for step in packet.back:
        error = step.sighting.error
        first = next(s for s in packet.back if s.sighting.error == error)
        if error and error.is_final and step is first:
            yield f"{step.hop.netns} sent {error} ({step.sighting.source})"
    strays = list(dict.fromkeys(str(s.hop) for s in packet.forward if s.index is None))
    if strays:
        more = f" and {len(strays) - _EXAMPLES} more" if len(strays) > _EXAMPLES else ""
        yield f"seen off the expected path: {', '.join(strays[:_EXAMPLES])}{more}"


def _remarks(trace: Trace) -> Iterator[str]:
    """What limits the verdict."""
    observation = trace.observation
    if observation.answerer is Answerer.APPLICATION:
        yield f"{_service(trace)} of {trace.request.endpoints.destination} is an application's"
    for netns, lost in observation.lost_by_tap:
        yield f"the tap in {netns} lost {lost} packets: not seen there does not mean not there"
    if observation.truncated:
        yield "listening was ended after too many sightings: is there a loop?"


def _questions(trace: Trace) -> Iterator[str]:
    """What took the first packet longer than the others."""
    asked = [s for s in trace.resolution if s.sighting.kind is PacketKind.WHO_HAS]
    for target in dict.fromkeys(s.sighting.target for s in asked):
        asker = next(s.hop.netns for s in asked if s.sighting.target == target)
        yield f"{asker} had to ask for the MAC address of {target} first"


def _blind_spots(trace: Trace, loss: Loss | None) -> list[str]:
    """The namespaces next to a loss whose tap lost packets."""
    nearby = {hop.netns for hop in (loss.after, loss.before) if hop} if loss else set()
    return [netns for netns, _ in trace.observation.lost_by_tap if netns in nearby]


def _observed(texts: tuple[str, ...]) -> tuple[Evidence, ...]:
    return tuple(Evidence(source=Source.OBSERVED, text=text) for text in texts)
