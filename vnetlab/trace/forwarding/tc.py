"""Filters of a link's clsact hooks: which of them takes a frame, and what it does to it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from vnetlab.state.filter_words import describe_filter
from vnetlab.state.filters import ETH_P_8021Q, ETH_P_ALL, Action, Filter
from vnetlab.state.objects import LinkId, Qdisc
from vnetlab.state.shaping import bucket
from vnetlab.trace.forwarding.frames import Frame, Point, World, finding
from vnetlab.trace.forwarding.headers import LINK, NETWORK, TRANSPORT, Octets, header
from vnetlab.trace.forwarding.packet import Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason

_ETHERNET_BYTES = 14
_IP = {4: 0x0800, 6: 0x86DD}
_ARP = 0x0806
_KNOWN = {"destination", "vlan"}
_ENDS = ("pass", "drop", "trap", "stolen")


class Outcome(Struct, frozen=True, kw_only=True):
    """The frame behind a filter's actions, and what becomes of it: `pass`, `continue`..."""

    frame: Frame
    then: str
    away: LinkId | None = None


def filtered(world: World, frame: Frame, hook: int) -> Iterator[Frame]:
    """The frame behind the filters of a hook; one that is redirected is at another link then.

    Filters are asked by priority, until one says what becomes of the frame: tc(8).
    """
    for item in world.index.filters.get((frame.link, hook), ()):
        takes = takes_packet(item, frame.packet)
        if takes is None:
            frame = frame.unsure(f"{describe_filter(item)}: what it takes")
        if not takes:
            continue
        outcome = act(frame, item, item)
        if outcome.away is not None:
            if outcome.away.name:
                yield outcome.frame.at(Point.SEND, outcome.away)
            row = f"tc filter show: {describe_filter(item)} redirects to {outcome.away}"
            frame = frame.stopped(finding(Reason.FILTER_REDIRECT, frame.link, row, item))
            break
        frame = outcome.frame
        if outcome.then != "continue":
            break
    yield frame


def takes_packet(item: Filter, packet: Packet) -> bool | None:
    """Whether a filter takes a packet; None if the model cannot tell."""
    matches = dict(item.matches)
    matches.pop("class", None)  # where it goes, not what it is
    if item.protocol not in (ETH_P_ALL, _protocol(packet)):
        return False
    if item.kind == "u32" and matches:
        octets = _octets(packet)
        return _all_of(_has_word(octets, at, word) for at, word in matches.items())
    if item.kind in ("matchall", "basic") and not matches:
        return True
    if item.kind != "flower" or item.handle == 0 or matches.keys() - _KNOWN:
        return None
    if "vlan" in matches and matches["vlan"] != str(packet.vlan):
        return False
    mac, _, mask = matches.get("destination", "").partition("/")
    if not mac:
        return True
    bits = _number(mask) if mask else (1 << 48) - 1
    return (_number(mac) ^ _number(packet.destination_mac)) & bits == 0


def _all_of(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    if False in found:
        return False
    return None if None in found else True


def _has_word(octets: Octets, at: str, word: str) -> bool | None:
    """Whether four octets (`at 12` of the network header) are `VALUE/MASK`, as u32 asks."""
    start = _ETHERNET_BYTES + int(at.removeprefix("at "))
    found = octets[start : start + 4] if start >= 0 else ()
    value, mask = (bytes.fromhex(part) for part in word.split("/"))
    if len(found) < len(value):
        return None
    pairs = [
        (have, want, bits) for have, want, bits in zip(found, value, mask, strict=True) if bits
    ]
    if any(have is not None and (have ^ want) & bits for have, want, bits in pairs):
        return False
    return None if any(have is None for have, _, _ in pairs) else True


def _octets(packet: Packet) -> Octets:
    """The frame as filters see it: its tag is beside it."""
    bare = packet.with_tag(None)
    return tuple(it for base in (LINK, NETWORK, TRANSPORT) for it in header(bare, base) or ())


def act(frame: Frame, item: Filter, row: Filter | Qdisc) -> Outcome:
    """Do a filter's actions; one without any takes the frame and lets it pass.

    `row` is what is accused of it: the filter, or the qdisc that it belongs to.
    """
    for action in item.actions:
        settings = dict(action.settings)
        then = str(settings.get("then", "pipe"))
        match action.kind:
            case "gact":
                pass
            case "police":
                frame, then = _police(frame, item, action, row)
            case "mirred" if settings["mode"] == "redirect_to":
                away = LinkId(netns=item.netns, name=str(settings["link"]))
                return Outcome(frame=frame, then="stolen", away=away)
            case "mirred" if settings["mode"] == "mirror_to":
                pass
            case "vlan" if settings["mode"] == "pop":
                frame = frame.bearing(None)
            case "vlan" if settings["mode"] == "push":
                frame = frame.bearing(int(settings["vid"]))
            case _:
                frame = frame.unsure(f"{describe_filter(item)}: action {action.kind}")
        if then == "drop":
            shown = f"tc filter show: {describe_filter(item)} drops"
            dropped = finding(Reason.FILTER_DROP, frame.link, shown, row)
            return Outcome(frame=frame.stopped(dropped), then="pass")
        if then != "pipe":
            if then not in (*_ENDS, "continue"):
                frame = frame.unsure(f"{describe_filter(item)}: {then}")
            return Outcome(frame=frame, then=then)
    return Outcome(frame=frame, then="pass")


def _police(frame: Frame, item: Filter, action: Action, row: Filter | Qdisc) -> tuple[Frame, str]:
    """A limit lets pass single packets, if they are not larger than its burst (act_police.c)."""
    settings = dict(action.settings)
    burst_bytes = bucket(int(settings["rate_bit_s"]) // 8, int(settings["burst_ns"]))
    frame_bytes = frame.packet.length + _ETHERNET_BYTES
    largest_bytes = min(burst_bytes, int(settings["largest_bytes"]))
    drops = settings["exceed"] == "drop"
    shown = f"tc filter show: {describe_filter(item)} polices"
    if frame_bytes > largest_bytes:
        if not drops:
            return frame, str(settings["exceed"])
        shown += f" with burst {largest_bytes} bytes, the frame has {frame_bytes}"
        return frame.stopped(finding(Reason.POLICED, frame.link, shown, row)), "pass"
    if drops:
        frame = frame.stopped(finding(Reason.POLICED, frame.link, shown, row, harms=True))
    return frame, str(settings["conform"])


def _protocol(packet: Packet) -> int:
    """The EtherType that filters see: that of the tag, where there is one."""
    if packet.vlan is not None:
        return ETH_P_8021Q
    if packet.payload is not Payload.IP and packet.version == 4:
        return _ARP
    return _IP[packet.version]


def _number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)
