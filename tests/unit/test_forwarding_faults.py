"""The model over shipped topologies with a fault of the catalogue in them."""

from __future__ import annotations

from pathlib import Path

from vnetlab.faults.catalogue import find_fault, find_place
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.guards import with_given_rules
from vnetlab.state.tables import Carrier, Tables
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.ip import walk_flow
from vnetlab.trace.forwarding.packet import first_packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import ProbeRequest

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


def faulty_tables(topology: str, kind: str, place: str) -> Tables:
    """The tables of a lab with a fault, whose objects are suspect."""
    meant = with_given_rules(compile_topology(load(TOPOLOGIES / f"{topology}.yaml")))
    fault = find_fault(kind)
    state = fault.change(meant, find_place(fault, place, meant))
    changed = [change.subject for change in diff_states(desired=meant, observed=state)]
    links = {link.id: link for link in state.links}
    carriers = {
        link.id: Carrier.DOWN
        if not link.up
        else Carrier.NO_CARRIER
        if link.peer in links and not links[link.peer].up
        else Carrier.UP
        for link in state.links
    }
    return Tables(
        state=state,
        carriers=carriers,
        sysctls={(it.netns, it.key): it.value for it in state.sysctls},
        suspects=frozenset((type(it), it.id) for it in changed),
    )


def walk(tables: Tables, source: str, destination: str) -> Walk:
    """The way of an echo request."""
    ends = choose_endpoints(tables.state, source, destination)
    return walk_flow(tables, source, first_packet(ProbeRequest(endpoints=ends)))


def test_a_hypervisor_of_an_overlay_without_uplink() -> None:
    """The outer packets are not looked for in tunnels in their turn."""
    tables = faulty_tables("overlay", "pnic-down", "hv3.eno1")
    found = walk(tables, "a3", "a1").stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.LINK_DOWN, "hv3", "eno1")
