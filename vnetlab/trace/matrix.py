"""Probes between all pairs of some nodes: which pairs there are, and what was seen (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from vnetlab.errors import UsageError
from vnetlab.state.objects import Role, State
from vnetlab.topology.wording import did_you_mean
from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.path import Passage
from vnetlab.trace.request import ProbeRequest
from vnetlab.trace.sighting import Answerer, PacketKind

_GUESTS = (Role.VM, Role.HOST)


class PairResult(Struct, frozen=True, kw_only=True):
    """What became of the packets from one node to another.

    `round_trip_ns` is that of the first that was answered, None if none was; `lost` counts those
    before it. `refusal` is the ICMP error that came instead, `reset` says that a TCP reset did,
    `send_error` why the guest's own stack would not send (an errno by name). `seen` are the
    passages of a failed pair's packets in the order of time, and what the packets were there.
    """

    request: ProbeRequest
    round_trip_ns: int | None = None
    lost: int = 0
    answerer: Answerer = Answerer.GUEST_KERNEL
    refusal: IcmpError | None = None
    reset: bool = False
    send_error: str = ""
    seen: tuple[tuple[Passage, PacketKind], ...] = ()

    @property
    def reached(self) -> bool:
        """Whether an answer came."""
        return self.round_trip_ns is not None

    @property
    def names(self) -> tuple[str, str]:
        """Source and destination."""
        return (self.request.endpoints.source, self.request.endpoints.destination)


class MatrixObservation(Struct, frozen=True, kw_only=True):
    """All that was seen of a matrix of probes; see `vnetlab.trace.sighting.Observation`."""

    results: tuple[PairResult, ...]
    lost_by_tap: tuple[tuple[str, int], ...] = ()
    truncated: bool = False


def choose_nodes(state: State, wanted: str | None) -> tuple[str, ...]:
    """The nodes that `wanted` names, separated by commas, `*` and `?` as in a shell.

    None are all VMs and hosts. Raises UsageError for a name that no node has.
    """
    nodes = sorted(namespace.name for namespace in state.namespaces)
    if wanted is None:
        return tuple(sorted(ns.name for ns in state.namespaces if ns.role in _GUESTS))
    found: list[str] = []
    for pattern in wanted.split(","):
        named = [node for node in nodes if fnmatchcase(node, pattern.strip())]
        if not named:
            raise UsageError(
                f"matrix: no node '{pattern.strip()}'", fix=did_you_mean(pattern.strip(), nodes)
            )
        found += named
    return tuple(dict.fromkeys(found))


def order_pairs(sources: Sequence[str], destinations: Sequence[str]) -> Iterator[tuple[str, str]]:
    """All pairs of two nodes, those that follow each other with as few nodes in common as can be.

    So packets that are sent together do not meet in one guest's queues.
    """
    for distance in range(len(destinations)):
        for number, source in enumerate(sources):
            destination = destinations[(number + distance) % len(destinations)]
            if source != destination:
                yield source, destination
