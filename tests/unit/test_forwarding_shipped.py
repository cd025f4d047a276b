"""The model over every shipped topology as it is meant to be: its file's expectations hold."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from vnetlab.errors import UsageError
from vnetlab.state.compile import compile_topology
from vnetlab.state.guards import with_given_rules
from vnetlab.state.tables import Carrier, Tables
from vnetlab.topology.load import load
from vnetlab.topology.topology import Expectation
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.ip import index_world, reply_to, walk_in
from vnetlab.trace.forwarding.journey import World
from vnetlab.trace.forwarding.packet import first_packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import ECHO_PORT, ProbeRequest, Protocol

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))
FILTERED = {
    Reason.FIREWALL_DROP,
    Reason.FIREWALL_POLICY,
    Reason.FIREWALL_REJECT,
    Reason.SECURITY_GROUP,
    Reason.PORT_SECURITY,
    Reason.ACL,
    Reason.PORT_ISOLATED,
}
UNROUTED = {Reason.NO_ROUTE, Reason.NO_DEFAULT_ROUTE, Reason.UNREACHABLE_ROUTE}


def desired_tables(path: Path) -> Tables:
    """The tables of a topology's lab once everything is up."""
    state = with_given_rules(compile_topology(load(path)))
    return Tables(
        state=state,
        carriers={link.id: Carrier.UP for link in state.links},
        sysctls={(it.netns, it.key): it.value for it in state.sysctls},
    )


def walk_both(world: World, source: str, destination: str, of: Expectation) -> list[Walk]:
    """The way of a probe's packet, and of what answers it."""
    ends = choose_endpoints(world.tables.state, source, destination)
    port = of.port or ECHO_PORT
    request = ProbeRequest(endpoints=ends, protocol=Protocol(of.protocol), port=port)
    packet = first_packet(request)
    there = walk_in(world, source, packet)
    if not there.arrived or there.link is None:
        return [there]
    return [there, walk_in(world, there.link.netns, reply_to(packet, there), answers=there)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_expectations_of_a_shipped_file(path: Path) -> None:
    """What should arrive does, both ways; what should not is stopped by a filter."""
    topology, world = load(path), index_world(desired_tables(path))
    for it in topology.expectations:
        for source, destination in product(it.sources, it.destinations):
            if source == destination:
                continue
            try:
                walks = walk_both(world, source, destination, it)
            except UsageError:
                assert it.blocked
                continue
            what = f"{source} -> {destination}: {[walk.findings for walk in walks]}"
            assert all(walk.unmodelled == () for walk in walks), walks
            if it.blocked:
                stops = [stop.reason for walk in walks for stop in walk.stops]
                assert stops, what
                assert stops[0] in FILTERED | UNROUTED, what
            else:
                assert [walk.passes for walk in walks] == [True, True], what
                assert walks[0].link is not None
                assert walks[1].packet.destination == walks[0].steps[0].packet.source


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_but_filters_and_routes_keeps_nodes_apart(path: Path) -> None:
    """Every pair of nodes with addresses, by an echo and its reply."""
    world = index_world(desired_tables(path))
    of = Expectation(
        text="", sources=(), destinations=(), protocol="icmp", port=None, via=(), blocked=False
    )
    names = [it.name for it in world.tables.state.namespaces]
    for source, destination in product(names, names):
        try:
            walks = walk_both(world, source, destination, of)
        except UsageError:
            continue
        stops = [stop.reason for walk in walks for stop in walk.stops]
        assert set(stops) <= FILTERED | UNROUTED, f"{source} -> {destination}: {walks}"
