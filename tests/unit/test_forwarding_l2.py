"""The model of bridges and links: what stops a frame, and what is near that and does not."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.forwarding_tables import (
    MAC_A,
    MAC_B,
    MAC_C,
    PORTS,
    Change,
    all_of,
    at,
    broadcast,
    cable,
    having,
    known,
    lacking,
    link,
    network,
    packet,
    port,
    setting,
    vlan,
    walk,
)
from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import BridgeVlan, Kind, LinkId
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.switching import BridgeSettings, PortState
from vnetlab.state.tables import Carrier, LearnedEntry, Tables
from vnetlab.topology.load import load
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.l2 import cross, flood_domain
from vnetlab.trace.forwarding.packet import BROADCAST, Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.sighting import Direction

SHIPPED = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))


def _learned(name: str, mac: str = MAC_B, *, local: bool = False) -> LearnedEntry:
    where = at(name)
    return LearnedEntry(netns=where.netns, link=where.name, mac=mac, vlan=10, local=local)


def _static(name: str, mac: str = MAC_B) -> FdbEntry:
    where = at(name)
    return FdbEntry(netns=where.netns, link=where.name, mac=mac, vlan=10)


_BLOCKED = (("state", PortState.BLOCKING.value),)


def _row(name: str, vid: int, *, pvid: bool, untagged: bool) -> BridgeVlan:
    return replace(vlan(name, vid), pvid=pvid, untagged=untagged)


ELSEWHERE = having(
    *cable(link("hv1.p3", master="vs"), link("c.eth0", mac=MAC_C)),
    vlan("hv1.p3", 10, access=True),
)
TWIN = having(
    *cable(link("hv1.p3", master="vs"), link("c.eth0", mac=MAC_B)),
    vlan("hv1.p3", 10, access=True),
)
UNICAST, FLOODED = packet(), broadcast()
BIG = packet(length=1500)

CASES: dict[str, tuple[Reason, str, Packet, Change, Change]] = {
    "the sender's own link is down": (
        *(Reason.LINK_DOWN, "a.eth0", UNICAST),
        setting("a.eth0", up=False),
        all_of(ELSEWHERE, setting("c.eth0", up=False)),
    ),
    "the port that the sender is plugged into is down": (
        *(Reason.LINK_DOWN, "hv1.p1", UNICAST),
        setting("hv1.p1", up=False),
        all_of(ELSEWHERE, setting("hv1.p3", up=False)),
    ),
    "an uplink is down": (
        *(Reason.LINK_DOWN, "tor.h2", UNICAST),
        setting("tor.h2", up=False),
        known(),
    ),
    "no carrier though both ends are up": (
        *(Reason.NO_CARRIER, "hv1.up", UNICAST),
        known(carriers={at("hv1.up"): Carrier.NO_CARRIER}),
        known(carriers={at("hv1.up"): Carrier.UP}),
    ),
    "a port's MTU is less than the packet by more than a tag": (
        *(Reason.MTU_TOO_SMALL, "hv1.up", BIG),
        setting("hv1.up", mtu=1495),
        setting("hv1.up", mtu=1496),
    ),
    "a receiver's MTU is less than the packet by more than a tag": (
        *(Reason.MTU_TOO_SMALL, "tor.h1", BIG),
        setting("tor.h1", mtu=1495),
        setting("tor.h1", mtu=1496),
    ),
    "not plugged in": (
        *(Reason.NOT_PLUGGED_IN, "hv1.up", UNICAST),
        all_of(setting("hv1.up", peer=None), setting("tor.h1", peer=None)),
        known(),
    ),
    "a port that is in no bridge, frames coming in": (
        *(Reason.NOT_IN_BRIDGE, "tor.h1", UNICAST),
        setting("tor.h1", master=None),
        all_of(ELSEWHERE, setting("hv1.p3", master=None)),
    ),
    "a port that is in no bridge, frames going out": (
        *(Reason.NOT_IN_BRIDGE, "hv1.up", UNICAST),
        all_of(setting("hv1.up", master=None), lacking(vlan("hv1.up", 10))),
        known(),
    ),
    "a bridge is down": (
        *(Reason.BRIDGE_DOWN, "tor.sw", UNICAST),
        setting("tor.sw", up=False),
        known(),
    ),
    "a trunk does not carry the VLAN, coming in": (
        *(Reason.VLAN_NOT_ALLOWED, "tor.h1", UNICAST),
        lacking(vlan("tor.h1", 10)),
        having(vlan("tor.h1", 20)),
    ),
    "a trunk does not carry the VLAN, going out": (
        *(Reason.VLAN_NOT_ALLOWED, "hv1.up", UNICAST),
        lacking(vlan("hv1.up", 10)),
        having(vlan("hv1.up", 20)),
    ),
    "an access port without a PVID": (
        *(Reason.NO_PVID, "hv1.p1", UNICAST),
        having(_row("hv1.p1", 10, pvid=False, untagged=True)),
        having(_row("hv1.p1", 10, pvid=True, untagged=False)),
    ),
    "an access port with another PVID": (
        *(Reason.WRONG_PVID, "hv1.p1", UNICAST),
        having(vlan("hv1.p1", 20, access=True), _row("hv1.p1", 10, pvid=False, untagged=True)),
        having(_row("hv1.p1", 20, pvid=False, untagged=True)),
    ),
    "a trunk's native VLAN is another at its other end": (
        *(Reason.NATIVE_VLAN_MISMATCH, "tor.h1", UNICAST),
        having(vlan("hv1.up", 10, access=True), vlan("tor.h1", 1, access=True)),
        having(vlan("hv1.up", 10, access=True), vlan("tor.h1", 10, access=True)),
    ),
    "a port that leaves the tag on": (
        *(Reason.UNEXPECTED_TAG, "b.eth0", UNICAST),
        having(_row("hv2.p2", 10, pvid=True, untagged=False)),
        having(_row("hv2.p2", 10, pvid=False, untagged=True)),
    ),
    "a VLAN of a port is blocked": (
        *(Reason.VLAN_BLOCKED, "tor.h2", UNICAST),
        having(replace(vlan("tor.h2", 10), options=_BLOCKED)),
        having(replace(vlan("tor.h2", 20), options=_BLOCKED)),
    ),
    "a port that the spanning tree blocks": (
        *(Reason.STP_BLOCKING, "tor.h2", UNICAST),
        all_of(
            setting("tor.sw", bridge=BridgeSettings(stp=True)),
            known(port_states={at("tor.h2"): PortState.BLOCKING}),
        ),
        known(port_states={at("tor.h2"): PortState.FORWARDING}),
    ),
    "a port that is learning, coming in": (
        *(Reason.STP_LEARNING, "tor.h1", UNICAST),
        known(port_states={at("tor.h1"): PortState.LEARNING}),
        all_of(ELSEWHERE, known(port_states={at("hv1.p3"): PortState.LEARNING})),
    ),
    "a port that is disabled": (
        *(Reason.PORT_DISABLED, "hv2.p2", UNICAST),
        port("hv2.p2", state=PortState.DISABLED),
        all_of(ELSEWHERE, port("hv1.p3", state=PortState.DISABLED)),
    ),
    "two isolated ports": (
        *(Reason.PORT_ISOLATED, "tor.h2", UNICAST),
        all_of(port("tor.h1", isolated=True), port("tor.h2", isolated=True)),
        port("tor.h2", isolated=True),
    ),
    "a locked port without an entry for the sender": (
        *(Reason.PORT_LOCKED, "hv1.p1", UNICAST),
        port("hv1.p1", locked=True),
        all_of(port("hv1.p1", locked=True), having(_static("hv1.p1", MAC_A))),
    ),
    "unknown unicast is not flooded": (
        *(Reason.UNICAST_FLOOD_OFF, "hv2.p2", UNICAST),
        port("hv2.p2", unicast_flood=False),
        all_of(port("hv2.p2", unicast_flood=False), having(_static("hv2.p2"))),
    ),
    "broadcasts are not flooded": (
        *(Reason.BROADCAST_FLOOD_OFF, "hv2.p2", FLOODED),
        port("hv2.p2", broadcast_flood=False),
        port("hv2.p2", multicast_flood=False, unicast_flood=False),
    ),
    "multicasts are not flooded": (
        *(Reason.MULTICAST_FLOOD_OFF, "hv2.p2", packet(destination_mac="33:33:ff:00:00:02")),
        port("hv2.p2", multicast_flood=False),
        port("hv2.p2", broadcast_flood=False, unicast_flood=False),
    ),
    "a static entry leads elsewhere": (
        *(Reason.WRONG_STATIC_FDB_ENTRY, "hv1.p3", UNICAST),
        all_of(ELSEWHERE, having(_static("hv1.p3"))),
        all_of(ELSEWHERE, having(_static("hv1.up"))),
    ),
    "a static entry leads back": (
        *(Reason.WRONG_STATIC_FDB_ENTRY, "hv1.p1", UNICAST),
        having(_static("hv1.p1")),
        having(replace(_static("hv1.p1"), vlan=20)),
    ),
    "a learned entry leads elsewhere": (
        *(Reason.WRONG_LEARNED_FDB_ENTRY, "hv1.p3", UNICAST),
        all_of(ELSEWHERE, known(learned=(_learned("hv1.p3"),))),
        all_of(ELSEWHERE, known(learned=(_learned("hv1.up"),))),
    ),
    "a bridge takes the MAC for its own": (
        *(Reason.LOCAL_FDB_ENTRY, "hv1.up", UNICAST),
        known(learned=(_learned("hv1.up", local=True),)),
        known(learned=(_learned("hv1.up", MAC_A, local=True),)),
    ),
    "two links with one MAC": (
        *(Reason.DUPLICATE_MAC, "c.eth0", UNICAST),
        all_of(TWIN, known(learned=(_learned("hv1.p3"),))),
        all_of(TWIN, known(learned=(_learned("hv1.up"),))),
    ),
    "a MAC that the receiver has not": (
        *(Reason.WRONG_MAC, "b.eth0", packet(destination_mac=MAC_C)),
        known(),
        setting("b.eth0", mac=MAC_C),
    ),
    "a port that answers ARP itself is not flooded to": (
        *(Reason.NEIGHBOUR_SUPPRESSED, "hv2.p2", FLOODED),
        port("hv2.p2", proxy_arp=True),
        port("hv2.p2", neighbour_suppression=True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_stops_the_frame(name: str) -> None:
    """It is the one finding, at its link; the walk goes on behind it and arrives."""
    reason, place, sent, breaks, _ = CASES[name]
    found = walk(breaks(network()), sent)
    assert [(it.reason, f"{it.netns}.{it.link}") for it in found.stops] == [(reason, place)]
    assert found.arrived
    assert not found.passes
    assert not found.unmodelled


@pytest.mark.parametrize("name", CASES)
def test_it_does_not_stop_the_frame(name: str) -> None:
    """What is near it lets the frame pass."""
    _, _, sent, _, nearby = CASES[name]
    found = walk(nearby(network()), sent)
    assert found.passes, found.stops


def test_passages_are_those_that_taps_see() -> None:
    """OUT and IN of each cable, with the tag as it is there; nothing on the bridges themselves."""
    found = walk(network(), UNICAST)
    seen = [(f"{it.netns}.{it.link}", it.direction, it.packet.vlan) for it in found.steps]
    out, come = Direction.OUT, Direction.IN
    assert [it for it in seen if it[1] is not None] == [
        *[("a.eth0", out, None), ("hv1.p1", come, None)],
        *[("hv1.up", out, 10), ("tor.h1", come, 10)],
        *[("tor.h2", out, 10), ("hv2.up", come, 10)],
        *[("hv2.p2", out, None), ("b.eth0", come, None)],
    ]


def test_several_faults_are_all_found_in_the_order_of_the_path() -> None:
    """Each that would stop the frame on its own."""
    broken = all_of(
        lacking(vlan("hv2.up", 10)), port("hv2.p2", isolated=True), port("hv2.up", isolated=True)
    )(network())
    assert [it.reason for it in walk(broken, UNICAST).stops] == [
        Reason.VLAN_NOT_ALLOWED,
        Reason.PORT_ISOLATED,
    ]


def test_what_is_missing_is_told_as_it_would_have_to_be() -> None:
    """The VLAN that a port lacks is the item of the finding."""
    (stop,) = walk(lacking(vlan("tor.h2", 10))(network()), UNICAST).stops
    assert stop.item == vlan("tor.h2", 10)
    assert stop.row == "bridge vlan show: tor.h2 has no VLAN 10"


def test_of_two_explanations_one_by_a_suspect_is_taken() -> None:
    """A PVID that is known to be wrong is told rather than the VLAN that is not there."""
    tables = all_of(
        lacking(vlan("hv2.p2", 10, access=True)), having(vlan("hv2.p2", 20, access=True))
    )
    broken = tables(network())
    suspect = vlan("hv2.p2", 20, access=True)
    told = walk(replace(broken, suspects=frozenset({(BridgeVlan, suspect.id)})), UNICAST).stops
    assert [(it.reason, it.item) for it in told] == [(Reason.WRONG_PVID, suspect)]
    assert [it.reason for it in walk(broken, UNICAST).stops] == [Reason.VLAN_NOT_ALLOWED]


def test_a_bridge_without_vlan_filtering_ahead_of_one_with_it() -> None:
    """What it sends without a tag has no VLAN at the other; it is to blame if it is suspect."""
    broken = setting("hv1.vs", vlan_filtering=False)(network())
    bridge = next(it for it in broken.state.links if it.id == at("hv1.vs"))
    told = walk(replace(broken, suspects=frozenset({(type(bridge), bridge.id)})), UNICAST).stops
    assert [(it.reason, it.item) for it in told] == [(Reason.VLAN_FILTERING_OFF, bridge)]


def test_sub_interfaces_put_the_tag_on_and_take_it_off() -> None:
    """The frame is seen on both, with the tag on the lower link."""
    tables = all_of(
        having(link("a.eth0.10", Kind.VLAN, MAC_A, parent="eth0", vlan=10)),
        having(vlan("hv1.p1", 10)),
    )(network())
    found = walk(tables, UNICAST, start="a.eth0.10")
    seen = [(str(it.link), it.packet.vlan) for it in found.steps if it.direction is not None]
    assert found.passes
    assert seen[:3] == [("eth0.10", None), ("eth0", 10), ("p1", 10)]
    back = walk(
        tables,
        packet(source_mac=MAC_B, destination_mac=MAC_A),
        start="b.eth0",
        target="a.eth0.10",
    )
    seen = [(str(it.link), it.packet.vlan) for it in back.steps if it.direction is not None]
    assert back.passes
    assert seen[-3:] == [("p1", 10), ("eth0", 10), ("eth0.10", None)]


def test_a_sub_interface_that_is_down_or_of_another_vlan() -> None:
    """The first stops what comes in, the second what goes out."""
    above = link("a.eth0.20", Kind.VLAN, MAC_A, parent="eth0", vlan=20)
    tables = having(above, vlan("hv1.p1", 10))(network())
    suspect = replace(tables, suspects=frozenset({(type(above), above.id)}))
    (stop,) = walk(suspect, UNICAST, start="a.eth0.20").stops
    assert (stop.reason, stop.item) == (Reason.UNEXPECTED_TAG, above)
    down = having(replace(above, vlan=10, up=False))(tables)
    sent = packet(source_mac=MAC_B, destination_mac=MAC_A)
    (stop,) = walk(down, sent, start="b.eth0", target="a.eth0.20").stops
    assert stop.reason is Reason.LINK_DOWN


def test_a_bridge_with_an_address_sends_and_receives() -> None:
    """Its own interface is a port like another, with VLANs of its own."""
    tables = having(vlan("hv1.vs", 10, access=True))(network())
    mac = next(it.mac for it in tables.state.links if it.id == at("hv1.vs"))
    assert walk(tables, packet(source_mac=mac), start="hv1.vs").passes
    sent = packet(source_mac=MAC_B, destination_mac=mac)
    assert walk(tables, sent, start="b.eth0", target="hv1.vs").passes
    (stop,) = walk(network(), sent, start="b.eth0", target="hv1.vs").stops
    assert (stop.reason, stop.item) == (Reason.VLAN_NOT_ALLOWED, vlan("hv1.vs", 10))


def test_a_hairpin_is_needed_for_what_goes_back_where_it_came_from() -> None:
    """Two stacks behind one port: a bridge sends no frame back to the port that it came from."""
    (stop,) = walk(network(), broadcast(), target="a.eth0").stops
    assert stop.reason is Reason.HAIRPIN_OFF
    assert walk(port("hv1.p1", hairpin=True)(network()), broadcast(), target="a.eth0").passes


def test_without_any_way_the_walk_does_not_arrive() -> None:
    """Its steps are those of the farthest way."""
    tables = having(link("z.eth0"))(network())
    found = walk(tables, UNICAST, target="z.eth0")
    assert not found.arrived
    assert found.steps[0].link == "eth0"


def test_the_flood_domain_ends_where_findings_do() -> None:
    """All stacks that get a broadcast."""
    tables = all_of(ELSEWHERE, lacking(vlan("tor.h2", 10)))(network())
    found = flood_domain(tables, at("a.eth0"), UNICAST, index=build_index(tables))
    assert found == {at("c.eth0")}
    whole = ELSEWHERE(network())
    found = flood_domain(whole, at("a.eth0"), UNICAST, index=build_index(whole))
    assert found == {at("b.eth0"), at("c.eth0")}


RING = having(
    *cable(link("hv1.ring", master="vs"), link("hv2.ring", master="vs")),
    vlan("hv1.ring", 10),
    vlan("hv2.ring", 10),
)


def test_a_loop_harms_broadcasts() -> None:
    """Unless a port of it is blocked; unicast that is known goes its way once."""
    found = walk(RING(network()), broadcast())
    assert [(it.reason, it.harms) for it in found.findings] == [(Reason.LOOP, True)]
    assert found.passes
    tree = all_of(RING, known(port_states={at("hv2.ring"): PortState.BLOCKING}))(network())
    assert not walk(tree, broadcast()).findings
    other = all_of(RING, lacking(vlan("hv2.ring", 10)))(network())
    assert not walk(other, broadcast()).findings


def test_every_port_of_the_network_counts() -> None:
    """Whichever port lacks the VLAN, it is that one which is told, in both directions."""
    for name in PORTS:
        broken = lacking(vlan(name, 10, access=name.endswith(("p1", "p2"))))(network())
        back = walk(
            broken,
            packet(source_mac=MAC_B, destination_mac=MAC_A),
            start="b.eth0",
            target="a.eth0",
        )
        for found in (walk(broken, UNICAST), back):
            assert [f"{it.netns}.{it.link}" for it in found.stops] == [name]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_neighbours_of_shipped_topologies_reach_each_other(path: Path) -> None:
    """Neighbour resolution passes unless both are isolated, and the model knows all it meets."""
    state = compile_topology(load(path))
    tables = Tables(state=state)
    index = build_index(tables)
    networks: dict[object, set[LinkId]] = {}
    for it in state.addresses:
        holder = LinkId(netns=it.netns, name=it.link)
        networks.setdefault(it.interface.network, set()).add(holder)
    isolated = {it.peer: it.netns for it in state.links if it.port.isolated}
    for holders in networks.values():
        for one, other in permutations(sorted(holders)[:8], 2):
            macs = index.links[one].mac, index.links[other].mac
            for mac, payload in ((BROADCAST, Payload.WHO_HAS), (macs[1], Payload.IS_AT)):
                sent = packet(source_mac=macs[0], destination_mac=mac, payload=payload)
                found = cross(tables, one, sent, [other], index=index)
                reasons = [it.reason for it in found.stops]
                together = isolated.get(one) == isolated.get(other)
                barred = Reason.PORT_ISOLATED if together else Reason.PORT_SECURITY
                wanted = [barred] if {one, other} <= isolated.keys() else []
                assert (found.arrived, reasons, found.unmodelled) == (True, wanted, ())
