"""The tables that are read of a lab are those that ip, bridge, tc and ss print."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import Bench, until
from vnetlab import lab as verbs
from vnetlab.kernel import namespaces
from vnetlab.state.filters import Action
from vnetlab.state.objects import BridgeVlan, LinkId, Sysctl
from vnetlab.state.switching import PortState
from vnetlab.state.tables import Carrier, FibRoute, Listener, NeighbourState, Tables

InNode = Callable[..., str]

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q")

_LAB = """
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/16, ipv6: "fd00:10::/64"}
  db: {vlan: 20, ipv4: 10.20.0.0/16}
physical_switches:
  tor1: {stp: {forward_delay: 2s}}
  tor2: {stp: {forward_delay: 2s}, links: [tor1, tor1]}
hypervisors:
  hv1: {pnics: {eno1: {to: tor1}}}
  hv2: {pnics: {eno1: {to: tor2}}}
vms:
  web1: {on: hv1, nics: [{network: web, ipv4: 10.10.0.9}]}
  web2: {on: hv2, nics: [web]}
  db1: {on: hv2, nics: [db]}
routers:
  gw: {to: tor1}
"""

_BY_HAND = (
    "ip route add 192.0.2.0/24 proto static metric 7 via 10.10.0.1 src 10.10.0.9 mtu 1400",
    "ip ro add 198.18.0.0/15 nexthop via 10.10.0.1 weight 3 nexthop via 10.10.0.2 dev eth0 onlink",
    "ip -6 route add 2001:db8:1::/48 nexthop via fd00:10::1 nexthop via fd00:10::2 weight 2",
    "ip route add 203.0.113.0/24 via inet6 fd00:10::1 dev eth0 table 100",
    "ip route add throw 192.0.2.128/25 table 100",
    "ip route add local 10.99.0.0/24 dev lo",
    "ip neigh add 10.10.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud stale",
    "ip neigh add proxy 10.10.0.88 dev eth0",
    "ip link add quiet type veth peer name far",
    "ip link set quiet arp off",
    "ip link set far up",
    "sysctl -w net.ipv6.conf.far.accept_dad=1",
    "ip -6 addr add fd00:77::1/64 dev far",
    "sysctl -w net.ipv4.conf.eth0.rp_filter=2 net.ipv6.conf.eth0.accept_ra=0",
)


def _json(run: InNode, node: str, *command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(node, *command) or "[]")
    return [item for item in found if item]


def _route_words(route: FibRoute) -> tuple[object, ...]:
    hops = sorted((hop.link or "", str(hop.via or ""), hop.weight) for hop in route.hops)
    text = str(route.destination).removesuffix("/32").removesuffix("/128")
    default = route.destination.prefixlen == 0
    return ("default" if default else text, route.table, route.kind, route.metric, *hops)


def _printed_route(item: dict[str, Any]) -> tuple[object, ...]:
    names = {"main": 254, "local": 255, "default": 253}
    table = str(item.get("table", "main"))
    hops = item.get("nexthops") or ([item] if "dev" in item else [])
    ways = sorted(
        (
            hop.get("dev", ""),
            hop.get("gateway") or hop.get("via", {}).get("host", ""),
            int(hop.get("weight", 1)),
        )
        for hop in hops
    )
    number = names.get(table) or int(table)
    return (item["dst"], number, item.get("type", "unicast"), item.get("metric", 0), *ways)


def _lasting(state: str) -> str:
    """A neighbour's state without what it becomes by itself within seconds."""
    return "REACHABLE" if state in ("DELAY", "PROBE") else state


def _check_node(tables: Tables, node: str, run: InNode) -> None:
    """Compare all that the tools can print of a node."""
    of_node = [route for route in tables.fib if route.netns == node]
    printed = [
        _printed_route(item)
        for version in ("-4", "-6")
        for item in _json(run, node, "ip", "-j", "-d", version, "route", "show", "table", "all")
    ]
    assert sorted(map(repr, map(_route_words, of_node))) == sorted(map(repr, printed))
    neighbours = {
        (it.link, str(it.address), it.mac, _lasting(it.state.value.upper()))
        for it in tables.neighbours
        if it.netns == node and it.state is not NeighbourState.NOARP
    }
    assert neighbours == {
        (it["dev"], it["dst"], it.get("lladdr", ""), _lasting(it["state"][0]))
        for it in _json(run, node, "ip", "-j", "neigh")
    }
    for link in _json(run, node, "ip", "-j", "-d", "link"):
        place = LinkId(netns=node, name=link["ifname"])
        usable = "LOWER_UP" in link["flags"] and link["operstate"] in ("UP", "UNKNOWN")
        expected = Carrier.UP if usable else Carrier.NO_CARRIER
        assert tables.carriers[place] is (expected if "UP" in link["flags"] else Carrier.DOWN)
        assert (place in tables.noarp) == ("NOARP" in link["flags"])
        slave = link.get("linkinfo", {}).get("info_slave_data", {})
        if link.get("linkinfo", {}).get("info_slave_kind") == "bridge":
            assert tables.port_states[place].name.lower() == slave["state"]
    _check_learned(tables, node, run)
    with namespaces.entered(Path(f"/run/netns/bench.{node}")):
        for (netns, key), value in tables.sysctls.items():
            if netns == node:
                assert Path("/proc/sys", key).read_text().split() == [value], key


def _check_learned(tables: Tables, node: str, run: InNode) -> None:
    own = {(it.link, it.mac, it.vlan, it.local) for it in tables.learned if it.netns == node}
    filtering = any(link.vlan_filtering for link in tables.state.links if link.netns == node)
    assert own == {
        (it["ifname"], it["mac"], it.get("vlan"), it["state"] == "permanent")
        for it in _json(run, node, "bridge", "-j", "fdb")
        if "master" in it and it["state"] != "static" and (filtering or "vlan" not in it)
    }


def test_tables_are_what_the_tools_print(bench: Bench, in_node: InNode) -> None:
    """Routes, neighbours, forwarding entries, links and settings of every node, by hand too."""
    bench.up(_LAB)
    for command in _BY_HAND:
        in_node("web1", *command.split())
    verbs.probe("bench", "db1", "web1", bench.root, options=verbs.ProbeOptions())
    tables = verbs.snapshot("bench", bench.root).tables
    for node in bench.lab().nodes():
        _check_node(tables, node, in_node)
    (with_source,) = (it for it in tables.fib if str(it.destination) == "192.0.2.0/24")
    assert (str(with_source.source), with_source.mtu) == ("10.10.0.9", 1400)
    far = LinkId(netns="web1", name="far")
    assert (LinkId(netns="web1", name="eth0"), ip_address("10.10.0.88")) in tables.proxied
    assert (far, ip_address("fd00:77::1")) in tables.tentative


def test_link_locals_and_addresses_that_somebody_else_has(bench: Bench, in_node: InNode) -> None:
    """Duplicate address detection refuses an address that another node has."""
    bench.up(_LAB)
    in_node("web1", "ip", "link", "set", "eth0", "addrgenmode", "eui64")
    in_node("web1", "ip", "-6", "addr", "add", "fe80::1/64", "dev", "eth0", "nodad")
    taken = in_node("web2", "ip", "-6", "-br", "addr", "show", "eth0").split()[2]
    in_node("web1", "sysctl", "-w", "net.ipv6.conf.eth0.accept_dad=1")
    in_node("web1", "ip", "-6", "addr", "add", taken, "dev", "eth0")
    eth0 = LinkId(netns="web1", name="eth0")
    duplicate = (eth0, ip_interface(taken).ip)

    def refused() -> bool:
        return duplicate in verbs.snapshot("bench", bench.root).tables.duplicates

    until(refused, lambda: in_node("web1", "ip", "-6", "addr"))
    tables = verbs.snapshot("bench", bench.root).tables
    assert (eth0, ip_interface("fe80::1/64")) in tables.link_locals
    assert duplicate not in tables.tentative


def test_listeners(bench: Bench) -> None:
    """Sockets that wait, by protocol, address and link; those with a peer do not."""
    bench.up("networks: {n: {ipv4: 10.1.0.0/24}}\nhypervisors: {h: }\nvms: {a: {on: h, nics: [n]}}")
    opened = []
    with namespaces.entered(bench.lab().namespace("a")):
        for family, kind, address, port in (
            (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 7001),
            (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", 7002),
            (socket.AF_INET6, socket.SOCK_STREAM, "::", 7003),
            (socket.AF_INET6, socket.SOCK_DGRAM, "::", 7004),
            (socket.AF_INET6, socket.SOCK_DGRAM, "::ffff:127.0.0.1", 7005),
            (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", 7006),
            (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 7007),
        ):
            opened.append(made := socket.socket(family, kind))
            if port == 7004:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 7006:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            made.bind((address, port))
            if kind == socket.SOCK_STREAM:
                made.listen()
        opened[-1].connect(("127.0.0.1", 9))
    tables = verbs.snapshot("bench", bench.root).tables

    def listener(protocol: str, port: int, address: str | None, **more: Any) -> Listener:
        here = ip_address(address) if address else None
        version = here.version if here else more.pop("version", 4)
        return Listener(
            netns="a", protocol=protocol, port=port, address=here, version=version, **more
        )

    assert set(tables.listeners) == {
        listener("udp", 7001, "127.0.0.1"),
        listener("tcp", 7002, None),
        listener("tcp", 7003, None, version=6, both_versions=True),
        listener("udp", 7004, None, version=6),
        listener("udp", 7005, "127.0.0.1"),
        listener("udp", 7006, None, link="eth0"),
    }
    for made in opened:
        made.close()


def test_suspects_are_what_differs_from_the_topology(bench: Bench, in_node: InNode) -> None:
    """A VLAN that is gone, one that is too many, a setting: and nothing else."""
    bench.up(_LAB)
    assert not verbs.snapshot("bench", bench.root).tables.suspects
    ports = in_node("tor1", "bridge", "-j", "vlan")
    uplink = next(it["ifname"] for it in json.loads(ports) if "hv1" in it["ifname"])
    in_node("tor1", *f"bridge vlan del dev {uplink} vid 10".split())
    in_node("tor1", *f"bridge vlan add dev {uplink} vid 99".split())
    in_node("gw", "sysctl", "-w", "net.ipv4.ip_forward=0")
    suspects = verbs.snapshot("bench", bench.root).tables.suspects
    assert {
        (BridgeVlan, ("tor1", uplink, 10)),
        (BridgeVlan, ("tor1", uplink, 99)),
        (Sysctl, ("gw", "net/ipv4/ip_forward")),
    } <= suspects
    assert {kind for kind, _ in suspects} == {BridgeVlan, Sysctl}


@pytest.mark.needs("bond")
def test_bonds_ports_and_vlans(bench: Bench, in_node: InNode) -> None:
    """The slave in use, a port that a spanning tree blocks, a VLAN's own state."""
    bench.up(Path("topologies/teaming.yaml").read_text())

    def in_use(bond: LinkId) -> frozenset[str]:
        """The slave that the bonding driver names, or all of them."""
        text = in_node(bond.netns, "cat", f"/proc/net/bonding/{bond.name}").splitlines()
        named = [line.split()[-1] for line in text if "Currently Active Slave:" in line]
        return frozenset(named or [line.split()[-1] for line in text if "Slave Interface" in line])

    def slaves() -> dict[LinkId, frozenset[str]]:
        return dict(verbs.snapshot("bench", bench.root).tables.active_slaves)

    bonds = slaves()
    assert bonds
    until(lambda: slaves() == {bond: in_use(bond) for bond in bonds}, slaves)
    bench.down()
    bench.up(_LAB)
    states = verbs.snapshot("bench", bench.root).tables.port_states.values()
    assert PortState.BLOCKING in states
    in_node("hv1", "bridge", "vlan", "set", "dev", "eno1", "vid", "10", "state", "4")
    state = verbs.snapshot("bench", bench.root).tables.state
    (row,) = (it for it in state.bridge_vlans if it.id == ("hv1", "eno1", 10))
    assert row.options == (("state", PortState.BLOCKING.value),)


def _then(action: Action) -> object:
    return dict(action.settings)["then"]


_QUEUES_BY_HAND = (
    "tc qdisc add dev eth0 root handle 1: htb default 20",
    "tc class add dev eth0 parent 1: classid 1:1 htb rate 8mbit ceil 80mbit burst 10000 prio 3",
    "tc class add dev eth0 parent 1: classid 1:20 htb rate 16mbit quantum 4000",
    "tc qdisc add dev eth0 parent 1:20 handle 20: pfifo limit 7",
    "tc filter add dev eth0 parent 1: protocol ip prio 5 u32 match ip dport 80 0xffff flowid 1:1",
    "tc filter add dev eth0 parent 1: protocol ip prio 5 u32 match ip dport 81 0xffff flowid 1:1",
    "tc filter add dev eth0 parent 1: prio 6 matchall classid 1:20",
    "tc qdisc add dev eth0 clsact",
    "tc filter add dev eth0 egress prio 1 matchall action drop",
    "tc filter add dev eth0 ingress prio 2 protocol ip u32 match ip src 10.9.0.0/16 action drop",
    "tc filter add dev eth0 ingress prio 3 flower dst_mac 02:00:00:00:00:01 action pass",
    "tc filter add dev eth0 ingress prio 3 flower dst_mac 02:00:00:00:00:02 action drop",
)


@pytest.mark.needs("clsact", "flower", "gact")
def test_classes_and_filters(bench: Bench, in_node: InNode) -> None:
    """Those of htb, and all filters, each with what it takes and does."""
    bench.up("networks: {n: {ipv4: 10.1.0.0/24}}\nhypervisors: {h: }\nvms: {a: {on: h, nics: [n]}}")
    for command in _QUEUES_BY_HAND:
        in_node("a", *command.split())
    tables = verbs.snapshot("bench", bench.root).tables
    options = {it.handle: dict(it.options) for it in tables.classes}
    assert options.keys() == {0x10001, 0x10020}
    first = options[0x10001]
    assert (first["rate_bit_s"], first["ceil_bit_s"]) == (8 * 10**6, 8 * 10**7)
    assert first["priority"] == 3
    assert round(first["burst_ns"] / 10**7, 3) == 1  # 10000 bytes at a megabyte a second
    assert options[0x10020]["quantum_bytes"] == 4000
    assert {it.leaf for it in tables.classes} == {0, 0x200000}
    kinds = {it.kind: dict(it.options) for it in tables.state.qdiscs}
    assert kinds["pfifo"] == {"limit_packets": 7}
    assert kinds["htb"] == {"default_class": 0x20}
    found = [
        (it.parent & 0xFFFF, it.priority, it.kind, dict(it.matches), [*map(_then, it.actions)])
        for it in tables.filters
    ]
    drops, passes = ["drop"], ["pass"]
    port = {"class": "1:1"}
    assert sorted(map(repr, found)) == sorted(
        map(
            repr,
            [
                (0, 5, "u32", {"at 20": "00000050/0000ffff", **port}, []),
                (0, 5, "u32", {"at 20": "00000051/0000ffff", **port}, []),
                (0, 6, "matchall", {"class": "1:20"}, []),
                (0xFFF3, 1, "matchall", {}, drops),
                (0xFFF2, 2, "u32", {"at 12": "0a090000/ffff0000"}, drops),
                (0xFFF2, 3, "flower", {"destination": "02:00:00:00:00:01"}, passes),
                (0xFFF2, 3, "flower", {"destination": "02:00:00:00:00:02"}, drops),
            ],
        )
    )
