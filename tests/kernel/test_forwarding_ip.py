"""The forwarding model's IP part against the kernel: the same labs, the same packets."""

from __future__ import annotations

import shlex
import subprocess
from itertools import permutations
from pathlib import Path

import pytest
from msgspec import Struct

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.errors import ProbeError, UsageError
from vnetlab.kernel.nodes import Nodes
from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import State
from vnetlab.state.tables import Tables
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.ip import reply_to, walk_flow
from vnetlab.trace.forwarding.packet import first_packet
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.path import expected_path, watched_namespaces
from vnetlab.trace.request import ProbeRequest
from vnetlab.trace.trace import Outcome, trace_probe
from vnetlab.wire.probe import run_probe

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
SHIPPED = ("guest-tagging", "nat", "two-hypervisors", "virtual-router")
TRIES = 3

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "netem")


class Fault(Struct, frozen=True):
    """Commands in nodes, a probe, and what the model has to say: a reason and where.

    `{web1}` is the node's address of the probe's version, `{web1.6}` that of IPv6.
    """

    commands: str
    ends: str
    verdict: str
    version: int = 4
    size: int | None = None


DEL, ADD = "ip route del", "ip route add"
FAULTS = (
    # While no other rule has ever been added, the tables local and main are one: fib_index.py.
    Fault("gw: ip rule del priority 32766", "web1 db1", ""),
    # Routes
    Fault(f"web1: {DEL} default", "web1 db1", "no-default-route web1"),
    Fault("web1: ip -6 route del default", "web1 db1", "no-default-route web1", 6),
    Fault(f"db1: {DEL} default", "web1 db1", "no-default-route db1"),
    Fault(f"web1: {ADD} blackhole {{db1}}/32", "web1 db1", "blackhole-route web1"),
    Fault(f"gw: {ADD} unreachable {{db1}}/32", "web1 db1", "unreachable-route gw"),
    Fault(f"gw: {ADD} prohibit {{web1}}/32", "web1 db1", "prohibit-route gw"),
    Fault("gw: ip -6 route add blackhole {db1}/128", "web1 db1", "blackhole-route gw", 6),
    Fault("web1: ip route replace default via 10.10.0.99", "web1 db1", "wrong-gateway web1"),
    Fault("web1: ip route replace default via {web2}", "web1 db1", "wrong-gateway web1"),
    Fault("web1: ip -6 route replace default via fd00:10::99", "web1 db1", "wrong-gateway web1", 6),
    Fault(f"gw: {ADD} {{db1}}/32 via {{web2}}", "web1 db1", "wrong-route gw"),
    Fault(f"gw: {DEL} 10.20.0.0/24", "web1 db1", "no-route gw"),
    Fault(f"web1: {ADD} {{db1}}/32 dev eth0", "web1 db1", "wrong-route web1"),
    # Policy rules
    Fault("gw: ip rule add from {web1} prohibit", "web1 db1", "policy-rule gw"),
    Fault(
        f"gw: ip rule add from {{web1}} lookup 7 && gw: {ADD} default via {{web2}} table 7",
        "web1 db1",
        "policy-rule gw",
    ),
    Fault("gw: ip rule add from 10.10.0.99 blackhole", "web1 db1", ""),
    # Addresses
    Fault("db1: ip address del {db1}/24 dev eth0", "web1 db1", "address-missing db1"),
    Fault("web2: ip address del {web2}/64 dev eth0", "web1 web2", "address-missing web2", 6),
    Fault("gw: ip address del 10.10.0.1/24 dev eth0.10", "web1 db1", "address-missing gw"),
    Fault(
        "web1: ip address del {web1}/24 dev eth0 && web1: ip address add {web1}/8 dev eth0 && "
        f"web1: {ADD} default via 10.10.0.1",
        "web1 db1",
        "wrong-prefix-length web1",
    ),
    Fault(
        "db1: ip address del {db1}/24 dev eth0 && db1: ip address add {db1}/8 dev eth0 && "
        f"db1: {ADD} default via 10.20.0.1",
        "web1 db1",
        "wrong-prefix-length db1",
    ),
    Fault(
        "web1: ip address del {web1}/24 dev eth0 && web1: ip address add {web1}/32 dev eth0",
        "web1 web2",
        "wrong-prefix-length web1",
    ),
    Fault("db1: ip address add {web1}/32 dev lo", "web1 db1", "duplicate-address db1"),
    Fault("web2: ip address add {web1}/32 dev eth0", "web1 web2", "duplicate-address web2"),
    # Links
    Fault("web1: ip link set eth0 down", "web1 web2", "link-down web1"),
    Fault("web1: ip link set eth0 down", "web1 db1", "link-down web1"),
    Fault("db1: ip link set eth0 down", "web1 db1", "link-down db1"),
    Fault("db1: ip link set eth0 down", "web1 db1", "link-down db1", 6),
    Fault("gw: ip link set eth0.20 down", "web1 db1", "link-down gw"),
    Fault("web1: ip link set lo down", "web1 db1", ""),
    Fault("web1: ip link set lo down", "web1 db1", "", 6),
    Fault("web1: ip link set eth0 mtu 1300", "web1 web2", "mtu-too-small web1", 4, 1400),
    Fault("gw: ip link set eth0.20 mtu 1300", "web1 db1", "packet-too-big gw", 4, 1400),
    Fault("gw: ip link set eth0.20 mtu 1300", "web1 db1", "packet-too-big gw", 6, 1400),
    Fault("gw: ip link set eth0.20 mtu 1300", "web1 db1", "", 4, 1300),
    # Neighbours
    Fault(
        "web1: ip neigh replace {web2} lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
        "web1 web2",
        "wrong-static-neighbour web1",
    ),
    Fault(
        "web1: ip neigh replace {web2} lladdr 02:00:00:00:00:99 dev eth0 nud reachable",
        "web1 web2",
        "stale-neighbour web1",
    ),
    Fault(
        "web1: ip neigh replace {web2} lladdr 02:00:00:00:00:99 dev eth0 nud stale",
        "web1 web2",
        "stale-neighbour web1",
    ),
    Fault(
        "web1: ip neigh replace {web2} lladdr 02:00:00:00:00:99 dev eth0 nud failed",
        "web1 web2",
        "",
    ),
    Fault("web2: sysctl -qw net.ipv4.conf.all.arp_ignore=8", "web1 web2", "arp-ignored web2"),
    Fault("web2: sysctl -qw net.ipv4.conf.eth0.arp_ignore=2", "web1 web2", ""),
    Fault("web2: sysctl -qw net.ipv4.conf.all.arp_filter=1", "web1 web2", ""),
    Fault("web2: ip link set eth0 arp off", "web1 web2", "arp-off web2"),
    Fault("web1: ip link set eth0 arp off", "web1 web2", "arp-off web1"),
    # Settings
    Fault("gw: sysctl -qw net.ipv4.ip_forward=0", "web1 db1", "forwarding-off gw"),
    Fault("gw: sysctl -qw net.ipv4.ip_forward=0", "web1 db1", "", 6),
    Fault("gw: sysctl -qw net.ipv6.conf.all.forwarding=0", "web1 db1", "forwarding-off gw", 6),
    Fault("gw: sysctl -qw net/ipv4/conf/eth0.10/forwarding=0", "web1 db1", "forwarding-off gw"),
    Fault("gw: sysctl -qw net/ipv6/conf/eth0.10/forwarding=0", "web1 db1", "", 6),
    Fault("db1: sysctl -qw net.ipv4.icmp_echo_ignore_all=1", "web1 db1", "echo-ignored db1"),
    Fault("db1: sysctl -qw net.ipv6.icmp.echo_ignore_all=1", "web1 db1", "echo-ignored db1", 6),
    Fault("db1: sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1", "web1 db1", "ipv6-disabled db1", 6),
    Fault("web1: sysctl -qw net.ipv6.conf.all.disable_ipv6=1", "web1 db1", "ipv6-disabled web1", 6),
    Fault("gw: sysctl -qw net.ipv4.conf.all.rp_filter=1", "web1 db1", ""),
    Fault(
        f"gw: sysctl -qw net.ipv4.conf.all.rp_filter=1 && gw: {ADD} {{web1}}/32 via {{db1}}",
        "web1 db1",
        "reverse-path-filter gw",
    ),
    Fault(
        f"gw: sysctl -qw net.ipv4.conf.all.rp_filter=2 && gw: {ADD} {{web1}}/32 via {{db1}}",
        "db1 web1",
        "wrong-route gw",
    ),
    Fault(
        f"gw: sysctl -qw net.ipv4.conf.all.rp_filter=2 && gw: {ADD} blackhole {{web1}}/32",
        "web1 db1",
        "reverse-path-filter gw",
    ),
    # More of each
    Fault(
        "web1: ip address del {web1}/24 dev eth0 && web1: ip address add {web1}/8 dev eth0 && "
        "gw: sysctl -qw net/ipv4/conf/eth0.10/proxy_arp=1",
        "web1 db1",
        "",
    ),
    Fault(f"db1: {ADD} unreachable {{web1}}/32", "web1 db1", "unreachable-route db1"),
    Fault("db1: ip route replace default via 10.20.0.99", "web1 db1", "wrong-gateway db1"),
    Fault(
        "gw: ip rule del priority 32766 && gw: ip rule add from 9.9.9.9 lookup 7",
        "web1 db1",
        "policy-rule gw",
    ),
    Fault("gw: ip rule add iif eth0.10 unreachable", "web1 db1", "policy-rule gw"),
    Fault("gw: ip rule add iif eth0.20 unreachable", "web1 db1", "policy-rule gw"),
    Fault("gw: ip link set eth0.10 down", "web1 db1", "link-down gw"),
    Fault("web1: sysctl -qw net.ipv4.ip_default_ttl=1", "web1 db1", "ttl-expired gw"),
    Fault("web1: sysctl -qw net.ipv4.ip_default_ttl=1", "web1 web2", ""),
    Fault("db1: sysctl -qw net.ipv4.ip_default_ttl=1", "web1 db1", "ttl-expired gw"),
    Fault("db1: sysctl -qw net.ipv6.conf.eth0.hop_limit=1", "web1 db1", "ttl-expired gw", 6),
    Fault("gw: ip -6 address del fd00:10::1/64 dev eth0.10", "web1 db1", "address-missing gw", 6),
    Fault("web1: ip link set eth0 address 02:00:00:00:00:77", "web1 web2", ""),
)


def test_a_fault_made_by_hand(bench: Bench) -> None:
    """The model says whether packet and reply arrive, as the kernel does, and if not why."""
    topology = load(TOPOLOGIES / "two-hypervisors.yaml")
    verbs.up(topology, bench.root)
    wrong = []
    for fault in FAULTS:
        wrong += _judge(bench, topology.name, fault)
        verbs.up(topology, bench.root)
        _forget(bench, topology.name)
    assert wrong == [], "\n".join(["", *wrong])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_pair_of_a_shipped_lab(name: str, bench: Bench) -> None:
    """Healthy: what the model says arrives does, what it says does not, does not."""
    topology = load(TOPOLOGIES / f"{name}.yaml")
    verbs.up(topology, bench.root)
    nodes = {it.netns for it in compile_topology(topology).addresses}
    names = sorted(nodes - {it.name for it in topology.hypervisors})
    wrong = []
    for source, destination in permutations(names, 2):
        for version in (4, 6):
            tables = verbs.snapshot(topology.name, bench.root).tables
            assert tables.suspects == frozenset()
            try:
                ends = choose_endpoints(tables.state, source, destination, version=version)
            except UsageError:
                continue
            request = ProbeRequest(endpoints=ends)
            walks = _predict(tables, request)
            outcome = _probe(bench, topology.name, tables.state, request, _passes(walks))
            if (outcome is Outcome.REPLIED) != _passes(walks):
                wrong.append(f"{source} -> {destination}: {outcome}, {_stops(walks)}")
    assert wrong == [], "\n".join(["", *wrong])


def _judge(bench: Bench, name: str, fault: Fault) -> list[str]:
    """What the model says wrongly of a fault."""
    healthy = verbs.snapshot(name, bench.root).tables
    source, destination = fault.ends.split()
    ends = choose_endpoints(healthy.state, source, destination, version=fault.version)
    request = ProbeRequest(endpoints=ends, size=fault.size)
    fields = _addresses(healthy.state, fault.version)
    with Nodes(bench.lab(name)) as nodes:
        for command in _commands(fault.commands, fields):
            node, words = command
            with nodes.enter(node):
                _run(words)
    tables = verbs.snapshot(name, bench.root).tables
    walks = _predict(tables, request)
    outcome = _probe(bench, name, tables.state, request, _passes(walks))
    said = _stops(walks)
    first = said[0] if said else ""
    right = (outcome is Outcome.REPLIED) == _passes(walks) and first == fault.verdict
    right = right and not (outcome is Outcome.LOST_FORWARD and walks[0].passes)
    return [] if right else [f"{fault}: {outcome}, {said}"]


def _predict(tables: Tables, request: ProbeRequest) -> list[Walk]:
    packet = first_packet(request)
    there = walk_flow(tables, request.endpoints.source, packet)
    if not there.arrived or there.link is None:
        return [there]
    return [there, walk_flow(tables, there.link.netns, reply_to(packet, there), answers=there)]


def _passes(walks: list[Walk]) -> bool:
    return all(walk.passes for walk in walks)


def _stops(walks: list[Walk]) -> list[str]:
    """Reasons and namespaces."""
    return [f"{stop.reason.value} {stop.netns}" for walk in walks for stop in walk.stops]


def _probe(
    bench: Bench, name: str, state: State, request: ProbeRequest, wanted: bool
) -> Outcome | None:
    """What became of the packet; None where it could not be sent at all."""
    outcome = None
    ends = request.endpoints
    forward = expected_path(state, ends.source, ends.destination_address)
    back = expected_path(state, ends.destination, ends.source_address)
    for _ in range(TRIES if wanted else 1):
        with Nodes(bench.lab(name)) as nodes:
            try:
                watched = watched_namespaces(state, forward, back)
                seen = run_probe(request, watched, nodes.enter)
            except ProbeError:
                return None
        trace = trace_probe(request, seen, state, forward, back)
        outcome = trace.packets[0].outcome
        if outcome is Outcome.REPLIED:
            break
    return outcome


def _commands(text: str, fields: dict[str, str]) -> list[tuple[str, list[str]]]:
    found = []
    for part in text.split(" && "):
        node, _, command = part.partition(": ")
        for key, value in fields.items():
            command = command.replace("{" + key + "}", value)
        found.append((node, shlex.split(command)))
    return found


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def _addresses(state: State, version: int) -> dict[str, str]:
    return {
        it.netns: str(it.interface.ip) for it in state.addresses if it.interface.version == version
    }


def _forget(bench: Bench, name: str) -> None:
    """Neighbours and path MTUs of before, so that each probe asks anew; ARP is on again."""
    with Nodes(bench.lab(name)) as nodes:
        for node in ("web1", "web2", "db1", "app1", "gw"):
            with nodes.enter(node):
                _run(["ip", "link", "set", "eth0", "arp", "on"])
                _run(["ip", "neigh", "flush", "all"])
                for version in ("-4", "-6"):
                    _run(["ip", version, "route", "flush", "cache"])
