"""What the model says of a packet's way: steps, and what stops it there (pure).

The model does not end at the first thing that stops a packet. It notes a `Finding` and goes on as
if that had let it pass, by the way with the fewest and likeliest findings. So the findings of a
walk are its faults in the order of the path: none, and the packet gets there; the first is where it
is lost; those behind it would stop it next.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from vnetlab.state.objects import LinkId, Object
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.packet import Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.sighting import Direction

_SUSPECTED, _UNSUSPECTED, _BLOCKED = 2, 5, 20


class Finding(Struct, frozen=True, kw_only=True):
    """A thing that stops or harms the packet, and the row of the kernel's tables that says so.

    `link` is None where it is the namespace's as a whole. `row` is in the words of ip(8),
    bridge(8), tc(8), nft(8) or sysctl(8); `item` is the State object that decides, as it is, or as
    it would have to be where what lacks is an object; None where no State object says it. `harms`
    is what it does to packets that it does not stop (a loss of 10 %, a delay): they pass then.
    `others` are further objects of the lab that take part (the other end of a mismatch).
    """

    reason: Reason
    netns: str
    row: str
    link: str | None = None
    item: Object | None = None
    harms: bool = False
    others: tuple[LinkId, ...] = ()

    @property
    def place(self) -> tuple[str, str | None]:
        """Namespace and link."""
        return (self.netns, self.link)


class WalkStep(Struct, frozen=True, kw_only=True):
    """One decision of the kernel about the packet.

    A step with a `direction` is also a passage that a tap sees: `packet` is what it sees there (its
    tag before the VLAN is stripped on the way in, after it was put on on the way out). Another one
    is a decision within the namespace: a routing lookup, a rule. `row` is the table's row that
    decided it, empty where nothing had to be decided; `finding` says that this row stops or harms
    the packet. A step of the outer packet of a tunnel has what that carries in `within`.
    """

    netns: str
    link: str | None
    packet: Packet
    row: str = ""
    direction: Direction | None = None
    finding: Finding | None = None
    within: Payload | None = None

    @property
    def passage(self) -> tuple[str, str, Direction] | None:
        """What a sighting is matched by, see `vnetlab.trace.path.Passage`.

        None for the outer packet of a tunnel: taps do not look for the probe in it.
        """
        if self.direction is None or self.link is None or self.within is not None:
            return None
        return (self.netns, self.link, self.direction)


class Translation(Struct, frozen=True, kw_only=True):
    """What network address translation in a namespace made of a packet: `before` and `after`."""

    netns: str
    before: Packet
    after: Packet


class Walk(Struct, frozen=True, kw_only=True):
    """A packet's way: `arrived` if it gets to its end once its findings are passed over.

    `packet` is the packet as it is at the end, `link` where it came in last. `unmodelled` says what
    the model met and does not know (an expression of nftables, a kind of filter): what it says is
    less certain then. `translations` are those of the packet by NAT, in the order of the path.
    """

    steps: tuple[WalkStep, ...]
    arrived: bool
    packet: Packet
    link: LinkId | None = None
    unmodelled: tuple[str, ...] = ()
    translations: tuple[Translation, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """In the order of the path."""
        return tuple(step.finding for step in self.steps if step.finding)

    @property
    def stops(self) -> tuple[Finding, ...]:
        """Those that stop the packet."""
        return tuple(finding for finding in self.findings if not finding.harms)

    @property
    def passes(self) -> bool:
        """Whether the packet gets to its end."""
        return self.arrived and not self.stops


def steps_around(walks: Iterable[Walk], finding: Finding) -> tuple[list[WalkStep], list[WalkStep]]:
    """The passages before a finding and behind it, on the walk that it is of and further on."""
    steps = [step for walk in walks for step in walk.steps]
    at = next(number for number, step in enumerate(steps) if step.finding is finding)
    own = steps[at]
    before = [step for step in steps[:at] if step.passage]
    behind = [step for step in steps[at + 1 :] if step.passage]
    if own.passage:  # what comes in was seen before it was stopped, what goes out was not
        (before if own.direction is Direction.IN else behind).append(own)
    return before, behind


def cost(findings: Iterable[Finding], tables: Tables) -> int:
    """How unlikely it is that these are why a packet does not get there: the less, the better.

    What a spanning tree blocks is no fault while there is another way. What is not as it is meant
    to be explains more than what is.
    """
    return sum(_cost(finding, tables) for finding in findings if not finding.harms)


def _cost(finding: Finding, tables: Tables) -> int:
    if finding.reason in (Reason.STP_BLOCKING, Reason.BACKUP_SLAVE):
        return _BLOCKED
    item = finding.item
    suspected = item is not None and (type(item), item.id) in tables.suspects
    return _SUSPECTED if suspected else _UNSUSPECTED
