"""VXLAN links, static forwarding entries and VRFs: what is asked of the kernel is what it tells."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from msgspec.structs import replace

from tests.kernel.built import Built, InNode
from tests.kernel.conftest import Bench
from vnetlab.state.guards import with_given_rules
from vnetlab.state.objects import (
    Address,
    Kind,
    Link,
    Namespace,
    Object,
    Role,
    Route,
    RouteKind,
    collect,
)
from vnetlab.state.overlays import ANY_MAC, FdbEntry, Vxlan

pytestmark = pytest.mark.needs("vxlan", "vrf")

FIXED = Link(
    netns="n", name="br0", kind=Kind.BRIDGE, role=Role.VSWITCH, label="n.br0", mac="", mtu=1500
)
BRIDGE = replace(FIXED, mac="02:00:00:00:00:01")
VTEP = replace(
    FIXED,
    name="vtep",
    kind=Kind.VXLAN,
    role=Role.VTEP,
    label="n.vtep",
    mac="02:00:00:00:00:02",
    mtu=1450,
    master="br0",
    vxlan=Vxlan(vni=5001, local=ip_address("10.0.0.1"), port=4789),
)
VRF = replace(
    FIXED, name="red", kind=Kind.VRF, role=Role.VRF, label="n.red", mac="02:00:00:00:00:03", table=9
)
PORT = replace(
    FIXED,
    name="eth0",
    kind=Kind.BRIDGE,
    role=Role.ROUTER_PORT,
    label="n.eth0",
    mac="02:00:00:00:00:04",
    master="red",
)
LAB: tuple[Object, ...] = (
    Namespace(name="n", role=Role.ROUTER),
    *(BRIDGE, VTEP, VRF, PORT),
    *(
        FdbEntry(netns="n", link="vtep", mac=ANY_MAC, remote=ip_address(remote))
        for remote in ("10.0.0.2", "10.0.0.3")
    ),
    *(
        Address(netns="n", link="eth0", interface=ip_interface(text))
        for text in ("10.1.0.1/24", "fd01::1/64")
    ),
    *(
        Route(
            netns="n",
            destination=ip_network(text),
            via=None,
            link=None,
            table=9,
            kind=RouteKind.UNREACHABLE,
            metric=4278198272,
        )
        for text in ("0.0.0.0/0", "::/0")
    ),
    Route(
        netns="n",
        destination=ip_network("10.9.0.0/16"),
        via=ip_address("10.1.0.9"),
        link="eth0",
        table=9,
        metric=5,
    ),
    Route(
        netns="n",
        destination=ip_network("fd09::/64"),
        via=ip_address("fd01::9"),
        link="eth0",
        table=9,
    ),
)


@pytest.fixture
def built(bench: Bench) -> Built:
    """The namespace with all of LAB in it."""
    return Built(bench, *LAB)


def test_all_is_read_back_as_it_was_asked_for(built: Built) -> None:
    """Links, entries and routes of other tables come back as they are desired."""
    assert built.observe() == with_given_rules(collect(LAB))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "bridge fdb append 00:00:00:00:00:00 dev vtep dst 10.0.0.9",
            "- copy of flooded frames from n.vtep to VTEP 10.0.0.9",
        ),
        (
            "bridge fdb append 02:00:00:00:00:99 dev vtep dst 10.0.0.9 port 99 vni 7 via eth0",
            "- copy of frames to 02:00:00:00:00:99 from n.vtep to VTEP 10.0.0.9 VNI 7 port 99",
        ),
        (
            "bridge fdb del 00:00:00:00:00:00 dev vtep dst 10.0.0.3",
            "+ copy of flooded frames from n.vtep to VTEP 10.0.0.3",
        ),
        (
            "bridge fdb add 02:00:00:00:00:99 dev vtep master static",
            "- static forwarding entry 02:00:00:00:00:99 on n.vtep",
        ),
        (
            "bridge fdb add 02:00:00:00:00:99 dev vtep master permanent",
            "- static forwarding entry 02:00:00:00:00:99 on n.vtep",
        ),
        (
            "bridge fdb add 02:00:00:00:00:99 dev br0 self permanent",
            "- static forwarding entry 02:00:00:00:00:99 on n.br0",
        ),
        (
            "ip route add blackhole 10.8.0.0/16 table 77",
            "- blackhole route 10.8.0.0/16 table 77 in n",
        ),
        (
            "ip route del unreachable default table 9 metric 4278198272",
            "+ unreachable route default",
        ),
        ("ip route change 10.9.0.0/16 via 10.1.0.8 table 9 metric 5", "+ route 10.9.0.0/16 via"),
        ("ip link del red", "+ VRF n.red"),
        ("ip link del vtep", "+ VTEP n.vtep"),
        ("ip link set vtep type vxlan ttl 9", "+ VTEP n.vtep"),
        ("ip link set vtep type vxlan ageing 9", "+ VTEP n.vtep"),
        ("ip link set vtep type vxlan remote 10.0.0.9", "+ VTEP n.vtep"),
        ("ip link set vtep nomaster", "~ VTEP n.vtep: bridge none -> br0"),
        ("ip link set eth0 nomaster", "~ router port n.eth0: VRF none -> red"),
    ],
)
def test_what_somebody_did_by_hand_is_told_and_undone(
    built: Built, in_node: InNode, command: str, words: str
) -> None:
    """Each deed shows in words, and one plan repairs it."""
    in_node("n", *command.split())
    done = built.become(*LAB)
    assert any(line.startswith(words) for line in done), done
    built.check(*LAB)


def test_a_link_that_leaves_its_vrf_keeps_its_addresses(built: Built) -> None:
    """The kernel takes its IPv6 addresses; the same plan gives them back."""
    without = [item for item in LAB if not isinstance(item, Route) and item not in (VRF, PORT)]
    free = replace(PORT, master=None)
    built.become(*without, free)
    built.check(*without, free)
    built.become(*LAB)
    built.check(*LAB)
