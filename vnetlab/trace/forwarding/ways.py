"""The ways out of a namespace: the one that its tables choose, and the one that is meant (pure).

Where both lead to the same place there is one. Where a route is wrong there are two: to follow it,
or to note that it is wrong and to go where it should lead. The cheaper one, by what stops the
packet further on, is the likelier story.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.objects import Address, LinkId, Object, Route
from vnetlab.state.routing import PolicyRule
from vnetlab.trace.forwarding.addresses import why_not_usable
from vnetlab.trace.forwarding.fib import Fate, is_live
from vnetlab.trace.forwarding.journey import World, finding_at, sysctl_row
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.routing import Decision, Flow, lookup, show_rule
from vnetlab.trace.forwarding.walk import Finding

_REFUSALS = {
    Fate.BLACKHOLE: Reason.BLACKHOLE_ROUTE,
    Fate.UNREACHABLE: Reason.UNREACHABLE_ROUTE,
    Fate.PROHIBIT: Reason.PROHIBIT_ROUTE,
}


class Way(Struct, frozen=True, kw_only=True):
    """A decision to follow, and what stands against it; None as a decision where there is none."""

    decision: Decision | None
    finding: Finding | None = None


def find_ways(world: World, flow: Flow) -> Iterator[Way]:
    """The ways of a flow, that of the kernel first."""
    actual = lookup(world.fib, flow)
    meant = lookup(world.intended, flow)
    if _leads(actual):
        yield Way(decision=actual)
        yield from (Way(decision=replace(actual, entry=it)) for it in actual.equal)
    if _leads(meant) and meant.way != actual.way:
        yield Way(decision=meant, finding=_difference(world, flow, actual, meant))
    elif not _leads(actual):
        yield from _passed_over(world, flow, actual)


def describe_difference(
    world: World, flow: Flow, actual: Decision, meant: Decision
) -> Finding | None:
    """Why a lookup gives something else than it is meant to; None where both are the same."""
    return None if actual.way == meant.way else _difference(world, flow, actual, meant)


def _leads(decision: Decision) -> bool:
    if decision.fate is Fate.LOCAL:
        return True
    return decision.fate is Fate.UNICAST and decision.link is not None


def _passed_over(world: World, flow: Flow, actual: Decision) -> Iterator[Way]:
    """A refusal, and the ways that there would be without it."""
    finding = _refusal(world, flow, actual)
    without: frozenset[Object] = frozenset()
    while actual.item is not None:
        without |= {actual.item}
        actual = lookup(world.fib, flow, without=without)
        if _leads(actual):
            yield Way(decision=actual, finding=finding)
            return
    yield Way(decision=None, finding=finding)


def _refusal(world: World, flow: Flow, decision: Decision) -> Finding:
    reason = _REFUSALS.get(decision.fate)
    if reason is not None:
        if decision.entry is None:
            reason = Reason.POLICY_RULE
        return finding_at(reason, flow.netns, None, decision.row, decision.item)
    return _no_route(world, flow, None)


def _no_route(world: World, flow: Flow, meant: Decision | None) -> Finding:
    version = flow.destination.version
    disabled = world.sysctl(flow.netns, "net/ipv6/conf/all/disable_ipv6")
    if version == 6 and disabled.value == "1":
        row = sysctl_row(disabled)
        return finding_at(Reason.IPV6_DISABLED, flow.netns, None, row, disabled)
    row = f"ip -{version} route get {flow.destination}: no route"
    entry = meant.entry if meant else None
    if entry is None or entry.item is None:
        defaults = any(
            it.destination.prefixlen == 0
            for (netns, _, family), rows in world.fib.entries.items()
            for it in rows
            if (netns, family) == (flow.netns, version)
        )
        reason = Reason.NO_ROUTE if defaults else Reason.NO_DEFAULT_ROUTE
        return finding_at(reason, flow.netns, None, row)
    default = entry.destination.prefixlen == 0
    if isinstance(entry.item, Address):
        return _lacks_address(world, flow, entry.item, row)
    reason = Reason.NO_DEFAULT_ROUTE if default else Reason.NO_ROUTE
    return finding_at(reason, flow.netns, entry.link, row, entry.item)


def _lacks_address(world: World, flow: Flow, address: Address, row: str) -> Finding:
    """The address or the route that it brings is not there."""
    found = why_not_usable(world, address)
    if found is not None:
        return found
    link = LinkId(netns=flow.netns, name=address.link)
    return finding_at(Reason.NO_ROUTE, flow.netns, link, row, address)


def _difference(world: World, flow: Flow, actual: Decision, meant: Decision) -> Finding | None:
    link = meant.link
    live = link is None or is_live(world.tables, world.fib, link, flow.destination.version)
    if not live and meant.fate is Fate.UNICAST:
        return None  # the way over the link finds that it is down
    rule = _rule(world, actual, meant)
    if rule is not None:
        held = rule in world.fib.rules.get((flow.netns, flow.destination.version), ())
        row = show_rule(rule) if held else f"no rule {show_rule(rule)}"
        return finding_at(Reason.POLICY_RULE, flow.netns, None, row, rule)
    if actual.fate in _REFUSALS:
        if not world.is_suspect(actual.item) and meant.entry and meant.item != actual.item:
            return _no_route(world, flow, meant)
        return _refusal(world, flow, actual)
    if actual.fate is Fate.NONE:
        return _no_route(world, flow, meant)
    return _wrong(world, flow, actual, meant)


def _rule(world: World, actual: Decision, meant: Decision) -> PolicyRule | None:
    """The rule that makes the difference, if it is one."""
    for decision in (actual, meant):
        rule = decision.rule
        if rule is not None and actual.rule != meant.rule and world.is_suspect(rule):
            return rule
    return None


def _wrong(world: World, flow: Flow, actual: Decision, meant: Decision) -> Finding:
    """A packet is sent elsewhere than it is meant to go."""
    entry, item = actual.entry, actual.item
    if actual.fate is not Fate.LOCAL is meant.fate and isinstance(meant.item, Address):
        return _lacks_address(world, flow, meant.item, actual.row)
    if isinstance(item, Address):
        if actual.fate is Fate.LOCAL:
            reason = Reason.DUPLICATE_ADDRESS
        elif isinstance(meant.item, Address) and not world.is_suspect(item):
            return _lacks_address(world, flow, meant.item, actual.row)
        else:
            reason = Reason.WRONG_PREFIX_LENGTH
        return finding_at(reason, flow.netns, actual.link, actual.row, item)
    if entry is not None and isinstance(item, Route) and not world.is_suspect(item):
        return _no_route(world, flow, meant)
    same_link = actual.link == meant.link and _prefix(actual) == _prefix(meant)
    reason = Reason.WRONG_GATEWAY if same_link else Reason.WRONG_ROUTE
    return finding_at(reason, flow.netns, actual.link, actual.row, item)


def _prefix(decision: Decision) -> object:
    return decision.entry.destination if decision.entry else None
