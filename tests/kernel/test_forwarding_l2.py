"""The model of layer 2 and the kernel agree: does a frame arrive, and where was it seen last."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench, until
from vnetlab import lab as verbs
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.kernel.tables import read_tables
from vnetlab.lab import ProbeOptions
from vnetlab.state.objects import LinkId
from vnetlab.state.tables import Carrier, Tables
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.l2 import cross
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import IpAddress, Protocol
from vnetlab.trace.sighting import PacketKind

InNode = Callable[..., str]
Seen = list[tuple[str, str, str, int | None]]

LAB = """\
networks:
  lan: {vlan: 10, ipv4: 10.0.0.0/24, mtu: 9000}
  other: {vlan: 20, ipv4: 10.1.0.0/24, mtu: 9000}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1}}}
  hv2: {pnics: {eno1: {to: tor1}}}
vms:
  a: {on: hv1, nics: [lan]}
  b: {on: hv2, nics: [lan]}
  c: {on: hv1, nics: [lan]}
  d: {on: hv2, nics: [other]}
"""
BYTES = 1400
TOPOLOGIES = Path(__file__).parents[2] / "topologies"
PASSES = None
MAC = "02:00:00:00:77:77"


def acquaint(bench: Bench, in_node: InNode, *nodes: str) -> None:
    """Tell two nodes each other's MAC: what is compared is one packet, not neighbour resolution."""
    addresses = _addresses(bench)
    for here, there in permutations(nodes):
        mac = _mac(in_node, there)
        in_node(here, "ip", "neigh", "replace", f"{addresses[there]}", "lladdr", mac, "dev", "eth0")


def _addresses(bench: Bench) -> dict[str, IpAddress]:
    """The address of each node that has one."""
    return {it.netns: it.interface.ip for it in read(bench).state.addresses}


def read(bench: Bench) -> Tables:
    """The tables of the lab `bench`."""
    with bench.lab().locked(shared=True), Nodes(bench.lab()) as nodes:
        return read_tables(nodes, observe(nodes))


def lights(bench: Bench) -> set[Carrier]:
    """What carriers there are: the kernel notices some of them a while later."""
    return set(read(bench).carriers.values())


def compare(bench: Bench, source: str, destination: str) -> tuple[Walk, Seen]:
    """The model's walk of a packet between the only links of two nodes, and where taps see it."""
    tables = read(bench)
    index = build_index(tables)
    start, target = (LinkId(netns=node, name="eth0") for node in (source, destination))
    addresses = {it.netns: it.interface.ip for it in tables.state.addresses if it.link == "eth0"}
    known = {(it.netns, it.address): it.mac for it in tables.state.neighbours}
    wanted = addresses[destination]
    sent = Packet(
        source_mac=index.links[start].mac,
        destination_mac=known[source, wanted],
        source=addresses[source],
        destination=wanted,
        protocol=17,
        destination_port=4242,
        length=BYTES,
    )
    walk = cross(tables, start, sent, [target], index=index)
    options = ProbeOptions(protocol=Protocol.UDP, port=4242, size=BYTES, version=wanted.version)
    trace = verbs.probe("bench", source, destination, bench.root, options=options)
    seen = [
        (it.netns, it.ifname, it.direction.value, it.vlan)
        for it in trace.observation.sightings
        if it.kind is PacketKind.REQUEST
    ]
    return walk, seen


def _mac(in_node: InNode, node: str) -> str:
    return in_node(node, "ip", "-o", "link", "show", "eth0").split("link/ether ")[1].split()[0]


def agree(walk: Walk, seen: Seen) -> None:
    """The kernel's taps saw the frame wherever the model says, and not behind its first stop."""
    for step in walk.steps:
        if step.finding is not None and not step.finding.harms:
            break
        if step.direction is not None:
            passage = (step.netns, step.link, step.direction.value, step.packet.vlan)
            assert passage in seen, (passage, walk.stops, seen)
    else:
        return
    behind = walk.steps[walk.steps.index(step) :]
    passages = [
        (it.netns, it.link, it.direction.value, it.packet.vlan) for it in behind if it.direction
    ]
    assert not [it for it in seen if it in passages], (walk.stops, seen)


FAULTS: dict[str, tuple[Reason | None, list[str]]] = {
    "nothing": (PASSES, []),
    "a VLAN gone from an uplink": (
        Reason.VLAN_NOT_ALLOWED,
        ["hv1 bridge vlan del dev eno1 vid 10"],
    ),
    "a VLAN gone from a switch's port, in": (
        Reason.VLAN_NOT_ALLOWED,
        ["tor1 bridge vlan del dev hv1.eno1 vid 10"],
    ),
    "a VLAN gone from a switch's port, out": (
        Reason.VLAN_NOT_ALLOWED,
        ["tor1 bridge vlan del dev hv2.eno1 vid 10"],
    ),
    "another VLAN gone": (PASSES, ["tor1 bridge vlan del dev hv2.eno1 vid 20"]),
    "an access port in another VLAN, in": (
        Reason.WRONG_PVID,
        ["hv1 bridge vlan add dev a.eth0 vid 20 pvid untagged"],
    ),
    "an access port without a PVID": (
        Reason.NO_PVID,
        ["hv1 bridge vlan add dev a.eth0 vid 10 untagged"],
    ),
    "an access port in another VLAN, out": (
        PASSES,
        ["hv2 bridge vlan add dev b.eth0 vid 20 pvid untagged"],
    ),
    "a tag left on": (
        Reason.UNEXPECTED_TAG,
        ["hv2 bridge vlan add dev b.eth0 vid 10 pvid"],
    ),
    "the native VLAN of an uplink at one end": (
        Reason.NATIVE_VLAN_MISMATCH,
        ["hv1 bridge vlan add dev eno1 vid 10 untagged"],
    ),
    "the native VLAN of an uplink at both": (
        PASSES,
        [
            "hv1 bridge vlan add dev eno1 vid 10 untagged",
            "tor1 bridge vlan add dev hv1.eno1 vid 10 pvid untagged",
        ],
    ),
    "a switch without VLANs": (PASSES, ["tor1 ip link set br0 type bridge vlan_filtering 0"]),
    "a hypervisor without VLANs": (
        Reason.NO_PVID,
        ["hv1 ip link set vs0 type bridge vlan_filtering 0"],
    ),
    "the MTU of an uplink, a tag's length too small": (PASSES, ["hv1 ip link set eno1 mtu 1396"]),
    "the MTU of an uplink, more than that": (
        Reason.MTU_TOO_SMALL,
        ["hv1 ip link set eno1 mtu 1395"],
    ),
    "the MTU of a switch's port, a tag's length too small": (
        PASSES,
        ["tor1 ip link set hv1.eno1 mtu 1396"],
    ),
    "the MTU of a switch's port, more than that": (
        Reason.MTU_TOO_SMALL,
        ["tor1 ip link set hv1.eno1 mtu 1395"],
    ),
    "the MTU of the receiver": (Reason.MTU_TOO_SMALL, ["b ip link set eth0 mtu 1395"]),
    "the MTU of a bridge": (PASSES, ["hv1 ip link set vs0 mtu 1300"]),
    "the sender's port down": (Reason.LINK_DOWN, ["hv1 ip link set a.eth0 down"]),
    "an uplink down": (Reason.LINK_DOWN, ["hv1 ip link set eno1 down"]),
    "an uplink's other end down": (Reason.LINK_DOWN, ["tor1 ip link set hv1.eno1 down"]),
    "the receiver down": (Reason.LINK_DOWN, ["b ip link set eth0 down"]),
    "a bridge down": (Reason.BRIDGE_DOWN, ["tor1 ip link set br0 down"]),
    "a port in no bridge, in": (Reason.NOT_IN_BRIDGE, ["tor1 ip link set hv1.eno1 nomaster"]),
    "a port in no bridge, out": (Reason.NOT_IN_BRIDGE, ["hv1 ip link set eno1 nomaster"]),
    "a disabled port": (
        Reason.PORT_DISABLED,
        ["tor1 bridge link set dev hv2.eno1 state 0"],
    ),
    "two isolated ports": (
        Reason.PORT_ISOLATED,
        [
            "tor1 bridge link set dev hv1.eno1 isolated on",
            "tor1 bridge link set dev hv2.eno1 isolated on",
        ],
    ),
    "one isolated port": (PASSES, ["tor1 bridge link set dev hv2.eno1 isolated on"]),
    "a locked port": (
        Reason.PORT_LOCKED,
        [
            "hv1 bridge link set dev a.eth0 learning off locked on",
            "hv1 bridge fdb flush dev vs0",
        ],
    ),
    "unknown unicast not flooded": (
        Reason.UNICAST_FLOOD_OFF,
        [
            "hv2 bridge link set dev b.eth0 flood off learning off",
            "hv2 bridge fdb flush dev vs0",
        ],
    ),
    "broadcasts not flooded": (PASSES, ["hv2 bridge link set dev b.eth0 bcast_flood off"]),
    "a static entry that leads elsewhere": (
        Reason.WRONG_STATIC_FDB_ENTRY,
        ["hv1 bridge fdb replace {b} dev c.eth0 master static vlan 10"],
    ),
    "a static entry that leads there": (
        PASSES,
        ["hv1 bridge fdb replace {b} dev eno1 master static vlan 10"],
    ),
    "a static entry in another VLAN": (
        PASSES,
        [
            "hv1 bridge vlan add dev c.eth0 vid 20",
            "hv1 bridge fdb replace {b} dev c.eth0 master static vlan 20",
        ],
    ),
    "another MAC at the receiver": (
        Reason.WRONG_MAC,
        [f"b ip link set eth0 address {MAC}"],
    ),
    "another MAC in the sender's table": (
        Reason.WRONG_MAC,
        [f"a ip neigh replace {{address}} lladdr {MAC} dev eth0"],
    ),
    "a filter that drops, in": (
        Reason.FILTER_DROP,
        [
            "tor1 tc qdisc add dev hv1.eno1 clsact",
            "tor1 tc filter add dev hv1.eno1 ingress prio 1 matchall action drop",
        ],
    ),
    "a filter that drops other frames": (
        PASSES,
        [
            "tor1 tc qdisc add dev hv1.eno1 clsact",
            (
                "tor1 tc filter add dev hv1.eno1 ingress prio 1 protocol all flower"
                f" dst_mac {MAC} action drop"
            ),
        ],
    ),
    "a filter that drops, out": (
        Reason.FILTER_DROP,
        [
            "hv1 tc qdisc add dev eno1 clsact",
            (
                "hv1 tc filter add dev eno1 egress prio 1 protocol 802.1q flower vlan_id 10"
                " action drop"
            ),
        ],
    ),
    "a filter that drops, of a qdisc": (
        Reason.FILTER_DROP,
        [
            "hv1 tc qdisc add dev eno1 root handle 1: prio",
            (
                "hv1 tc filter add dev eno1 parent 1: prio 1 protocol 802.1q u32 match u32 0 0"
                " action drop"
            ),
        ],
    ),
    "a filter that drops what has no tag": (
        PASSES,
        [
            "hv1 tc qdisc add dev eno1 clsact",
            "hv1 tc filter add dev eno1 egress prio 1 protocol ip matchall action drop",
        ],
    ),
    "a filter that polices frames larger than its burst": (
        Reason.POLICED,
        [
            "tor1 tc qdisc add dev hv1.eno1 clsact",
            (
                "tor1 tc filter add dev hv1.eno1 ingress prio 1 protocol all matchall"
                " action police rate 1mbit burst 1000 conform-exceed drop/pipe"
            ),
        ],
    ),
    "a filter that polices": (
        PASSES,
        [
            "tor1 tc qdisc add dev hv1.eno1 clsact",
            (
                "tor1 tc filter add dev hv1.eno1 ingress prio 1 protocol all matchall"
                " action police rate 1mbit burst 10000 conform-exceed drop/pipe"
            ),
        ],
    ),
    "a filter that redirects": (
        Reason.FILTER_REDIRECT,
        [
            "tor1 tc qdisc add dev hv1.eno1 clsact",
            (
                "tor1 tc filter add dev hv1.eno1 ingress prio 1 protocol all matchall"
                " action mirred egress redirect dev hv1.eno1"
            ),
        ],
    ),
    "a bucket smaller than the frame": (
        Reason.QUEUE_LIMIT,
        ["hv1 tc qdisc add dev eno1 root tbf rate 8mbit burst 1414 limit 1413"],
    ),
    "a bucket as large as the frame": (
        PASSES,
        ["hv1 tc qdisc add dev eno1 root tbf rate 8mbit burst 1420 limit 9000"],
    ),
    "loss of all": (Reason.LOSS, ["hv1 tc qdisc add dev eno1 root netem loss 100%"]),
    "delay": (PASSES, ["hv1 tc qdisc add dev eno1 root netem delay 1ms"]),
}


@pytest.mark.needs("veth", "bridge-vlan-filtering", "netem", "tbf", "flower")
def test_the_model_agrees_with_the_kernel(bench: Bench, in_node: InNode) -> None:
    """One fault after the other: passes or not, why, and where the frame is seen last."""
    wrong = []
    bench.up(LAB)
    for name, (reason, commands) in FAULTS.items():
        acquaint(bench, in_node, "a", "b")
        until(lambda: lights(bench) == {Carrier.UP}, lambda: read(bench).carriers)
        b, address = _mac(in_node, "b"), _addresses(bench)["b"]
        for command in commands:
            node, *words = command.format(b=b, address=address).split()
            in_node(node, *words)
        walk, seen = compare(bench, "a", "b")
        try:
            reasons = [it.reason for it in walk.stops]
            assert reasons == ([] if reason is None else [reason]), walk.stops
            assert not walk.unmodelled
            agree(walk, seen)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
        bench.up(LAB)
    assert not wrong, "\n".join(wrong)


SHIPPED = [
    *[("overlay", "a1", "a2"), ("overlay", "b2", "b1"), ("spanning-tree", "web1", "web2")],
    *[("private-vlan", "alice", "bob"), ("private-vlan", "alice", "carol")],
    *[("private-vlan", "alice", "backup"), ("security-groups", "customer", "web1")],
]


@pytest.mark.needs("veth", "bridge-vlan-filtering", "netem", "tbf", "vxlan", "nftables-bridge")
@pytest.mark.parametrize(("name", "source", "destination"), SHIPPED)
def test_the_model_agrees_in_shipped_labs(
    bench: Bench, in_node: InNode, name: str, source: str, destination: str
) -> None:
    """Overlays, spanning trees, private VLANs and security groups: passes or not, and how far."""
    bench.up((TOPOLOGIES / f"{name}.yaml").read_text())
    acquaint(bench, in_node, source, destination)
    walk, seen = compare(bench, source, destination)
    assert walk.arrived
    assert not walk.unmodelled
    agree(walk, seen)
