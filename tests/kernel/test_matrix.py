"""Matrices of probes through real labs: who reaches whom, and what failed pairs have in common."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.diagnosis.common_cause import Matrix
from vnetlab.kernel import namespaces, sysctls
from vnetlab.kernel.features import missing_features
from vnetlab.kernel.neighbour_room import room_for_neighbours
from vnetlab.kernel.nodes import Nodes
from vnetlab.lab import ProbeOptions
from vnetlab.matrix import probe_all
from vnetlab.state.compile import compile_topology
from vnetlab.state.features import required_features
from vnetlab.topology.load import load
from vnetlab.trace.request import ECHO_PORT, Protocol

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))
DEADLINE_S = 60
"""A service may not listen yet: Python takes seconds to start one on a busy machine."""
InNode = Callable[..., str]
needs_vlans = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
PROTOCOLS = [
    ProbeOptions(protocol=protocol, version=version, port=4242)
    for protocol in (Protocol.ICMP, Protocol.UDP, Protocol.TCP)
    for version in (4, 6)
]
LIMIT = "net/ipv4/neigh/default/gc_thresh3"


def probed(
    bench: Bench, sources: str | None = None, destinations: str | None = None, **options: object
) -> Matrix:
    """A matrix in the lab `bench`."""
    chosen = ProbeOptions(**options)  # type: ignore[arg-type] # the tests name them right
    return probe_all(
        "bench", bench.root, options=chosen, sources=sources, destinations=destinations
    )


def groups(matrix: Matrix) -> dict[str, set[tuple[str, str]]]:
    """The pairs of each group, by its code and object."""
    return {
        f"{group.code} {group.cause.object}" if group.cause else group.summary: set(group.pairs)
        for group in matrix.groups
    }


@needs_vlans
@pytest.mark.parametrize("options", PROTOCOLS, ids=lambda o: f"{o.protocol.value}-{o.version}")
def test_all_pairs_of_a_healthy_lab_answer(bench: Bench, options: ProbeOptions) -> None:
    """With cold caches, over two VLANs and a router, each pair has its latency and lost nothing."""
    bench.up(ROUTED)
    matrix = probe_all("bench", bench.root, options=options)
    assert {result.names for result in matrix.results} == set(
        permutations(("db1", "web1", "web2"), 2)
    )
    assert [it.result for it in matrix.failures] == []
    assert all(result.lost == 0 for result in matrix.results)
    across = next(it for it in matrix.results if it.names == ("web1", "web2"))
    assert across.round_trip_ns is not None
    assert across.round_trip_ns > 2_400_000  # what its cables delay it there and back


@needs_vlans
def test_pairs_that_fail_for_one_reason_are_one_group(bench: Bench, in_node: InNode) -> None:
    """A VLAN that somebody took from a trunk: both directions of all pairs that need it."""
    bench.up(ROUTED)
    in_node("tor1", "bridge", "vlan", "del", "dev", "hv2.eno1", "vid", "20")
    in_node("web1", "ip", "link", "set", "eth0", "down")
    found = groups(probed(bench))
    assert found == {
        "switch.vlan-not-allowed tor1.hv2.eno1": {
            ("db1", "web1"),
            ("db1", "web2"),
            ("web2", "db1"),
        },
        "vnic.link-down web1.eth0": {("web1", "db1"), ("web1", "web2"), ("web2", "web1")},
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_lab_is_as_its_file_expects(bench: Bench, path: Path) -> None:
    """All pairs of each expectation answer; of those that must not, the matrix says why."""
    topology = load(path)
    lacking = missing_features(required_features(compile_topology(topology)))
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(feature.label for feature in lacking)}")
    with namespaces.away():
        namespaces.leave()
        verbs.up(topology, bench.root)
        nodes = verbs.nodes(topology.name, bench.root)
        for expectation in topology.expectations:
            destinations = [name for name in expectation.destinations if name in nodes]
            if not destinations:
                continue  # an address: `probe` takes one, a matrix has nodes
            options = ProbeOptions(
                protocol=Protocol(expectation.protocol), port=expectation.port or ECHO_PORT
            )
            sources = ",".join(expectation.sources)
            deadline = time.monotonic() + (0 if expectation.blocked else DEADLINE_S)
            while True:
                matrix = probe_all(
                    topology.name,
                    bench.root,
                    options=options,
                    sources=sources,
                    destinations=",".join(destinations),
                )
                if matrix.healthy or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            failed = {it.result.names for it in matrix.failures}
            wanted = {it.names for it in matrix.results} if expectation.blocked else set()
            assert failed == wanted, expectation.text
            unexplained = [it.end for it in matrix.failures if not it.causes]
            assert unexplained == [], expectation.text


@needs_vlans
def test_what_the_model_lets_pass_is_unknown_with_the_last_tap(bench: Bench) -> None:
    """An application that never answers: the place where the packet was seen last is told."""
    bench.up(ROUTED)
    with namespaces.entered(bench.lab().namespace("web2")):
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with silent:
        silent.bind(("0.0.0.0", 4242))
        found = probed(
            bench, sources="web1", destinations="web2,db1", protocol=Protocol.UDP, port=4242
        )
    (failure,) = found.failures
    assert failure.result.names == ("web1", "web2")
    assert failure.result.seen[-1][0][:2] == ("web2", "eth0")
    assert any(passage[0] == "hv1" for passage, _ in failure.result.seen)
    assert list(groups(found)) == ["The probe came in at web2.eth0 and was not seen any further."]


def test_a_filter_says_who_probes_whom(bench: Bench) -> None:
    """Sources and destinations by name; a node without an address is left out, and why is said."""
    bench.up(FLAT)
    matrix = probed(bench, sources="a,hv1", destinations="b", protocol=Protocol.UDP, version=6)
    assert [result.names for result in matrix.results] == [("a", "b")]
    assert matrix.healthy
    assert [(pair, "hv1" in why) for pair, why in matrix.left_out] == [(("hv1", "b"), True)]


def test_room_for_neighbours_is_made_and_given_back(bench: Bench, in_node: InNode) -> None:
    """The kernel's limit is what it was afterwards, and the lab has no neighbours that need it."""
    bench.up(FLAT)
    usual = sysctls.read(LIMIT)
    assert usual is not None
    with Nodes(bench.lab()) as nodes:
        with room_for_neighbours(10, nodes):
            assert sysctls.read(LIMIT) == usual
        with room_for_neighbours(int(usual), nodes):
            assert int(sysctls.read(LIMIT) or 0) == 2 * int(usual)
            verbs.probe("bench", "a", "b", bench.root, options=ProbeOptions())
            assert "10.0." in in_node("a", "ip", "neigh")
    assert sysctls.read(LIMIT) == usual
    assert in_node("a", "ip", "-4", "neigh") == ""
