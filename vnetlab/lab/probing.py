"""Verbs that send packets through a lab, or run something else on a node."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.errors import UsageError
from vnetlab.kernel import processes
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.lab.premises import existing_lab, require_node
from vnetlab.state.objects import State
from vnetlab.trace.request import ECHO_PORT, Protocol

if TYPE_CHECKING:
    from vnetlab.trace.matrix import MatrixObservation
    from vnetlab.trace.patience import Stop
    from vnetlab.trace.request import Endpoints, ProbeRequest
    from vnetlab.trace.trace import Trace


class ProbeOptions(Struct, frozen=True, kw_only=True):
    """What a probe is made of; see `vnetlab.trace.request.ProbeRequest`.

    `version` is the IP version, 4 or 6; None takes what both ends have, 4 first. `raw` sends a
    frame out of the source's vNIC past its stack, with the 802.1Q tag `vlan` if that is given; ARP
    is always sent so.
    """

    protocol: Protocol = Protocol.ICMP
    port: int = ECHO_PORT
    count: int = 1
    size: int | None = None
    version: int | None = None
    dscp: int = 0
    ttl: int | None = None
    dont_fragment: bool | None = None
    raw: bool = False
    vlan: int | None = None


def make_request(
    state: State, ends: Endpoints, options: ProbeOptions, meant: State | None = None
) -> ProbeRequest:
    """The probe that `options` describe, between two nodes of a lab whose State is `state`.

    `meant` is how the lab is meant to be. Raises UsageError for options out of range, or that do
    not go together.
    """
    from vnetlab.trace.endpoints import frame_from, question_from
    from vnetlab.trace.request import ProbeRequest

    by_stack = not options.raw and options.protocol is not Protocol.ARP
    if options.vlan is not None and by_stack:
        raise UsageError(
            f"vlan: got {options.vlan} for a packet of {ends.source}'s own stack, expected a raw "
            "frame: the stack tags what leaves by its VLAN interfaces, and nothing else",
            fix="add --raw",
        )
    request = ProbeRequest(
        endpoints=ends,
        protocol=options.protocol,
        port=options.port,
        count=options.count,
        size=options.size,
        dscp=options.dscp,
        ttl=options.ttl,
        dont_fragment=options.dont_fragment,
    )
    if by_stack:
        return request
    if options.protocol is Protocol.ARP:
        return replace(request, raw=question_from(state, meant or state, ends, options.vlan))
    return replace(request, raw=frame_from(state, ends, options.vlan))


def probe(
    name: str,
    source: str,
    destination: str,
    root: Path,
    *,
    options: ProbeOptions,
    state: State | None = None,
    meant: State | None = None,
    ends: Endpoints | None = None,
    also_watched: Collection[str] = (),
    request: ProbeRequest | None = None,
    stop: Stop | None = None,
) -> Trace:
    """Send a probe from one node to another (or to an address) and watch it at every hop.

    `state` is the lab's if it was observed just before, `meant` how it is meant to be; `ends` are
    the addresses if they have been chosen; `also_watched` are nodes where it may be seen besides
    those that are watched anyway; `request` is what `options` describe, if it has been made; `stop`
    is where its packets are said to be stopped. Raises UsageError if there is no such lab, node or
    address, ProbeError if it cannot be watched.
    """
    from vnetlab.trace.endpoints import choose_endpoints
    from vnetlab.trace.path import expected_path, watched_namespaces
    from vnetlab.trace.trace import trace_probe
    from vnetlab.wire.probe import run_probe

    lab = existing_lab(name, root)
    with lab.locked(shared=True), Nodes(lab) as present:
        state = state or observe(present).state
        ends = ends or choose_endpoints(state, source, destination, version=options.version)
        request = request or make_request(state, ends, options, meant)
        forward = expected_path(state, ends.source, ends.destination_address, meant)
        back = expected_path(state, ends.destination, ends.source_address, meant)
        watched = dict.fromkeys([*watched_namespaces(state, forward, back), *also_watched])
        seen = run_probe(request, tuple(watched), present.enter, stop=stop)
    return trace_probe(request, seen, state, forward, back)


def probe_pairs(name: str, requests: Sequence[ProbeRequest], root: Path) -> MatrixObservation:
    """Send many probes of one protocol and port in one pass of the taps, a packet of each.

    Raises UsageError if there is no such lab, ProbeError if it cannot be watched.
    """
    from vnetlab.kernel.neighbour_room import room_for_neighbours
    from vnetlab.wire.matrix import run_matrix

    lab = existing_lab(name, root)
    with (
        lab.locked(shared=True),
        Nodes(lab) as present,
        room_for_neighbours(2 * len(requests), present),
    ):
        return run_matrix(requests, lab.nodes(), present.enter)


def become(name: str, node: str, command: Sequence[str], root: Path) -> NoReturn:
    """Turn this process into `command` on `node`.

    Raises UsageError if there is no such lab, node or command.
    """
    lab = existing_lab(name, root)
    require_node(lab, node)
    processes.become(lab, node, command)
