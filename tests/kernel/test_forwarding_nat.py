"""The model's address translation against the kernel's: what a datagram looks like behind it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.kernel.conftest import Bench, until
from tests.kernel.random_rules import Expressions, install, one
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.nft_rules import destination_nat, masquerade, ports, rule
from vnetlab.state.nftables import NftChain, NftHook, NftTable
from vnetlab.state.tables import Tables
from vnetlab.trace.forwarding.nft import evaluate
from vnetlab.trace.forwarding.packet import Packet

pytestmark = pytest.mark.needs(
    *("bridge-vlan-filtering", "802.1q", "nftables-inet", "nftables-nat", "conntrack")
)

LAB = """
networks:
  left: {vlan: 10, ipv4: 10.0.1.0/24}
  right: {vlan: 20, ipv4: 10.0.2.0/24}
vms:
  a: {nics: [{network: left, ipv4: 10.0.1.10}]}
  c: {nics: [{network: right, ipv4: 10.0.2.10}]}
routers: {gw: }
"""
TABLE = NftTable(netns="gw", family="ip", name="random")
TO_C = destination_nat(2, ip_address("10.0.2.10").packed, 7000)
SNAT, BY_PORT = {"type": 0, "family": 2, "reg_addr_min": 1}, {"reg_proto_min": 2}


def loaded(register: int, data: str) -> Expressions:
    """A value in a register."""
    return (one("immediate", dreg=register, data=f"0x{data}"),)


@pytest.fixture
def nodes(bench: Bench) -> Iterator[Nodes]:
    """Two VMs with a router between them."""
    bench.up(LAB)
    with Nodes(bench.lab()) as nodes:
        yield nodes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), ()),
        ((*ports("th dport", [(1000, 1000)]), *TO_C), ()),
        ((*ports("th dport", [(999, 999)]), *TO_C), ()),
        ((), masquerade()),
        (TO_C, masquerade()),
        ((), (*loaded(1, "0a00024d"), one("nat", **SNAT))),
        ((), (*loaded(1, "0a00024d"), *loaded(2, "15b3"), one("nat", **SNAT, **BY_PORT))),
        (
            (),
            (
                *loaded(1, "0a000300"),
                *loaded(2, "0a0003ff"),
                one("nat", **SNAT, reg_addr_max=2, flags=64 | 1),
            ),
        ),
        ((*loaded(1, "1b58"), one("redir", reg_proto_min=1)), ()),
    ],
    ids=["none", "dnat", "other", "masquerade", "both", "snat", "snat-port", "netmap", "redirect"],
)
def test_the_model_translates_as_the_kernel_does(
    bench: Bench, nodes: Nodes, before: Expressions, after: Expressions
) -> None:
    """The datagram comes to the address and port, and from those, that the model says."""
    channel = nodes.netfilter("gw")
    assert channel is not None
    chains = [
        NftChain(
            netns="gw",
            family="ip",
            table=TABLE.name,
            name=point,
            rules=(rule("", of_point),) if of_point else (),
            hook=NftHook(kind="nat", point=point, priority=priority),
        )
        for point, priority, of_point in (("prerouting", -100, before), ("postrouting", 100, after))
    ]
    install(channel, TABLE, chains)
    state = observe(nodes).state
    left, right = (
        next(
            it.link
            for it in state.addresses
            if it.netns == "gw" and str(it.interface).startswith(prefix)
        )
        for prefix in ("10.0.1.", "10.0.2.")
    )
    tables = Tables(state=state)
    sent = Packet(
        source_mac="02:00:00:00:00:01",
        destination_mac="02:00:00:00:00:02",
        source=ip_address("10.0.1.10"),
        destination=ip_address("10.0.2.10"),
        protocol=17,
        source_port=4000,
        destination_port=1000,
    )
    came = evaluate(tables, "gw", "ip", "prerouting", sent, iif=left, oif=None).packet
    held = {it.interface.ip for it in state.addresses if it.netns == "gw"}
    node = "gw" if came.destination in held else "c"
    left_as = came
    if node == "c":
        left_as = evaluate(tables, "gw", "ip", "postrouting", came, iif=left, oif=right).packet
    receives(bench, sent, node, left_as)


def receives(bench: Bench, sent: Packet, node: str, expected: Packet) -> None:
    """A node gets the datagram from the address and port that it is expected from."""
    with entered(bench.lab().namespace(node)):
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with entered(bench.lab().namespace("a")):
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with here, there:
        there.bind((str(expected.destination), expected.destination_port or 0))
        there.settimeout(0.2)
        here.bind((str(sent.source), sent.source_port or 0))
        seen: list[tuple[str, int]] = []

        def arrived() -> bool:
            here.sendto(b"x", (str(sent.destination), sent.destination_port or 0))
            try:
                seen.append(there.recvfrom(100)[1])
            except TimeoutError:
                return False
            return True

        until(arrived, lambda: expected)
        assert seen == [(str(expected.source), expected.source_port)]
