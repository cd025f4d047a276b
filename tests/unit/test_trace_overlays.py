"""Which way a packet belongs in an overlay, and in a router with VRFs."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import State
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.path import ExpectedPath, expected_path

SHIPPED = Path(__file__).parents[2] / "topologies"


@pytest.fixture(scope="module")
def state() -> State:
    """That of topologies/virtual-router.yaml."""
    return compile_topology(load(SHIPPED / "virtual-router.yaml"))


def path_of(state: State, source: str, destination: str) -> ExpectedPath:
    """The path from one node to another."""
    ends = choose_endpoints(state, source, destination)
    return expected_path(state, source, ends.destination_address)


def links(path: ExpectedPath) -> list[str]:
    """The links of a path by their labels, with directions."""
    return [str(hop) for hop in path.hops]


def test_in_an_overlay_a_packet_goes_from_vtep_to_vtep() -> None:
    """What is between the hypervisors is a UDP packet of theirs, and no part of the path."""
    overlay = compile_topology(load(SHIPPED / "overlay.yaml"))
    path = path_of(overlay, "a1", "a3")
    assert path.complete
    assert links(path) == [
        *("a1.eth0 out", "hv1.a1.eth0 in", "hv1.tenant-a.vtep out"),
        *("hv3.tenant-a.vtep in", "hv3.a3.eth0 out", "a3.eth0 in"),
    ]


def test_the_underlay_is_no_shortcut_for_other_networks(state: State) -> None:
    """A network that is no overlay goes by the uplinks, wherever there are VTEPs."""
    path = path_of(state, "red1", "red2")
    assert path.complete
    assert "hv1.eno1 out" in links(path)
    assert not any("vtep" in hop for hop in links(path))


def test_a_virtual_router_takes_a_packet_from_an_overlay_to_a_vlan(state: State) -> None:
    """It comes by VTEPs to the router's hypervisor, and leaves by the uplink."""
    path = path_of(state, "app1", "web1")
    assert path.complete
    assert links(path)[2:6] == [
        *("hv1.app.vtep out", "hv2.app.vtep in", "hv2.gw.eth0 out", "gw.eth0 in"),
    ]


def test_between_two_vrfs_there_is_no_way(state: State) -> None:
    """The path ends in the router: the VRF's table has an unreachable route for everything else."""
    path = path_of(state, "red1", "blue1")
    assert not path.complete
    assert links(path)[-1] == "gw.red-a in"
    assert not path_of(state, "blue1", "web1").complete
