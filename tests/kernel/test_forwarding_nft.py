"""The model of nftables against the kernel: random rules, real packets, the kernel's counters."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from itertools import count
from random import Random

import pytest

from tests.kernel.conftest import Bench, until
from tests.kernel.random_rules import RandomRules, counts
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed, observe
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.nft import evaluate
from vnetlab.trace.forwarding.packet import Packet

pytestmark = pytest.mark.needs("veth", "bridge", "nftables-inet", "nftables-bridge", "conntrack")

LAB = """
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
hypervisors: {hv1: }
vms:
  a: {nics: [{mac: "02:00:00:00:00:01", ipv4: 10.0.0.1, ipv6: "fd00::1"}]}
  b: {nics: [{mac: "02:00:00:00:00:02", ipv4: 10.0.0.2, ipv6: "fd00::2"}]}
"""
_PORTS = count(20000)
_IP_TTL, _IP_TOS, _IPV6_UNICAST_HOPS = socket.IP_TTL, socket.IP_TOS, socket.IPV6_UNICAST_HOPS


@pytest.fixture
def nodes(bench: Bench, in_node: Callable[..., str]) -> Iterator[Nodes]:
    """Two VMs on one hypervisor, which need not ask for each other's MAC address."""
    bench.up(LAB)
    for node, other in (("a", "2"), ("b", "1")):
        for address in (f"10.0.0.{other}", f"fd00::{other}"):
            entry = (address, "lladdr", f"02:00:00:00:00:0{other}", "dev", "eth0")
            in_node(node, "ip", "neigh", "replace", *entry, "nud", "permanent")
    with Nodes(bench.lab()) as nodes:
        yield nodes


def packet(random: Random, version: int, protocol: int) -> Packet:
    """A packet from a to b that opens a new connection."""
    ends = ("10.0.0.1", "10.0.0.2") if version == 4 else ("fd00::1", "fd00::2")
    ported = protocol in (6, 17)
    header = 20 if version == 4 else 40
    return Packet(
        source_mac="02:00:00:00:00:01",
        destination_mac="02:00:00:00:00:02",
        source=ip_address(ends[0]),
        destination=ip_address(ends[1]),
        protocol=protocol,
        source_port=next(_PORTS) if ported else None,
        destination_port=random.choice([53, 80, 443, 7000]) if ported else None,
        icmp_type={1: 8, 58: 128}.get(protocol),
        ttl=random.choice([16, 64]),
        dscp=random.choice([0, 8]) if version == 4 else 0,
        length=header + (20 if protocol == 6 else 8 + random.choice([4, 40])),
    )


def send(bench: Bench, sent: Packet) -> None:
    """Send it."""
    with entered(bench.lab().namespace("a")):
        family = socket.AF_INET if sent.version == 4 else socket.AF_INET6
        kind = socket.SOCK_DGRAM if sent.protocol == 17 else socket.SOCK_RAW
        out = socket.socket(family, kind, sent.protocol)
    header = 20 if sent.version == 4 else 40
    payload = bytes(sent.length - header - 8)
    with out:
        if sent.version == 4:
            out.setsockopt(socket.IPPROTO_IP, _IP_TTL, sent.ttl)
            out.setsockopt(socket.IPPROTO_IP, _IP_TOS, sent.dscp << 2)
        else:
            out.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS, sent.ttl)
        if sent.protocol == 17:
            out.bind((str(sent.source), sent.source_port or 0))
            out.sendto(payload, (str(sent.destination), sent.destination_port or 0))
        elif sent.protocol == 6:
            out.sendto(syn(sent), (str(sent.destination), 0))
        else:
            echo = struct.pack("!BBHHH", sent.icmp_type or 0, 0, 0, next(_PORTS), 1) + payload
            if sent.version == 4:
                echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
            out.sendto(echo, (str(sent.destination), 0))


def syn(sent: Packet) -> bytes:
    """A TCP segment that opens a connection, with its checksum (RFC 9293)."""
    ports = (sent.source_port or 0, sent.destination_port or 0)
    segment = struct.pack("!HHIIBBHHH", *ports, 1, 0, 0x50, 2, 1000, 0, 0)
    pseudo = sent.source.packed + sent.destination.packed + struct.pack("!II", len(segment), 6)
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def checksum(octets: bytes) -> int:
    """The checksum of RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def deciding(
    observed: Observed,
    netns: str,
    family: str,
    hooks: dict[str, tuple[str | None, str | None]],
    sent: Packet,
) -> tuple[list[str], list[str]] | None:
    """The rules that decide until the packet is stopped, and all that the model says.

    None where a rule asks for what the model does not know, such as a checksum.
    """
    tables = Tables(state=observed.state)
    said: list[str] = []
    rows: list[str] = []
    for point, (iif, oif) in hooks.items():
        ruling = evaluate(tables, netns, family, point, sent, iif=iif, oif=oif)
        if ruling.unmodelled:
            return None
        for step in ruling.steps:
            said.append(f"{point}: {step.row}{' STOPS' if step.finding else ''}")
            rows += re.findall(r"rule \d+ '(r\d+)'", step.row)
            if step.finding:
                return rows, said
        sent = ruling.packet
    return rows, said


def port(observed: Observed, vm: str) -> str:
    """The port of a VM at its vSwitch."""
    return next(
        it.peer.name
        for it in observed.state.links
        if (it.netns, it.name) == (vm, "eth0") and it.peer is not None
    )


@pytest.mark.parametrize(
    "where",
    ["guest", pytest.param("vswitch", marks=pytest.mark.needs("bridge-conntrack"))],
)
def test_the_model_agrees_with_the_kernel(
    bench: Bench, nodes: Nodes, in_node: Callable[..., str], where: str
) -> None:
    """Exactly the rules that the model says decide have counted the packet."""
    observed = observe(nodes)
    ports = port(observed, "a"), port(observed, "b")
    guest = where == "guest"
    netns, family = ("b", "inet") if guest else ("hv1", "bridge")
    priorities = {"prerouting": [-300, -150], "input" if guest else "forward": [0, 10]}
    hooks: dict[str, tuple[str | None, str | None]] = {
        "prerouting": ("eth0" if guest else ports[0], None)
    }
    hooks |= {"input": ("eth0", None)} if guest else {"forward": ports}
    if not guest:
        in_node("b", "ip", "address", "flush", "dev", "eth0")  # so that it does not answer
    channel = nodes.netfilter(netns)
    assert channel is not None
    stopped = compared = 0
    for seed in range(60):
        random = Random(seed)
        RandomRules(random, netns, family, priorities).install(channel)
        observed = observe(nodes)
        for version, protocol in ((4, 17), (4, 1), (4, 6), (6, 17), (6, 58)):
            sent = packet(random, version, protocol)
            over_ip = "ip" if version == 4 else "ip6"
            decided = deciding(observed, netns, over_ip if guest else "bridge", hooks, sent)
            if decided is not None:
                expected, said = decided
                told = [f"seed {seed}: {sent}", *said]
                compare(bench, channel, sent, foreseen(observed, expected), told)
                compared += 1
                stopped += said[-1].endswith("STOPS")
    assert compared > 150
    assert 50 < stopped < compared - 30


def compare(
    bench: Bench, channel: Channel, sent: Packet, wanted: dict[str, int], told: list[str]
) -> None:
    """Send the packet: the rules count it as foreseen."""
    before = counts(channel)
    send(bench, sent)

    def counted() -> dict[str, int]:
        now = counts(channel)
        return {name: now[name] - before[name] for name in wanted}

    until(lambda: counted() == wanted, lambda: "\n".join([*told, f"{wanted}", f"{counted()}"]))


def foreseen(observed: Observed, deciding: list[str]) -> dict[str, int]:
    """How often each rule decides; of those that do so whenever they count.

    That is not one that jumps, asks a map or sets a mark.
    """
    return {
        rule.name: deciding.count(rule.name)
        for chain in observed.state.nft_chains
        for rule in chain.rules
        if rule.name.startswith("r")
        and dict(rule.expressions[-1].values).get("data") in ("accept", "drop", "return")
    }
