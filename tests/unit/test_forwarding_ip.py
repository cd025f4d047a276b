"""The model's IP part over tables made by hand: what stops a packet, and what next to it does not.

The lab: hosts a and c and the router r are on a switch, host b is behind r.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import IPv6Address, ip_address, ip_interface

import pytest
from msgspec.structs import replace

from tests.unit.routed_tables import (
    address,
    link_id,
    mac_of,
    route,
    rule,
    switch,
    tables,
    veth,
)
from vnetlab.state.nft_rules import destination_nat
from vnetlab.state.nft_rules import rule as nft_rule
from vnetlab.state.nftables import NftChain, NftHook
from vnetlab.state.objects import Link, Object, RouteKind
from vnetlab.state.routing import Neighbour
from vnetlab.state.tables import (
    Carrier,
    LearnedEntry,
    Listener,
    NeighbourEntry,
    NeighbourState,
    Tables,
)
from vnetlab.trace.forwarding.ip import reply_to, walk_flow
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Walk

LINKS: tuple[Object, ...] = (
    *switch("s", "a.eth0", "c.eth0", "r.eth0"),
    *veth("r.eth1", "b.eth0"),
)
ADDRESSES = {
    name: (address(f"{name}.{link}", four), address(f"{name}.{link}", six))
    for name, link, four, six in (
        ("a", "eth0", "10.0.0.2/24", "fd00::2/64"),
        ("c", "eth0", "10.0.0.3/24", "fd00::3/64"),
        ("r", "eth0", "10.0.0.1/24", "fd00::1/64"),
        ("r1", "eth0", "10.1.0.1/24", "fd01::1/64"),
        ("b", "eth0", "10.1.0.2/24", "fd01::2/64"),
    )
}
ADDRESSES["r1"] = (address("r.eth1", "10.1.0.1/24"), address("r.eth1", "fd01::1/64"))
DEFAULTS = {
    "a": (route("a", "0.0.0.0/0", "10.0.0.1", "eth0"), route("a", "::/0", "fd00::1", "eth0")),
    "b": (route("b", "0.0.0.0/0", "10.1.0.1", "eth0"), route("b", "::/0", "fd01::1", "eth0")),
}
LAB: tuple[Object, ...] = (
    *LINKS,
    *(it for held in ADDRESSES.values() for it in held),
    *(it for routes in DEFAULTS.values() for it in routes),
)
IPS = {("a", 4): "10.0.0.2", ("b", 4): "10.1.0.2", ("c", 4): "10.0.0.3"}
IPS |= {("a", 6): "fd00::2", ("b", 6): "fd01::2", ("c", 6): "fd00::3"}


def lab(
    *more: Object,
    without: Collection[Object] = (),
    sysctls: Mapping[str, str] | None = None,
    carriers: Mapping[str, Carrier] | None = None,
    suspects: Collection[Object] = (),
    routers: Collection[str] = ("r",),
) -> Tables:
    """The lab with some objects added, others left out."""
    objects = [it for it in LAB if it not in without]
    return tables(
        *objects, *more, sysctls=sysctls, carriers=carriers, suspects=suspects, routers=routers
    )


def changed(old: Object, new: Object, **others: object) -> Tables:
    """The lab with one object in the place of another, both suspects."""
    return lab(new, without=[old], suspects=[old, new], **others)  # type: ignore[arg-type] # as lab has them


def echo(source: str, destination: str, version: int = 4, **fields: object) -> Packet:
    """An echo request between two hosts, or to an address."""
    to = IPS.get((destination, version), destination)
    packet = Packet(
        source_mac="",
        destination_mac="",
        source=ip_address(IPS[source, version]),
        destination=ip_address(to),
        protocol=1 if version == 4 else 58,
        icmp_type=8 if version == 4 else 128,
        dont_fragment=True,
    )
    return replace(packet, **fields)


def forward(of: Tables, source: str, destination: str, version: int = 4, **fields: object) -> Walk:
    """The walk of an echo request."""
    return walk_flow(of, source, echo(source, destination, version, **fields))


def back(of: Tables, source: str, destination: str, version: int = 4) -> Walk:
    """The walk of the reply."""
    there = forward(of, source, destination, version)
    assert there.link is not None, there
    reply = reply_to(echo(source, destination, version), there)
    return walk_flow(of, there.link.netns, reply, answers=there)


def told(walk: Walk) -> list[tuple[Reason, str, str | None]]:
    """Reasons and places."""
    return [(it.reason, *it.place) for it in walk.stops]


def only(walk: Walk) -> Finding:
    """The only thing that stops the packet."""
    assert len(walk.stops) == 1, walk.stops
    return walk.stops[0]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("ends", [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")])
def test_a_lab_without_faults(ends: tuple[str, str], version: int) -> None:
    """Everybody gets there and back; the router takes one from the TTL."""
    if "c" in ends:
        assert forward(lab(), *ends, version).packet.ttl == 64
    else:
        assert forward(lab(), *ends, version).packet.ttl == 63
    for walk in (forward(lab(), *ends, version), back(lab(), *ends, version)):
        assert walk.passes, walk
        assert walk.findings == ()
        assert walk.unmodelled == ()


def test_the_steps_of_a_walk() -> None:
    """Each lookup with its row, and each passage that a tap sees."""
    walk = forward(lab(), "a", "b")
    of_packet = [it for it in walk.steps if it.packet.target is None]
    assert [it.row for it in of_packet if it.direction is None and it.netns in "arb"] == [
        "default via 10.0.0.1 dev eth0",
        "10.1.0.0/24 dev eth1",
        "local 10.1.0.2 dev eth0",
    ]
    assert [it.passage[0] for it in of_packet if it.passage] == ["a", "s", "s", "r", "r", "b"]


@pytest.mark.parametrize("version", [4, 6])
def test_a_missing_default_route(version: int) -> None:
    """What is near is reached still."""
    gone = DEFAULTS["a"][version // 6]
    of = lab(without=[gone], suspects=[gone])
    found = only(forward(of, "a", "b", version))
    assert (found.reason, found.netns, found.item) == (Reason.NO_DEFAULT_ROUTE, "a", gone)
    assert forward(of, "a", "c", version).passes
    assert told(forward(lab(without=[gone]), "a", "b", version)) == [
        (Reason.NO_DEFAULT_ROUTE, "a", None)
    ]
    assert told(back(of, "b", "a", version)) == [(Reason.NO_DEFAULT_ROUTE, "a", "eth0")]


def test_a_missing_route_beside_a_default_route() -> None:
    """The router has no route to where a default route leads elsewhere."""
    away = route("r", "10.9.0.0/16", "10.1.0.2", "eth1")
    of = lab(suspects=[away])
    assert told(forward(of, "a", "10.9.0.1"))[0] == (Reason.NO_ROUTE, "r", "eth1")


@pytest.mark.parametrize("kind", [RouteKind.BLACKHOLE, RouteKind.UNREACHABLE, RouteKind.PROHIBIT])
def test_a_route_that_refuses(kind: RouteKind) -> None:
    """One to another network does no harm."""
    bad = route("r", "10.1.0.2/32", kind=kind)
    reason = Reason(f"{kind.name.lower()}-route")
    for of in (lab(bad), lab(bad, suspects=[bad])):
        found = only(forward(of, "a", "b"))
        assert (found.reason, found.netns, found.item) == (reason, "r", bad)
    assert forward(lab(route("r", "10.1.0.128/25", kind=kind)), "a", "b").passes


def test_a_gateway_that_nobody_is() -> None:
    """The route is wrong, told with or without knowing the right one."""
    right, wrong = DEFAULTS["a"][0], route("a", "0.0.0.0/0", "10.0.0.9", "eth0")
    for of in (changed(right, wrong), lab(wrong, without=[right])):
        found = only(forward(of, "a", "b"))
        assert (found.reason, found.netns, found.item) == (Reason.WRONG_GATEWAY, "a", wrong)
    assert forward(changed(right, wrong), "a", "c").passes


def test_a_gateway_that_forwards_nothing() -> None:
    """Another host as the gateway: the route is wrong, not that host."""
    right, wrong = DEFAULTS["a"][0], route("a", "0.0.0.0/0", "10.0.0.3", "eth0")
    for of in (changed(right, wrong), lab(wrong, without=[right])):
        found = forward(of, "a", "b").stops[0]
        assert (found.reason, found.netns, found.item) == (Reason.WRONG_GATEWAY, "a", wrong)
    assert forward(changed(right, wrong, routers=["r", "c"]), "a", "c").passes


def test_a_more_special_route_that_leads_astray() -> None:
    """It hides the right one; beside another destination it does no harm."""
    wrong = route("r", "10.1.0.2/32", "10.0.0.3", "eth0")
    found = forward(lab(wrong, suspects=[wrong]), "a", "b").stops[0]
    assert (found.reason, found.netns, found.item) == (Reason.WRONG_ROUTE, "r", wrong)
    other = route("r", "10.1.0.9/32", "10.0.0.3", "eth0")
    assert forward(lab(other, suspects=[other]), "a", "b").passes


def test_a_prefix_that_is_too_long() -> None:
    """What is a neighbour is sent to the gateway, and gets there; without one it does not."""
    right, wrong = ADDRESSES["a"][0], address("a.eth0", "10.0.0.2/32")
    of = lab(wrong, without=[right, DEFAULTS["a"][0]], suspects=[right, wrong, DEFAULTS["a"][0]])
    found = forward(of, "a", "c").stops[0]
    assert (found.reason, found.item) == (Reason.WRONG_PREFIX_LENGTH, wrong)


def test_a_prefix_that_is_too_short() -> None:
    """Who is behind the router is asked for on the wire, in vain."""
    right, wrong = ADDRESSES["a"][0], address("a.eth0", "10.0.0.2/8")
    for of in (changed(right, wrong), lab(wrong, without=[right])):
        found = only(forward(of, "a", "b"))
        assert (found.reason, found.item) == (Reason.WRONG_PREFIX_LENGTH, wrong)
        assert forward(of, "a", "c").passes
    by_proxy = lab(wrong, without=[right], sysctls={"r:net/ipv4/conf/eth0/proxy_arp": "1"})
    assert forward(by_proxy, "a", "b").passes
    learned = NeighbourEntry(
        netns="a",
        link="eth0",
        address=ip_address("10.1.0.2"),
        mac=mac_of("r.eth0"),
        state=NeighbourState.REACHABLE,
    )
    assert forward(replace(by_proxy, neighbours=(learned,)), "a", "b").passes


@pytest.mark.parametrize("version", [4, 6])
def test_an_address_that_is_missing(version: int) -> None:
    """At the destination, and at the source."""
    gone = ADDRESSES["c"][version // 6]
    of = lab(without=[gone], suspects=[gone])
    found = forward(of, "a", "c", version).stops[0]
    assert (found.reason, found.netns, found.item) == (Reason.ADDRESS_MISSING, "c", gone)
    found = forward(of, "c", "a", version).stops[0]
    assert (found.reason, found.netns, found.item) == (Reason.ADDRESS_MISSING, "c", gone)
    assert forward(of, "a", "b", version).passes
    assert told(forward(lab(without=[gone]), "a", "c", version)) == [
        (Reason.ADDRESS_MISSING, "a", "eth0")
    ]


def test_an_address_that_two_nodes_hold() -> None:
    """Who answers first is not known; the one that is not meant to is in the way."""
    twin = address("r.eth0", "10.0.0.3/24")
    found = only(forward(lab(twin, suspects=[twin]), "a", "c"))
    assert (found.reason, found.netns, found.item) == (Reason.DUPLICATE_ADDRESS, "r", twin)
    far = address("b.eth0", "10.0.0.3/24")
    assert forward(lab(far, suspects=[far]), "a", "c").passes


@pytest.mark.parametrize("kind", ["tentative", "duplicates"])
def test_an_address_of_ipv6_that_is_not_ready(kind: str) -> None:
    """Nobody answers for it."""
    at = (link_id("c.eth0"), ip_address("fd00::3"))
    of = replace(lab(), **{kind: frozenset({at})})
    reason = Reason.ADDRESS_TENTATIVE if kind == "tentative" else Reason.DUPLICATE_ADDRESS
    assert told(forward(of, "a", "c", 6)) == [(reason, "c", "eth0")]
    assert forward(of, "a", "c", 4).passes
    assert told(forward(of, "c", "a", 6))[0] == (reason, "c", "eth0")


def test_policy_rules() -> None:
    """One that leads a host's packets to a table where they end, and one for other hosts."""
    to_c = route("r", "0.0.0.0/0", "10.0.0.3", "eth0", table=7)
    bad = rule("r", 10, table=7, source=ip_interface("10.0.0.2/32").network)
    found = forward(lab(bad, to_c, suspects=[bad, to_c]), "a", "b").stops[0]
    assert (found.reason, found.netns, found.item) == (Reason.POLICY_RULE, "r", bad)
    refusing = rule("r", 10, action="unreachable", source=ip_interface("10.0.0.2/32").network)
    for of in (lab(refusing), lab(refusing, suspects=[refusing])):
        found = only(forward(of, "a", "b"))
        assert (found.reason, found.item) == (Reason.POLICY_RULE, refusing)
    other = rule("r", 10, action="unreachable", source=ip_interface("10.0.0.9/32").network)
    assert forward(lab(other), "a", "b").passes


def static(mac: str) -> Neighbour:
    """A fixed neighbour of host a: host c."""
    return Neighbour(netns="a", link="eth0", address=ip_address("10.0.0.3"), mac=mac)


def test_a_static_neighbour() -> None:
    """With another MAC address than the node's the packet goes astray."""
    right = static(mac_of("c.eth0"))
    assert forward(lab(right), "a", "c").passes
    assert all(it.packet.target is None for it in forward(lab(right), "a", "c").steps)
    wrong = static("02:00:00:00:00:99")
    found = only(forward(lab(wrong), "a", "c"))
    assert (found.reason, found.netns, found.item) == (Reason.WRONG_STATIC_NEIGHBOUR, "a", wrong)


@pytest.mark.parametrize("state", NeighbourState)
def test_an_entry_of_the_cache(state: NeighbourState) -> None:
    """One that is used and wrong stops the packet; one that is not used, or right, does not."""
    entry = NeighbourEntry(
        netns="a", link="eth0", address=ip_address("10.0.0.3"), mac=mac_of("c.eth0"), state=state
    )
    assert forward(replace(lab(), neighbours=(entry,)), "a", "c").passes
    wrong = replace(entry, mac="02:00:00:00:00:99")
    walk = forward(replace(lab(), neighbours=(wrong,)), "a", "c")
    if state in (NeighbourState.FAILED, NeighbourState.INCOMPLETE):
        assert walk.passes
    else:
        fixed = state in (NeighbourState.PERMANENT, NeighbourState.NOARP)
        reason = Reason.WRONG_STATIC_NEIGHBOUR if fixed else Reason.STALE_NEIGHBOUR
        assert told(walk) == [(reason, "a", "eth0")]


@pytest.mark.parametrize(
    ("key", "value", "passes"),
    [
        ("c:net/ipv4/conf/eth0/arp_ignore", "1", True),
        ("c:net/ipv4/conf/eth0/arp_ignore", "2", True),
        ("c:net/ipv4/conf/eth0/arp_ignore", "8", False),
        ("c:net/ipv4/conf/all/arp_ignore", "8", False),
        ("c:net/ipv4/conf/all/arp_filter", "1", True),
        ("a:net/ipv4/conf/all/arp_ignore", "1", True),
    ],
)
def test_arp_settings(key: str, value: str, passes: bool) -> None:
    """The largest of a link's setting and that of all counts."""
    walk = forward(lab(sysctls={key: value}), "a", "c")
    assert walk.passes == passes
    if not passes:
        assert told(walk) == [(Reason.ARP_IGNORED, "c", "eth0")]
        assert forward(lab(sysctls={key: value}), "a", "c", 6).passes


def test_an_address_on_another_link_answers() -> None:
    """Of IPv4 any link does, unless `arp_ignore` is 1; of IPv6 only the one that holds it."""
    four, six = address("r.eth1", "10.0.0.7/32"), address("r.eth1", "fd00::7/128")
    assert forward(lab(four), "a", "10.0.0.7").passes
    ignoring = lab(four, sysctls={"r:net/ipv4/conf/all/arp_ignore": "1"})
    assert told(forward(ignoring, "a", "10.0.0.7"))[0][:2] == (Reason.ARP_IGNORED, "r")
    assert not forward(lab(six), "a", "fd00::7", 6).passes


@pytest.mark.parametrize("name", ["a.eth0", "c.eth0"])
def test_a_link_without_arp(name: str) -> None:
    """`ip link set eth0 arp off`, at either end; a fixed neighbour helps the one that asks."""
    of = replace(lab(), noarp=frozenset({link_id(name)}))
    assert told(forward(of, "a", "c"))[0] == (Reason.ARP_OFF, *name.split("."))
    assert forward(of, "b", "10.1.0.1").passes


@pytest.mark.parametrize("version", [4, 6])
def test_forwarding(version: int) -> None:
    """A router that forwards nothing is one for nobody; for itself it is."""
    of = lab(routers=())
    family = "net/ipv4/ip_forward" if version == 4 else "net/ipv6/conf/all/forwarding"
    setting = replace(of, suspects=frozenset())
    found = only(forward(setting, "a", "b", version))
    assert found.reason is Reason.WRONG_GATEWAY
    off = lab(sysctls={f"r:{family}": "0"})
    found = only(forward(off, "a", "b", version))
    assert (found.reason, found.netns) == (Reason.FORWARDING_OFF, "r")
    assert found.item is not None
    assert found.item.id == ("r", family)
    assert forward(off, "a", "c", version).passes


def test_forwarding_of_one_link() -> None:
    """Of the link that the packet comes in by, in IPv4."""
    off = lab(sysctls={"r:net/ipv4/conf/eth0/forwarding": "0"})
    found = only(forward(off, "a", "b"))
    assert found.item is not None
    assert found.item.id == ("r", "net/ipv4/conf/eth0/forwarding")
    assert forward(off, "b", "a").passes


@pytest.mark.parametrize(("value", "scope", "passes"), [("1", "eth0", False), ("2", "all", True)])
def test_a_reverse_path_filter(value: str, scope: str, passes: bool) -> None:
    """The way back is by another link: strict it stops the packet, loose it does not."""
    elsewhere = route("r", "10.0.0.2/32", "10.1.0.2", "eth1")
    of = lab(elsewhere, sysctls={f"r:net/ipv4/conf/{scope}/rp_filter": value})
    assert forward(of, "a", "b").passes == passes
    if not passes:
        assert told(forward(of, "a", "b"))[0] == (Reason.REVERSE_PATH_FILTER, "r", "eth0")
    assert forward(lab(sysctls={f"r:net/ipv4/conf/{scope}/rp_filter": value}), "a", "b").passes


def test_no_way_back_in_a_loose_reverse_path_filter() -> None:
    """A source that no route leads to is none, even loose."""
    foreign = address("a.eth0", "192.168.5.5/32")
    for value, passes in (("0", True), ("2", False)):
        of = lab(foreign, sysctls={"r:net/ipv4/conf/all/rp_filter": value})
        walk = walk_flow(of, "a", replace(echo("a", "b"), source=ip_address("192.168.5.5")))
        assert walk.passes == passes


def test_an_own_address_as_the_source() -> None:
    """The receiver holds the sender's address: it takes the packet for a martian."""
    twin = address("b.eth0", "10.0.0.2/32")
    found = only(forward(lab(twin, suspects=[twin]), "a", "b"))
    assert (found.reason, found.netns, found.item) == (Reason.DUPLICATE_ADDRESS, "b", twin)
    of = lab(twin, sysctls={"b:net/ipv4/conf/eth0/accept_local": "1"})
    assert forward(of, "a", "b").passes


@pytest.mark.parametrize(("ttl", "passes"), [(1, False), (2, True)])
@pytest.mark.parametrize("version", [4, 6])
def test_ttl(ttl: int, passes: bool, version: int) -> None:
    """A router gives a packet with a TTL of 1 up; its neighbour does not."""
    walk = forward(lab(), "a", "b", version, ttl=ttl)
    assert walk.passes == passes
    if not passes:
        assert told(walk) == [(Reason.TTL_EXPIRED, "r", "eth0")]
    assert forward(lab(), "a", "c", version, ttl=1).passes


def test_a_default_ttl_that_is_too_small() -> None:
    """The sender's setting is why the router gives its packets up."""
    of = lab(sysctls={"a:net/ipv4/ip_default_ttl": "1"})
    found = only(forward(of, "a", "b"))
    assert (found.reason, found.netns) == (Reason.TTL_EXPIRED, "r")
    assert found.item is not None
    assert found.item.id == ("a", "net/ipv4/ip_default_ttl")
    assert forward(of, "a", "c").passes
    of = lab(sysctls={"a:net/ipv6/conf/eth0/hop_limit": "1"})
    assert told(forward(of, "a", "b", 6)) == [(Reason.TTL_EXPIRED, "r", "eth0")]


def mtu(of: Tables, name: str, size: int) -> Tables:
    """With another MTU on a link."""
    links = {replace(link, mtu=size) if str(link.id) == name else link for link in of.state.links}
    return replace(of, state=replace(of.state, links=frozenset(links)))


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_that_is_too_big(version: int) -> None:
    """For the link that a router sends it by; one byte less, or in pieces, it fits."""
    of = mtu(lab(), "r.eth1", 1300)
    found = forward(of, "a", "b", version, length=1301).stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.PACKET_TOO_BIG, "r", "eth1")
    assert isinstance(found.item, Link)
    assert forward(of, "a", "b", version, length=1300).passes
    cut = forward(of, "a", "b", version, length=1301, dont_fragment=False)
    assert cut.passes == (version == 4)


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_that_its_sender_cuts(version: int) -> None:
    """A socket sends what is too big for the link in pieces; the reply is too big for it, too."""
    of = mtu(lab(), "a.eth0", 1300)
    there = forward(of, "a", "b", version, length=1305)
    assert there.passes
    assert there.packet.length == 1300
    reply = reply_to(echo("a", "b", version, length=1305), there)
    assert told(walk_flow(of, "b", reply, answers=there)) == [(Reason.MTU_TOO_SMALL, "a", "eth0")]


def test_a_routing_loop() -> None:
    """Two routers that send a packet to each other; the wrong one of their routes is told."""
    away = route("c", "10.5.0.0/16", "10.0.0.1", "eth0")
    there = route("r", "10.5.0.0/16", "10.0.0.3", "eth0")
    of = lab(away, there, routers=["r", "c"], suspects=[away])
    found = forward(of, "a", "10.5.0.1").stops[-1]
    assert (found.reason, found.item) == (Reason.ROUTING_LOOP, away)


def test_ipv6_that_is_off() -> None:
    """Its addresses are gone with it."""
    gone = ADDRESSES["c"][1]
    key = "c:net/ipv6/conf/eth0/disable_ipv6"
    of = lab(without=[gone], suspects=[gone], sysctls={key: "1"})
    for walk in (forward(of, "a", "c", 6), forward(of, "c", "a", 6)):
        assert walk.stops[0].reason is Reason.IPV6_DISABLED
        assert walk.stops[0].netns == "c"
    assert forward(of, "a", "c", 4).passes


def test_echo_that_is_ignored() -> None:
    """Of one family alone, and no other protocol."""
    of = lab(sysctls={"c:net/ipv4/icmp_echo_ignore_all": "1"})
    assert told(forward(of, "a", "c")) == [(Reason.ECHO_IGNORED, "c", "eth0")]
    assert forward(of, "a", "c", 6).passes
    assert forward(of, "a", "c", protocol=17, icmp_type=None, destination_port=7).passes


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        (None, Reason.NO_LISTENER),
        (("udp", 53, None, 4), None),
        (("udp", 53, None, 6), None),
        (("udp", 53, None, 6, "eth0"), None),
        (("udp", 53, None, 6, "eth9"), Reason.NO_LISTENER),
        (("udp", 53, "10.0.0.3", 4), None),
        (("udp", 53, "127.0.0.1", 4), Reason.WRONG_BIND_ADDRESS),
        (("udp", 54, None, 4), Reason.NO_LISTENER),
        (("tcp", 53, None, 4), Reason.NO_LISTENER),
    ],
)
def test_listeners(listener: tuple[str | int | None, ...] | None, reason: Reason | None) -> None:
    """A socket of the protocol, at the port, for the address or for any."""
    of = lab()
    if listener:
        protocol, port, at, version, *bound = listener
        of = replace(
            of,
            listeners=(
                Listener(
                    netns="c",
                    protocol=str(protocol),
                    port=int(port or 0),
                    address=ip_address(at) if at else None,
                    version=int(version or 0),
                    both_versions=version == 6,
                    link=str(bound[0]) if bound else None,
                ),
            ),
        )
    packet = echo("a", "c", protocol=17, icmp_type=None, source_port=4000, destination_port=53)
    walk = walk_flow(of, "a", packet, answered_by_probe=False)
    assert [it.reason for it in walk.stops] == ([reason] if reason else [])
    assert walk_flow(of, "a", packet).passes


def test_a_link_that_is_down() -> None:
    """The route over it is gone with it, which is not what is wrong."""
    down = replace(
        next(it for it in LINKS if isinstance(it, Link) and str(it.id) == "a.eth0"), up=False
    )
    gone = DEFAULTS["a"][0]
    old = next(it for it in LINKS if isinstance(it, Link) and it.id == down.id)
    of = lab(
        down,
        without=[old, gone],
        suspects=[down, gone],
        carriers={"a.eth0": Carrier.DOWN},
    )
    found = forward(of, "a", "b").stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.LINK_DOWN, "a", "eth0")


def test_martian_sources() -> None:
    """An address of the loopback network, unless route_localnet lets it in."""
    own = address("a.eth0", "127.0.0.5/32")
    packet = replace(echo("a", "b"), source=ip_address("127.0.0.5"))
    assert [it.reason for it in walk_flow(lab(own), "a", packet).stops][:1] == [
        Reason.MARTIAN_SOURCE
    ]


def test_two_faults_at_once() -> None:
    """Both are told, in the order of the path."""
    right, wrong = DEFAULTS["a"][0], route("a", "0.0.0.0/0", "10.0.0.9", "eth0")
    of = changed(right, wrong, sysctls={"b:net/ipv4/icmp_echo_ignore_all": "1"})
    assert told(forward(of, "a", "b")) == [
        (Reason.WRONG_GATEWAY, "a", "eth0"),
        (Reason.ECHO_IGNORED, "b", "eth0"),
    ]


def test_link_local_neighbours() -> None:
    """A gateway of IPv6 is often a link-local address."""
    gateway = ip_interface("fe80::1/64")
    by_it = route("a", "::/0", "fe80::1", "eth0")
    of = lab(by_it, without=[DEFAULTS["a"][1]])
    assert not forward(of, "a", "b", 6).passes
    local = ((link_id("r.eth0"), gateway),)
    of = replace(of, link_locals=local)
    assert isinstance(gateway.ip, IPv6Address)
    assert forward(of, "a", "b", 6).passes


def test_a_bridge_learns_where_the_question_came_from() -> None:
    """A wrong entry for the sender stops no answer; one for the receiver stops the packet."""
    near, far = mac_of("a.eth0"), mac_of("r.eth0")
    assert {near, far} <= {it.mac for it in lab().state.links}
    wrong = LearnedEntry(netns="s", link="c-eth0", mac=near)
    of = replace(lab(), learned=(wrong,))
    assert forward(of, "a", "b").passes
    assert back(of, "a", "b").passes
    of = replace(lab(), learned=(replace(wrong, mac=far),))
    assert told(forward(of, "a", "b"))[0] == (Reason.WRONG_LEARNED_FDB_ENTRY, "s", "c-eth0")


@pytest.mark.parametrize(
    ("address", "wrong"), [(bytes((203, 0, 113, 77)), True), (bytes((10, 1, 0, 2)), False)]
)
def test_a_translation_that_leads_astray(address: bytes, wrong: bool) -> None:
    """One that is not in the file, to an address that nobody holds."""
    hook = NftHook(kind="nat", point="prerouting", priority=0)
    rules = (nft_rule("", destination_nat(2, address, None)),)
    chain = NftChain(netns="r", family="ip", table="t", name="c", rules=rules, hook=hook)
    walk = forward(lab(chain, suspects=[chain]), "a", "b")
    assert [(it.reason, it.item) for it in walk.stops] == ([(Reason.WRONG_NAT, chain)] * wrong)
    meant = forward(lab(chain), "a", "b")
    assert Reason.WRONG_NAT not in [it.reason for it in meant.stops]
