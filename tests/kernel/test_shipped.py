"""Every lab of topologies/: built, read back by other tools, every pair probed, taken down."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.errors import ProbeError
from vnetlab.kernel import namespaces
from vnetlab.kernel.features import missing_features
from vnetlab.lab import ProbeOptions
from vnetlab.state.compile import compile_topology
from vnetlab.state.features import required_features
from vnetlab.topology.kinds import content_of
from vnetlab.topology.load import load
from vnetlab.topology.model_file import TopologyFile
from vnetlab.topology.part import Part
from vnetlab.topology.topology import (
    Expectation,
    HostNic,
    HypervisorNic,
    Topology,
    Vnic,
    attachments,
)
from vnetlab.trace.request import ECHO_PORT, Protocol
from vnetlab.trace.trace import Outcome

SHIPPED = sorted(Path(__file__).parents[2].glob("topologies/*.yaml"))
TRIES = 4
"""A cable may lose a packet where its file says so."""

InNode = Callable[..., str]


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Topology]:
    """A shipped topology that this kernel can hold, up, in a namespace that plays its host."""
    topology = load(request.param)
    lacking = missing_features(required_features(compile_topology(topology)))
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(feature.label for feature in lacking)}")
    with namespaces.away():
        namespaces.leave()
        verbs.up(topology, bench.root)
        yield topology


def test_a_shipped_lab_is_what_its_file_says(shipped: Topology, bench: Bench) -> None:
    """Addresses, VLANs and qdiscs as ip, bridge and tc show them; then all of it goes again."""
    node = _reader(bench, shipped.name)
    for name, wanted in _addresses(shipped):
        found = json.loads(node(name, "ip", "-json", "address"))
        held = {
            ip_interface(f"{address['local']}/{address['prefixlen']}")
            for link in found
            for address in link["addr_info"]
        }
        assert wanted <= held, name
    for hypervisor in shipped.hypervisors:
        filtered = any(segment.vlan is not None for segment in shipped.segments)
        vlans = json.loads(node(hypervisor.name, "bridge", "-json", "vlan")) if filtered else []
        carried = {port["ifname"]: port["vlans"] for port in vlans}
        for vm in shipped.vms:
            for nic in vm.nics if vm.hypervisor == hypervisor.name else ():
                alias = f"vswitch-port {hypervisor.name}.{vm.name}.{nic.name}"
                port = _by_alias(node, hypervisor.name, alias)
                _check_port(carried.get(port, []), nic.port.untagged, nic.port.tagged)
        for pnic in hypervisor.pnics:
            kinds = {
                qdisc["kind"]
                for qdisc in json.loads(
                    node(hypervisor.name, "tc", "-json", "qdisc", "show", "dev", pnic.name)
                )
            }
            assert ("tbf" in kinds) == (pnic.cable.outbound.rate_bit_s is not None), pnic
            assert ("netem" in kinds) >= bool(pnic.cable.outbound.delay_ns), pnic
    assert verbs.plan(shipped, bench.root).changes == ()
    verbs.down(shipped.name, bench.root)
    assert bench.leftovers() == []


def test_the_nodes_of_a_shipped_lab_reach_whom_they_should(shipped: Topology, bench: Bench) -> None:
    """Each expectation of the file is so, and every other pair can be probed."""
    done = set()
    for expectation in shipped.expectations:
        for source, destination in product(expectation.sources, expectation.destinations):
            if source != destination:
                done.add((source, destination))
                wanted = not expectation.blocked
                arrived = _probe(bench, shipped, source, destination, expectation, wanted=wanted)
                assert arrived != expectation.blocked, f"{source}: {expectation.text}"
    hypervisors = {hypervisor.name for hypervisor in shipped.hypervisors}
    ends = [name for name, nics in _nics(shipped).items() if nics and name not in hypervisors]
    nics = [nic for vm in shipped.vms for nic in vm.nics]
    protected = any(nic.security_groups or nic.port.isolated for nic in nics)
    for source, destination in permutations(ends, 2):
        if (source, destination) not in done:
            near = _share_a_network(shipped, source, destination) and not protected
            arrived = _probe(bench, shipped, source, destination, None, wanted=near)
            assert arrived or not near, f"{source} -> {destination}"


def test_shipped_topologies_use_every_key() -> None:
    """Together they show all of the language."""
    text = "\n".join(path.read_text() for path in SHIPPED[0].parent.glob("**/*.yaml"))
    unused: set[str] = set()
    todo: list[type[Part]] = [TopologyFile]
    seen: set[type[Part]] = set()
    while todo:
        part = todo.pop()
        if part not in seen:
            seen.add(part)
            for key, (inner, _) in content_of(part).items():
                unused |= set() if re.search(rf"\b{key}:", text) else {key}
                todo += [inner] if inner else []
    assert sorted(unused) == []


def _reader(bench: Bench, lab: str) -> InNode:
    def run(node: str, *command: str) -> str:
        with namespaces.entered(bench.lab(lab).namespace(node)):
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


def _addresses(topology: Topology) -> Iterator[tuple[str, set[Any]]]:
    for name, nics in _nics(topology).items():
        yield name, {address for it in attachments(nics) for address in it.addresses}
    for router in topology.routers:
        yield router.name, {address for it in router.interfaces for address in it.addresses}


def _nics(topology: Topology) -> dict[str, tuple[Vnic | HostNic | HypervisorNic, ...]]:
    found: dict[str, tuple[Vnic | HostNic | HypervisorNic, ...]] = {}
    found |= {vm.name: vm.nics for vm in topology.vms}
    found |= {host.name: host.nics for host in topology.hosts}
    return found | {hypervisor.name: hypervisor.nics for hypervisor in topology.hypervisors}


def _by_alias(node: InNode, name: str, alias: str) -> str:
    links = json.loads(node(name, "ip", "-json", "link"))
    return next(str(link["ifname"]) for link in links if link.get("ifalias") == alias)


def _check_port(found: list[Any], untagged: int | None, tagged: tuple[int, ...]) -> None:
    listed: dict[int, list[str]] = {}
    for entry in found:
        for vid in range(entry["vlan"], entry.get("vlanEnd", entry["vlan"]) + 1):
            listed[vid] = sorted(entry.get("flags", []))
    wanted: dict[int, list[str]] = {vid: [] for vid in tagged}
    if untagged is not None:
        wanted[untagged] = ["Egress Untagged", "PVID"]
    assert listed == wanted


def _share_a_network(topology: Topology, source: str, destination: str) -> bool:
    networks = {
        name: {it.segment for it in attachments(nics)} for name, nics in _nics(topology).items()
    }
    return bool(networks[source] & networks[destination])


def _probe(
    bench: Bench,
    topology: Topology,
    source: str,
    destination: str,
    expectation: Expectation | None,
    *,
    wanted: bool,
) -> bool:
    """Whether a probe got its reply; where that is `wanted`, at the first try or a later one."""
    options = ProbeOptions()
    if expectation is not None:
        port = expectation.port or ECHO_PORT
        options = ProbeOptions(protocol=Protocol(expectation.protocol), port=port)
    for _ in range(TRIES if wanted else 1):
        try:
            trace = verbs.probe(topology.name, source, destination, bench.root, options=options)
        except ProbeError:
            continue
        if all(packet.outcome is Outcome.REPLIED for packet in trace.packets):
            return True
    return False
