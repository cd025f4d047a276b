"""How to mend what a finding accuses (pure)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.diagnosis.codes import Blame
from vnetlab.diagnosis.verdict import Fix
from vnetlab.state.commands import commands
from vnetlab.state.diff import Change
from vnetlab.state.objects import BridgeVlan, Link, Object, Route, Sysctl
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.show import describe_change
from vnetlab.state.switching import PLAIN_PORT
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding

_NODE_SECTIONS = ("vms", "hosts", "routers", "hypervisors", "physical_switches")
_PART_SECTIONS = ("pnics", "nics", "vswitches", "networks", "links")


class Intent(Struct, frozen=True, kw_only=True, dict=True):
    """How the lab is meant to be: what `up` would change, and where each object is written.

    `lines` by path (`vms.web1`, `/lab.yaml:14`). Both are empty where that is not known.
    """

    changes: tuple[Change, ...] = ()
    lines: Mapping[str, str]

    @cached_property
    def by_key(self) -> Mapping[tuple[type, Hashable], Change]:
        """Each change by type and id of its object."""
        return {
            (type(item), item.id): change
            for change in self.changes
            for item in (change.old, change.new)
            if item is not None
        }


def find_repair(finding: Finding, intent: Intent) -> tuple[Change | None, bool]:
    """Return the change of the kernel's tables that mends a finding, and whether `up` makes it."""
    if finding.item is None:
        return None, False
    change = intent.by_key.get((type(finding.item), finding.item.id))
    return (_whole(change, intent), True) if change else (_undo(finding, finding.item), False)


def _whole(change: Change, intent: Intent) -> Change:
    """The change, and of a route that is one too many that it gives way to the one meant."""
    wrong = change.old
    if not isinstance(wrong, Route) or change.new is not None:
        return change
    place = (wrong.netns, wrong.table, wrong.destination)
    lacking = (it.new for it in intent.changes if it.old is None and isinstance(it.new, Route))
    right = (it for it in lacking if (it.netns, it.table, it.destination) == place)
    return Change(old=wrong, new=next(right, None))


def make_fix(finding: Finding, accused: Blame, intent: Intent) -> Fix:
    """Say how to mend a finding."""
    change, drifted = find_repair(finding, intent)
    line = find_line(finding, accused.object, intent.lines)
    if drifted and change is not None:
        advice = f"'vnetlab up' restores it: {_describe(change)}"
    elif finding.reason in _LEARNED:
        line, advice = "", "the node learned it: it expires by itself, or is deleted"
    elif line:
        advice = f"change {accused.object} at {line}, then run 'vnetlab up'"
    else:
        advice = ""
    return Fix(
        node=finding.item.netns if isinstance(finding.item, Sysctl) else finding.netns,
        commands=commands(change) if change else (),
        line=line,
        advice=advice,
        drifted=drifted,
        change=change,
    )


def _describe(change: Change) -> str:
    old, new = change.old, change.new
    if old is None or new is None or old.id == new.id:
        return describe_change(change)
    parts = (Change(old=old, new=None), Change(old=None, new=new))
    return ", ".join(describe_change(part) for part in parts)


def _undo(finding: Finding, item: Object) -> Change | None:
    """What mends a row that is as the file has it: the change that the packet would need."""
    match finding.reason, item:
        case Reason.LINK_DOWN | Reason.BRIDGE_DOWN, Link():
            return Change(old=item, new=replace(item, up=True))
        case Reason.VLAN_NOT_ALLOWED | Reason.NO_PVID, BridgeVlan():
            return Change(old=None, new=item)
        case _, Link() if item.port != PLAIN_PORT and finding.reason.value.startswith("port-"):
            return Change(old=item, new=replace(item, port=PLAIN_PORT))
        case _, Route() | PolicyRule() | Neighbour() | FdbEntry() if _hinders(finding.reason):
            return Change(old=item, new=None)
        case Reason.FORWARDING_OFF, Sysctl():
            return Change(old=item, new=replace(item, value="1"))
        case Reason.REVERSE_PATH_FILTER | Reason.ARP_IGNORED | Reason.ECHO_IGNORED, Sysctl():
            return Change(old=item, new=replace(item, value="0"))
        case _:
            return None


_LEARNED = (Reason.STALE_NEIGHBOUR, Reason.WRONG_LEARNED_FDB_ENTRY)


def _hinders(reason: Reason) -> bool:
    """Whether the row is one too many."""
    return reason in _LEARNED or reason in (
        Reason.BLACKHOLE_ROUTE,
        Reason.UNREACHABLE_ROUTE,
        Reason.PROHIBIT_ROUTE,
        Reason.WRONG_ROUTE,
        Reason.POLICY_RULE,
        Reason.WRONG_STATIC_NEIGHBOUR,
        Reason.WRONG_STATIC_FDB_ENTRY,
    )


def find_line(finding: Finding, name: str, lines: Mapping[str, str]) -> str:
    """Where the object `name` is written in the topology's file, or what it is a part of."""
    for candidate in _paths(name.split("."), finding):
        if candidate in lines:
            return lines[candidate]
    return ""


def _paths(parts: list[str], finding: Finding) -> Iterable[str]:
    """Paths of the file that an object could be written at, the narrowest first.

    The name of a switch's port says what is plugged into it: that is where the cable is written.
    """
    for node, rest in ((parts[1:2], parts[2:]), (parts[:1], parts[1:])):
        for section in _NODE_SECTIONS if node else ():
            for part in _PART_SECTIONS if rest else ():
                yield f"{section}.{node[0]}.{part}.{rest[0]}"
            for number in re.findall(r"^[a-z]+(\d+)$", rest[0]) if rest else ():
                yield f"{section}.{node[0]}.nics[{number}]"
    for name in (*parts[1:2], *parts[:1], finding.netns):
        for section in _NODE_SECTIONS:
            yield f"{section}.{name}"
