"""The model of bonds, tunnels, filters and qdiscs: what stops or harms a frame there."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from tests.unit.forwarding_tables import (
    MAC_A,
    MAC_B,
    MAC_C,
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
    setting,
    walk,
)
from vnetlab.state.filters import EGRESS, ETH_P_8021Q, ETH_P_ALL, INGRESS, Action, Filter, action
from vnetlab.state.objects import BridgeVlan, Kind, Qdisc
from vnetlab.state.overlays import ANY_MAC, FdbEntry, Vxlan
from vnetlab.state.shaping import CERTAIN, ROOT
from vnetlab.state.switching import Bond, BondMode
from vnetlab.state.tables import Carrier, LearnedEntry, QueueClass
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.l2 import cross
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Walk, WalkStep
from vnetlab.trace.sighting import Direction

UNICAST = packet(protocol=6, source_port=1024, destination_port=80)


def _qdisc(name: str, kind: str, **options: int) -> Change:
    where = at(name)
    return having(
        Qdisc(
            netns=where.netns,
            link=where.name,
            handle=0x1_0000,
            parent=ROOT,
            kind=kind,
            options=tuple(sorted(options.items())),
        )
    )


def _filter(
    name: str,
    *actions: Action,
    hook: int = INGRESS,
    priority: int = 1,
    protocol: int = ETH_P_ALL,
    kind: str = "flower",
    words: dict[str, str] | None = None,
    **matches: str,
) -> Change:
    where = at(name)
    return having(
        Filter(
            netns=where.netns,
            link=where.name,
            parent=hook,
            priority=priority,
            protocol=protocol,
            kind=kind,
            matches=tuple(sorted((matches | (words or {})).items())),
            actions=actions,
        )
    )


def _police(burst_bytes: int) -> Action:
    return action(
        "police",
        rate_bit_s=8_000_000_000,
        burst_ns=burst_bytes,
        largest_bytes=0xFFFF,
        conform="pass",
        exceed="drop",
    )


DROP, PASS = action("gact", then="drop"), action("gact", then="pass")
CONTINUE = action("gact", then="continue")
REDIRECT = action("mirred", mode="redirect_to", link="h1", then="stolen")
MIRROR = action("mirred", mode="mirror_to", link="h1", then="pipe")
BUCKET = {"rate_bit_s": 8_000_000_000, "burst_ns": 98, "limit_bytes": 98}


def _u32(words: dict[str, str]) -> Change:
    return _filter("hv1.p1", DROP, kind="u32", protocol=0x0800, words=words)


def _classes(*, chosen: str | None, default: int) -> Change:
    """An htb with two classes, a queue in the first that holds nothing, and a filter of TCP."""
    root = Qdisc(
        netns="hv1",
        link="up",
        handle=0x1_0000,
        parent=ROOT,
        kind="htb",
        options=(("default_class", default),),
    )
    queue = Qdisc(
        netns="hv1",
        link="up",
        handle=0x2_0000,
        parent=0x1_0001,
        kind="pfifo",
        options=(("limit_packets", 0),),
    )
    of_tcp = Filter(
        netns="hv1",
        link="up",
        parent=0x1_0000,
        priority=1,
        protocol=ETH_P_8021Q,
        kind="u32",
        matches=(("at 8", "00060000/00ff0000"), ("class", chosen or "")),
        actions=(),
    )
    classes = tuple(
        QueueClass(netns="hv1", link="up", handle=it, parent=0x1_0000, kind="htb")
        for it in (0x1_0001, 0x1_0002)
    )
    return all_of(having(root, queue), known(filters=(of_tcp,) if chosen else (), classes=classes))


CASES: dict[str, tuple[Reason, str, Change, Change]] = {
    "a filter drops what comes in": (
        *(Reason.FILTER_DROP, "tor.h1"),
        _filter("tor.h1", DROP, destination=MAC_B),
        _filter("tor.h1", DROP, destination=MAC_C),
    ),
    "a filter of unicast drops": (
        *(Reason.FILTER_DROP, "tor.h1"),
        _filter("tor.h1", DROP, destination="00:00:00:00:00:00/01:00:00:00:00:00"),
        _filter("tor.h1", DROP, destination="01:00:00:00:00:00/01:00:00:00:00:00"),
    ),
    "a filter of a VLAN drops what goes out": (
        *(Reason.FILTER_DROP, "hv1.up"),
        _filter("hv1.up", DROP, hook=EGRESS, protocol=ETH_P_8021Q, vlan="10"),
        _filter("hv1.up", DROP, hook=EGRESS, protocol=ETH_P_8021Q, vlan="20"),
    ),
    "a filter of all tagged frames drops": (
        *(Reason.FILTER_DROP, "tor.h1"),
        _filter("tor.h1", DROP, kind="matchall", protocol=ETH_P_8021Q),
        _filter("tor.h1", DROP, kind="matchall", protocol=0x0800),
    ),
    "a second filter drops what the first lets go on": (
        *(Reason.FILTER_DROP, "tor.h1"),
        all_of(_filter("tor.h1", CONTINUE), _filter("tor.h1", DROP, priority=2)),
        all_of(_filter("tor.h1", PASS), _filter("tor.h1", DROP, priority=2)),
    ),
    "a filter redirects": (
        *(Reason.FILTER_REDIRECT, "tor.h1"),
        _filter("tor.h1", REDIRECT),
        _filter("tor.h1", MIRROR),
    ),
    "a frame larger than the burst is policed": (
        *(Reason.POLICED, "tor.h1"),
        _filter("tor.h1", _police(97)),
        _filter("tor.h1", _police(98)),
    ),
    "a filter of an address and a port drops": (
        *(Reason.FILTER_DROP, "hv1.p1"),
        _u32({"at 16": "0a000002/ffffffff", "at 20": "00000050/0000ffff"}),
        _u32({"at 16": "0a000002/ffffffff", "at 20": "00000051/0000ffff"}),
    ),
    "a filter of a protocol drops": (
        *(Reason.FILTER_DROP, "hv1.p1"),
        _u32({"at 8": "00060000/00ff0000"}),
        _u32({"at 8": "00110000/00ff0000"}),
    ),
    "a queue of no packets": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _qdisc("hv1.up", "pfifo", limit_packets=0),
        _qdisc("hv1.up", "pfifo", limit_packets=1),
    ),
    "a queue of few bytes": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _qdisc("hv1.up", "bfifo", limit_bytes=97),
        _qdisc("hv1.up", "bfifo", limit_bytes=98),
    ),
    "the queue of a class that a filter chooses": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _classes(chosen="1:1", default=2),
        _classes(chosen="1:2", default=1),
    ),
    "the queue of the class for the rest": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _classes(chosen=None, default=1),
        _classes(chosen=None, default=0),
    ),
    "a frame larger than the bucket": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _qdisc("hv1.up", "tbf", **BUCKET | {"burst_ns": 97}),
        _qdisc("hv1.up", "tbf", **BUCKET),
    ),
    "a frame larger than the queue": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _qdisc("hv1.up", "tbf", **BUCKET | {"limit_bytes": 97}),
        _qdisc("hv1.up", "tbf", **BUCKET),
    ),
    "a queue for no packet": (
        *(Reason.QUEUE_LIMIT, "hv1.up"),
        _qdisc("hv1.up", "netem", limit_packets=0),
        _qdisc("hv1.up", "netem", limit_packets=1),
    ),
    "everything is lost": (
        *(Reason.LOSS, "hv1.up"),
        _qdisc("hv1.up", "netem", loss_u32=CERTAIN),
        _qdisc("hv1.up", "netem", loss_u32=CERTAIN // 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_stops_the_frame(name: str) -> None:
    """It is the one finding, at its link, and the walk goes on."""
    reason, place, breaks, _ = CASES[name]
    found = walk(breaks(network()), UNICAST)
    assert [(it.reason, f"{it.netns}.{it.link}") for it in found.stops] == [(reason, place)]
    assert found.arrived
    assert not found.unmodelled


@pytest.mark.parametrize("name", CASES)
def test_it_does_not_stop_the_frame(name: str) -> None:
    """What is near it lets the frame pass."""
    found = walk(CASES[name][3](network()), UNICAST)
    assert found.passes, found.stops


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("delay_ns", Reason.DELAY),
        ("loss_u32", Reason.LOSS),
        ("corruption_u32", Reason.CORRUPTION),
        ("duplication_u32", Reason.DUPLICATION),
        ("reordering_u32", Reason.REORDERING),
    ],
)
def test_what_netem_does_harms(option: str, reason: Reason) -> None:
    """And stops nothing."""
    found = walk(_qdisc("hv1.up", "netem", **{option: 1_000_000})(network()), UNICAST)
    assert [(it.reason, it.harms) for it in found.findings] == [(reason, True)]
    assert found.passes


def test_limits_harm() -> None:
    """A rate, and a policer: what is sent alone gets through."""
    limited = all_of(_qdisc("hv1.up", "tbf", **BUCKET), _filter("tor.h1", _police(98)))
    found = walk(limited(network()), UNICAST)
    assert [it.reason for it in found.findings] == [Reason.RATE_LIMIT, Reason.POLICED]
    assert found.passes


def test_what_the_model_does_not_know_is_said() -> None:
    """Filters and qdiscs of other kinds."""
    unknown = all_of(
        _filter("tor.h1", DROP, kind="u32", words={"at 4": "00010000/00010000"}),
        _filter("tor.h1", action("skbedit"), priority=2),
        _qdisc("hv1.up", "sfb"),
    )
    found = walk(unknown(network()), UNICAST)
    assert found.passes
    assert len(found.unmodelled) == 3


def test_a_tag_that_filters_take_off_and_put_on() -> None:
    """The frame is in another VLAN then."""
    pop, push = (
        action("vlan", mode="pop", then="pipe"),
        action("vlan", mode="push", vid=10, then="pipe"),
    )
    assert walk(_filter("tor.h1", pop, push)(network()), UNICAST).passes
    stops = walk(_filter("tor.h1", pop)(network()), UNICAST).stops
    assert [it.reason for it in stops] == [Reason.NATIVE_VLAN_MISMATCH]


def _bonded(mode: BondMode) -> Change:
    """hv1.up becomes a bond of hv1.e1 and hv1.e2, tor.h1 one of tor.p1 and tor.p2."""
    return all_of(
        having(
            link("hv1.up", Kind.BOND, master="vs", bond=Bond(mode=mode)),
            link("tor.h1", Kind.BOND, master="sw", bond=Bond(mode=mode)),
            *cable(
                link("hv1.e1", master="up", in_bond=True), link("tor.p1", master="h1", in_bond=True)
            ),
            *cable(
                link("hv1.e2", master="up", in_bond=True), link("tor.p2", master="h1", in_bond=True)
            ),
        )
    )


def _active(hv1: set[str], tor: set[str]) -> Change:
    return known(active_slaves={at("hv1.up"): frozenset(hv1), at("tor.h1"): frozenset(tor)})


def _passages(found: Walk) -> list[str]:
    return [f"{it.netns}.{it.link} {it.direction.value}" for it in found.steps if it.direction]


def test_a_bond_sends_by_its_active_slave() -> None:
    """Taps see the frame on the bond and the slave, and on slave and bond at the other end."""
    bonded = all_of(_bonded(BondMode.ACTIVE_BACKUP), _active({"e2"}, {"p2"}))(network())
    found = walk(bonded, UNICAST)
    assert found.passes
    assert _passages(found)[2:6] == ["hv1.up out", "hv1.e2 out", "tor.p2 in", "tor.h1 in"]


def test_a_backup_takes_nothing_in() -> None:
    """The other end sends by the wrong cable; with all_slaves_active that does not matter."""
    crossed = all_of(_bonded(BondMode.ACTIVE_BACKUP), _active({"e2"}, {"p1"}))(network())
    assert [it.reason for it in walk(crossed, UNICAST).stops] == [Reason.BACKUP_SLAVE]
    takes = Bond(mode=BondMode.ACTIVE_BACKUP, all_slaves_active=True)
    assert walk(setting("tor.h1", bond=takes)(crossed), UNICAST).passes


def test_a_bond_without_an_active_slave() -> None:
    """Up all the same, they are told; down, each of them would have to be up."""
    idle = all_of(_bonded(BondMode.LACP), _active(set(), {"p1", "p2"}))(network())
    assert [it.reason for it in walk(idle, UNICAST).stops] == [Reason.NO_ACTIVE_SLAVE]
    down = all_of(setting("hv1.e1", up=False), setting("hv1.e2", up=False))(idle)
    assert [it.reason for it in walk(down, UNICAST).stops] == [Reason.LINK_DOWN]
    empty = having(link("hv1.up", Kind.BOND, master="vs", bond=Bond(mode=BondMode.LACP)))
    (stop,) = walk(empty(network()), UNICAST).stops
    assert stop.reason is Reason.NO_ACTIVE_SLAVE


def test_a_bond_that_balances_takes_any_way() -> None:
    """By the cable that carries the frame, if one does not."""
    bonded = _bonded(BondMode.BALANCE_XOR)(network())
    assert walk(bonded, UNICAST).passes
    one_way = setting("tor.p1", up=False)(bonded)
    found = walk(one_way, UNICAST)
    assert found.passes
    assert "hv1.e2 out" in _passages(found)


def _vtep(name: str, address: str, **settings: object) -> tuple[object, ...]:
    vxlan = Vxlan(**{"vni": 100, "local": ip_address(address), "port": 4789} | settings)  # type: ignore[arg-type] # as they are
    where = at(name)
    return (
        link(name, Kind.VXLAN, master="vs", vxlan=vxlan),
        BridgeVlan(netns=where.netns, link=where.name, vid=10, pvid=True, untagged=True),
    )


def _remote(name: str, address: str, mac: str = ANY_MAC, **settings: int) -> FdbEntry:
    where = at(name)
    remote = ip_address(address)
    return FdbEntry(netns=where.netns, link=where.name, mac=mac, remote=remote, **settings)  # type: ignore[arg-type] # as they are


OVERLAY = all_of(
    lacking(*(it for it in network().state.bridge_vlans if it.netns == "tor")),
    lacking(*(it for it in network().state.bridge_vlans if it.link == "up")),
    having(
        *_vtep("hv1.vx", "192.0.2.1"),  # type: ignore[arg-type] # objects
        *_vtep("hv2.vx", "192.0.2.2"),  # type: ignore[arg-type] # objects
        _remote("hv1.vx", "192.0.2.2"),
    ),
)


def _with_vtep(name: str, address: str, **settings: object) -> Change:
    return all_of(OVERLAY, having(*_vtep(name, address, **settings)))  # type: ignore[arg-type] # objects


TUNNELS: dict[str, tuple[Reason, Change, Change]] = {
    "no entry for the other VTEP": (
        Reason.NO_REMOTE_VTEP,
        all_of(OVERLAY, lacking(_remote("hv1.vx", "192.0.2.2"))),
        all_of(
            OVERLAY,
            lacking(_remote("hv1.vx", "192.0.2.2")),
            having(*_vtep("hv1.vx", "192.0.2.1", remote=ip_address("192.0.2.2"))),  # type: ignore[arg-type] # objects
        ),
    ),
    "an entry for the MAC leads elsewhere": (
        Reason.WRONG_REMOTE_VTEP,
        all_of(OVERLAY, having(_remote("hv1.vx", "192.0.2.3", MAC_B))),
        all_of(OVERLAY, having(_remote("hv1.vx", "192.0.2.3", MAC_C))),
    ),
    "another VNI": (
        Reason.VNI_MISMATCH,
        _with_vtep("hv2.vx", "192.0.2.2", vni=101),
        all_of(
            OVERLAY,
            having(*_vtep("hv2.vx", "192.0.2.2", vni=101)),  # type: ignore[arg-type] # objects
            lacking(_remote("hv1.vx", "192.0.2.2")),
            having(_remote("hv1.vx", "192.0.2.2", vni=101)),
        ),
    ),
    "another port": (
        Reason.VXLAN_PORT_MISMATCH,
        _with_vtep("hv2.vx", "192.0.2.2", port=8472),
        OVERLAY,
    ),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels(name: str) -> None:
    """What stops a frame there, and what near it does not."""
    reason, breaks, nearby = TUNNELS[name]
    found = walk(breaks(network()), UNICAST)
    assert [it.reason for it in found.stops] == [reason]
    assert found.arrived
    assert walk(nearby(network()), UNICAST).passes


def test_a_vtep_sends_to_the_one_that_it_learned() -> None:
    """A MAC that was learned behind another VTEP does not get there."""
    learned = LearnedEntry(netns="hv1", link="vx", mac=MAC_B, remote=ip_address("192.0.2.3"))
    tables = all_of(OVERLAY, known(learned=(learned,)))(network())
    assert [it.reason for it in walk(tables, UNICAST).stops] == [Reason.WRONG_REMOTE_VTEP]
    assert walk(tables, broadcast()).passes


def test_the_underlay_carries_the_outer_packet() -> None:
    """Its steps and findings are those of the frame; its length counts the headers."""
    tables = OVERLAY(network())
    asked: list[tuple[str, Packet]] = []

    def underlay(netns: str, outer: Packet) -> Walk:
        asked.append((netns, outer))
        step = WalkStep(netns=netns, link="tun0", packet=outer, direction=Direction.OUT)
        return Walk(steps=(step,), arrived=True, packet=outer)

    found = cross(
        tables,
        at("a.eth0"),
        UNICAST,
        [at("b.eth0")],
        index=build_index(tables),
        underlay=underlay,
    )
    assert found.passes
    assert "hv1.tun0 out" in _passages(found)
    (netns, outer) = asked[0]
    assert (netns, str(outer.destination), outer.protocol, outer.destination_port) == (
        *("hv1", "192.0.2.2", 17, 4789),
    )
    assert outer.length == 84 + 14 + 8 + 8 + 20


def test_an_mtu_within_the_tunnel_counts_the_inner_packet() -> None:
    """That of the VTEP's link, at the bridge that sends to it."""
    tables = all_of(OVERLAY, setting("hv1.vx", mtu=1450))(network())
    assert [it.reason for it in walk(tables, packet(length=1500)).stops] == [Reason.MTU_TOO_SMALL]
    assert walk(tables, packet(length=1450)).passes


def test_a_link_that_has_no_carrier_sends_nothing() -> None:
    """A slave without a carrier is not one that a bond sends by."""
    bonded = _bonded(BondMode.BALANCE_RR)(network())
    dark = replace(bonded, carriers={at("hv1.e1"): Carrier.NO_CARRIER})
    assert "hv1.e2 out" in _passages(walk(dark, packet(source_mac=MAC_A)))
