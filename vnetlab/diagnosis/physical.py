"""What the kernel itself says of a loss, and whether that agrees with a cause (pure).

The taps show where a packet ended, and the model by which row. A third witness is the kernel at
work: counters that moved, the rules of nftables that it says the packet matched, its reports of
drops. Many causes leave none of these: then nothing is said against a cause. Some always leave one,
and then the cause is less certain without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from vnetlab.diagnosis.verdict import Evidence, Source
from vnetlab.state.counters import CounterKind, Moved
from vnetlab.state.diff import Change
from vnetlab.state.nft_words import show_rule
from vnetlab.state.objects import BridgeVlan
from vnetlab.state.show import describe_change
from vnetlab.trace.drops import Drop
from vnetlab.trace.forwarding.nft_chains import Decision
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.traced_rule import TracedRule

_MOST = 6
"""How many pieces of evidence of one kind a verdict names."""


class Physical(Struct, frozen=True, kw_only=True):
    """What the kernel said while a lost probe was sent a second time: `sent` packets.

    `moved` are the counters of the namespaces on its way that went up, `traced` the rules that its
    packets matched, `drops` the reports of its packets' drops. `changes` are those of the lab
    between what the verdict rests on and the second probe. `path` are the links of the expected
    path, as (namespace, name): a flooded copy of a packet may be dropped off it.
    """

    sent: int
    replied: int
    moved: tuple[Moved, ...] = ()
    traced: tuple[TracedRule, ...] = ()
    drops: tuple[Drop, ...] = ()
    changes: tuple[Change, ...] = ()
    path: frozenset[tuple[str, str]] = frozenset()

    @property
    def stopping(self) -> tuple[TracedRule, ...]:
        """The rules on the path that dropped the packet."""
        return tuple(
            said
            for said in self.traced
            if said.verdict == "drop"
            and all((said.netns, link) in self.path for link in (said.iif, said.oif) if link)
        )

    @property
    def passed(self) -> bool:
        """Whether nothing of it was lost."""
        return self.replied == self.sent


def evidence(physical: Physical | None, finding: Finding | None = None) -> Iterator[Evidence]:
    """Say in words what supports a verdict, or limits it; `finding` is what stops the packet."""
    if physical is None:
        return
    for change in physical.changes[:_MOST]:
        yield _observed(f"changed while the probe ran: {describe_change(change)}")
    if physical.passed:
        yield _observed(f"a second probe got {physical.replied} of {physical.sent} replies")
    rules = dict.fromkeys(_in_words(it) for it in physical.stopping)
    for words in list(rules)[:_MOST]:
        yield _observed(f"the kernel's trace of the packet: {words}")
    for words in list(dict.fromkeys(map(_report, _own_drops(physical.drops))))[:_MOST]:
        yield _observed(f"the kernel reports the packet dropped {words}")
    for moved in [it for it in physical.moved if tells_of_loss(it)][:_MOST]:
        yield Evidence(source=Source.COUNTED, text=moved.words)
    if finding is not None and isinstance(finding.item, BridgeVlan):
        for text in _in_vlan(physical, finding.reason, finding.item):
            yield Evidence(source=Source.COUNTED, text=text)


def agrees(physical: Physical, finding: Finding, packet: Packet) -> bool | None:
    """Whether the kernel says what a finding says of `packet`; None where it cannot tell.

    False if it says another thing (a rule elsewhere dropped the packet, a second probe got
    through), and if it says nothing though it always does of such a cause.
    """
    if physical.passed and finding.reason not in _HEAL_THEMSELVES:
        return False
    if finding.reason in _BY_RULES:
        chain = getattr(finding.item, "id", None)
        if any(it.chain.id == chain for it in physical.traced if it.verdict == "drop"):
            return True
        return False if physical.stopping else _counted(physical, finding, _RULE)
    if physical.stopping:
        return False
    if finding.reason in _QUEUES:
        return _counted(physical, finding, _QUEUE)
    if finding.reason is Reason.VLAN_NOT_ALLOWED and isinstance(finding.item, BridgeVlan):
        return _is_kept_back(physical, finding.item)
    names = _PROTOCOLS.get(finding.reason)
    if names is None:
        return None
    counted = any(
        it.counter.netns == finding.netns and it.counter.name in names for it in physical.moved
    )
    return counted or (False if _is_always_counted(finding, packet) else None)


def dropping_rule(physical: Physical | None, packet: Packet) -> Finding | None:
    """The rule of nftables by which the kernel says that it dropped the packet."""
    if physical is None or not physical.stopping:
        return None
    said = physical.stopping[0]
    rejects = said.rule is not None and said.rule.rejects
    decision = Decision(
        chain=said.chain,
        number=said.number,
        rule=said.rule,
        verdict="reject" if rejects else "drop",
        packet=packet,
    )
    return decision.step().finding


def tells_of_loss(moved: Moved) -> bool:
    """Whether a counter is one of drops, errors or refusals."""
    counter = moved.counter
    match counter.kind:
        case CounterKind.LINK:
            return counter.name.endswith(("_dropped", "_errors"))
        case CounterKind.QDISC | CounterKind.CLASS | CounterKind.ACTION:
            return counter.name == "drops"
        case CounterKind.RULE:
            return counter.name == "packets"
        case CounterKind.PROTOCOL:
            return _LOSSES.search(counter.name) is not None
        case CounterKind.CPU:
            return counter.name == "dropped"
        case CounterKind.VLAN:
            return False


_LOSSES = re.compile(
    "Errors|Errs|Discards|NoRoutes|Fails|ReversePath|Truncated|ListenDrops|ListenOverflows|NoPorts"
    "|TimeExcds|DestUnreachs|UnknownProtos|TooBig|ReasmTimeout|FilterDrop"
)
"""Of RFC 4293 and of Linux: Documentation/networking/snmp_counter.rst."""

_BY_RULES = (
    Reason.FIREWALL_DROP,
    Reason.FIREWALL_REJECT,
    Reason.FIREWALL_POLICY,
    Reason.SECURITY_GROUP,
    Reason.PORT_SECURITY,
    Reason.ACL,
)
_QUEUES = (Reason.FILTER_DROP, Reason.POLICED, Reason.QUEUE_LIMIT, Reason.LOSS)
_RULE = (CounterKind.RULE,)
_QUEUE = (CounterKind.QDISC, CounterKind.CLASS, CounterKind.ACTION)
_HEAL_THEMSELVES = (
    Reason.STALE_NEIGHBOUR,
    Reason.WRONG_LEARNED_FDB_ENTRY,
    Reason.STP_LEARNING,
    Reason.ADDRESS_TENTATIVE,
    Reason.LOSS,
    Reason.CORRUPTION,
    Reason.POLICED,
    Reason.RATE_LIMIT,
    Reason.QUEUE_LIMIT,
)
"""What may let the next packets pass."""

_PROTOCOLS = {
    Reason.REVERSE_PATH_FILTER: ("IPReversePathFilter",),
    Reason.MARTIAN_SOURCE: ("InAddrErrors", "IPReversePathFilter"),
    Reason.ADDRESS_MISSING: ("InAddrErrors",),
    Reason.FORWARDING_OFF: ("InAddrErrors",),
    Reason.NO_ROUTE: ("OutNoRoutes", "InNoRoutes"),
    Reason.NO_DEFAULT_ROUTE: ("OutNoRoutes", "InNoRoutes"),
    Reason.TTL_EXPIRED: ("InHdrErrors", "OutTimeExcds"),
    Reason.ROUTING_LOOP: ("InHdrErrors", "OutTimeExcds"),
    Reason.PACKET_TOO_BIG: ("FragFails", "InTooBigErrors", "OutPktTooBigs"),
}


def _is_always_counted(finding: Finding, packet: Packet) -> bool:
    return finding.reason is Reason.REVERSE_PATH_FILTER and packet.is_ip and packet.version == 4


def _counted(physical: Physical, finding: Finding, kinds: tuple[CounterKind, ...]) -> bool | None:
    """Whether such a counter of losses moved at the place of a finding; None if none did."""
    moved = [it for it in physical.moved if it.counter.kind in kinds and tells_of_loss(it)]
    here = (
        it.counter.netns == finding.netns and it.counter.link in (None, finding.link)
        for it in moved
    )
    return any(here) or None


def _vlan_counts(physical: Physical, vlan: BridgeVlan) -> list[Moved]:
    """What the bridge's ports that are on the path counted in the VLAN of `vlan`."""
    return [
        it
        for it in physical.moved
        if it.counter.name in _PACKETS
        and (it.counter.netns, it.counter.link) in physical.path
        and it.counter.item == (BridgeVlan, (vlan.netns, it.counter.link, vlan.vid))
    ]


def _in_vlan(physical: Physical, reason: Reason, vlan: BridgeVlan) -> Iterator[str]:
    for moved in _vlan_counts(physical, vlan)[:_MOST]:
        yield moved.words
    if reason is Reason.VLAN_NOT_ALLOWED and _is_kept_back(physical, vlan):
        yield f"VLAN {vlan.vid} on {vlan.netns}.{vlan.link}: no packet in or out"


def _is_kept_back(physical: Physical, vlan: BridgeVlan) -> bool | None:
    """Whether packets came to a port, and none passed its VLAN; None where that cannot be told.

    What comes in is counted by the link, and by one of its VLANs only once that let it in; what
    goes out only once the VLAN let it out (net/bridge/br_vlan.c).
    """
    counts = _vlan_counts(physical, vlan)
    if any(it.counter.link == vlan.link for it in counts):
        return None
    came_in = any(
        it.counter.kind is CounterKind.LINK
        and it.counter.name == "rx_packets"
        and (it.counter.netns, it.counter.link) == (vlan.netns, vlan.link)
        for it in physical.moved
    )
    return came_in or bool(counts) or None


_PACKETS = ("rx_packets", "tx_packets")


def _own_drops(drops: Iterable[Drop]) -> Iterator[Drop]:
    """Those of the packet itself: a flooded copy is dropped by whom it is not for."""
    return (drop for drop in drops if drop.reason != "OTHERHOST")


def _report(drop: Drop) -> str:
    reason = f", {drop.reason}" if drop.reason and drop.reason != "NOT_SPECIFIED" else ""
    return f"in {drop.function}{reason}"


def _in_words(said: TracedRule) -> str:
    chain = f"chain {said.chain.family} {said.chain.table} {said.chain.name}"
    if said.rule is None:
        return f"{said.netns}, {chain}: its policy drops it"
    verb = "rejects" if said.rule.rejects else "drops"
    return f"{said.netns}, {chain}: rule {said.number} {show_rule(said.rule)} {verb} it"


def _observed(text: str) -> Evidence:
    return Evidence(source=Source.OBSERVED, text=text)
