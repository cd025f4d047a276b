"""The model of nftables: what each shipped policy does with flows, and by which rule."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from vnetlab.state.compile import compile_topology
from vnetlab.state.nft_rules import counter, field, link_name, meta, ports, rule, verdict
from vnetlab.state.nftables import NftChain, NftExpression, NftHook, NftRule, NftSet, NftTable
from vnetlab.state.objects import State
from vnetlab.state.tables import Tables
from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology
from vnetlab.trace.forwarding.nft import Ruling, Verdict, evaluate
from vnetlab.trace.forwarding.packet import CtState, Packet, Payload
from vnetlab.trace.forwarding.reasons import Reason

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
SHOP = load(TOPOLOGIES / "security-groups.yaml")
HOME = load(TOPOLOGIES / "nat.yaml")
SHOP_TABLES = Tables(state=compile_topology(SHOP))
HOME_TABLES = Tables(state=compile_topology(HOME))
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


def address_of(topology: Topology, name: str) -> str:
    """The first IPv4 address of a VM or, as ROUTER.SEGMENT, of a router's interface."""
    node, _, _ = name.partition(".")
    state = HOME_TABLES.state if topology is HOME else SHOP_TABLES.state
    held = [it for it in state.addresses if it.netns == node and it.interface.version == 4]
    return str(next(it.interface.ip for it in held if not it.interface.is_loopback))


def mac_of(tables: Tables, netns: str, link: str = "eth0") -> str:
    """The MAC address of a link."""
    return next(it.mac for it in tables.state.links if (it.netns, it.name) == (netns, link))


def flow(tables: Tables, source: str, destination: str, what: str = "icmp") -> Packet:
    """The first packet from a VM to another one: `icmp`, `tcp/80`, `udp/53`."""
    topology = HOME if tables is HOME_TABLES else SHOP
    protocol, _, port = what.partition("/")
    return Packet(
        source_mac=mac_of(tables, source),
        destination_mac=mac_of(tables, destination),
        source=ip_address(address_of(topology, source)),
        destination=ip_address(address_of(topology, destination)),
        protocol=PROTOCOLS[protocol],
        source_port=40000 if port else None,
        destination_port=int(port) if port else None,
        icmp_type=None if port else 8,
    )


def port_of(tables: Tables, hypervisor: str, vnic: str) -> str:
    """The name of a vNIC's port at its vSwitch."""
    vm, _, nic = vnic.partition(".")
    peer = next(it.peer for it in tables.state.links if (it.netns, it.name) == (vm, nic))
    assert peer is not None
    assert peer.netns == hypervisor
    return peer.name


def at_port(source: str, destination: str, what: str = "icmp", *, reply: bool = False) -> Ruling:
    """What the destination's hypervisor does with a packet that it passes on to it."""
    hypervisor = {"customer": "hv1", "web1": "hv1", "web2": "hv2", "db1": "hv2"}
    here = hypervisor[destination]
    packet = flow(SHOP_TABLES, source, destination, what)
    if reply:
        packet = replace(packet, state=CtState.ESTABLISHED)
    oif = port_of(SHOP_TABLES, here, f"{destination}.eth0")
    return evaluate(SHOP_TABLES, here, "bridge", "forward", packet, iif="uplink", oif=oif)


@pytest.mark.parametrize(
    ("source", "destination", "what", "decides"),
    [
        ("customer", "web1", "tcp/80", "web ingress 1: tcp/80,443,8000-8099"),
        ("customer", "web1", "tcp/8050", "web ingress 1: tcp/80,443,8000-8099"),
        ("customer", "web2", "icmp", "web ingress 2: icmp"),
        ("web1", "db1", "tcp/5432", "db ingress 1: tcp/5432 from front"),
        ("web2", "db1", "icmp", "db ingress 2: icmp from front"),
    ],
)
def test_a_security_group_allows(source: str, destination: str, what: str, decides: str) -> None:
    """What a group allows passes, and the rule is the one that says so."""
    ruling = at_port(source, destination, what)
    assert ruling.verdict is Verdict.ACCEPT
    assert not ruling.findings
    assert any(f"'{decides}'" in row for row in ruling.rows), ruling.rows


@pytest.mark.parametrize(
    ("source", "destination", "what", "decides"),
    [
        ("customer", "web1", "tcp/22", "web ingress: nothing else"),
        ("customer", "web2", "tcp/7999", "web ingress: nothing else"),
        ("customer", "db1", "tcp/5432", "db ingress: nothing else"),
        ("web1", "db1", "udp/5432", "db ingress: nothing else"),
    ],
)
def test_a_security_group_refuses(source: str, destination: str, what: str, decides: str) -> None:
    """What no group allows is dropped at the port, by the group's last rule."""
    ruling = at_port(source, destination, what)
    assert ruling.verdict is Verdict.DROP
    assert ruling.decision is not None
    assert ruling.decision.rule is not None
    assert ruling.decision.rule.name == decides
    (finding,) = ruling.findings
    assert finding.reason is Reason.SECURITY_GROUP
    assert finding.link == port_of(SHOP_TABLES, finding.netns, f"{destination}.eth0")
    assert finding.item == ruling.decision.chain


def test_replies_pass_a_security_group() -> None:
    """A packet of an established connection is not asked for."""
    assert at_port("customer", "db1", "tcp/40000", reply=True).verdict is Verdict.ACCEPT


def test_both_protected_ports_are_asked() -> None:
    """A packet that neither of two groups allows has a finding at each port."""
    packet = flow(SHOP_TABLES, "db1", "web2", "tcp/22")
    db, web = (port_of(SHOP_TABLES, "hv2", f"{vm}.eth0") for vm in ("db1", "web2"))
    ruling = evaluate(SHOP_TABLES, "hv2", "bridge", "forward", packet, iif=db, oif=web)
    assert [finding.link for finding in ruling.findings] == [db, web]
    assert {finding.reason for finding in ruling.findings} == {Reason.SECURITY_GROUP}


def test_arp_and_neighbour_discovery_pass_a_security_group() -> None:
    """Neighbours are found whatever the groups say."""
    db = port_of(SHOP_TABLES, "hv2", "db1.eth0")
    asks = replace(flow(SHOP_TABLES, "customer", "db1"), payload=Payload.WHO_HAS)
    asks6 = replace(asks, source=ip_address("fd00::1"), destination=ip_address("fd00::2"))
    for packet, name in ((asks, "ARP"), (asks6, "neighbour discovery")):
        ruling = evaluate(SHOP_TABLES, "hv2", "bridge", "forward", packet, iif="uplink", oif=db)
        assert ruling.verdict is Verdict.ACCEPT
        assert any(f"'{name}'" in row for row in ruling.rows), ruling.rows


def test_a_forged_source_is_port_security() -> None:
    """A frame with another source than the vNIC's is dropped where it comes in."""
    port = port_of(SHOP_TABLES, "hv1", "web1.eth0")
    packet = flow(SHOP_TABLES, "web1", "customer")
    forged = replace(packet, source_mac="02:00:00:00:00:99")
    good = evaluate(SHOP_TABLES, "hv1", "bridge", "prerouting", packet, iif=port, oif=None)
    bad = evaluate(SHOP_TABLES, "hv1", "bridge", "prerouting", forged, iif=port, oif=None)
    assert good.verdict is Verdict.ACCEPT
    assert bad.finding is not None
    assert bad.finding.reason is Reason.PORT_SECURITY
    assert bad.finding.link == port
    assert "'web1.eth0 security: forged transmit'" in bad.finding.row


@pytest.mark.parametrize(
    ("what", "verdict_", "reason", "decides"),
    [
        ("tcp/8080", Verdict.REJECT, Reason.FIREWALL_REJECT, "firewall input 1: reject tcp/8080"),
        ("tcp/80", Verdict.ACCEPT, None, "firewall input 2: tcp"),
        ("icmp", Verdict.ACCEPT, None, "firewall input 3: icmp"),
        ("udp/53", Verdict.DROP, Reason.FIREWALL_POLICY, "firewall input: deny the rest"),
    ],
)
def test_a_guest_firewall(
    what: str, verdict_: Verdict, reason: Reason | None, decides: str
) -> None:
    """The guest's own rules decide in order; the last one is its policy."""
    packet = flow(SHOP_TABLES, "customer", "web2", what)
    ruling = evaluate(SHOP_TABLES, "web2", "ip", "input", packet, iif="eth0", oif=None)
    assert ruling.verdict is verdict_
    assert ruling.decision is not None
    assert ruling.decision.rule is not None
    assert ruling.decision.rule.name == decides
    assert (ruling.finding.reason if ruling.finding else None) is reason


def router_link(segment: str) -> str:
    """The router's interface in a segment, by the prefix of its address."""
    prefix = {"home": "10.1.0.", "wan": "192.0.2."}[segment]
    held = HOME_TABLES.state.addresses
    return next(it.link for it in held if it.netns == "gw" and str(it.interface).startswith(prefix))


@pytest.mark.parametrize(
    ("source", "destination", "what", "decides", "reason"),
    [
        ("laptop", "website", "icmp", "acl 1: any from home to wan", None),
        ("website", "server", "tcp/80", "acl 2: tcp/80 from wan to server", None),
        ("website", "server", "tcp/22", "acl 3: reject tcp/22", Reason.ACL),
        ("website", "laptop", "icmp", "acl: deny the rest", Reason.ACL),
    ],
)
def test_a_router_acl(
    source: str, destination: str, what: str, decides: str, reason: Reason | None
) -> None:
    """What a router forwards is decided by its ACL."""
    home, wan = router_link("home"), router_link("wan")
    iif, oif = (wan, home) if source == "website" else (home, wan)
    packet = flow(HOME_TABLES, source, destination, what)
    ruling = evaluate(HOME_TABLES, "gw", "ip", "forward", packet, iif=iif, oif=oif)
    assert ruling.decision is not None
    assert ruling.decision.rule is not None
    assert ruling.decision.rule.name == decides
    assert [finding.reason for finding in ruling.findings] == ([reason] if reason else [])


def test_masquerading_gives_the_address_of_the_link_it_leaves_by() -> None:
    """A new connection leaves with the router's address; a reply is left alone."""
    packet = flow(HOME_TABLES, "laptop", "website", "tcp/80")
    wan = router_link("wan")
    out = evaluate(HOME_TABLES, "gw", "ip", "postrouting", packet, iif="home", oif=wan)
    assert out.packet.source in {
        it.interface.ip for it in HOME_TABLES.state.addresses if (it.netns, it.link) == ("gw", wan)
    }
    assert (out.packet.source_port, out.verdict) == (40000, Verdict.ACCEPT)
    reply = replace(packet, state=CtState.ESTABLISHED)
    again = evaluate(HOME_TABLES, "gw", "ip", "postrouting", reply, iif="home", oif=wan)
    assert again.packet == reply


def test_a_forwarded_port_goes_to_its_server() -> None:
    """Port 8080 of the router's address on the wan is the server's port 80; no other port is."""
    wan = router_link("wan")
    mine = next(
        it.interface.ip
        for it in HOME_TABLES.state.addresses
        if (it.netns, it.link) == ("gw", wan) and it.interface.version == 4
    )
    packet = replace(flow(HOME_TABLES, "website", "server", "tcp/8080"), destination=mine)
    there = evaluate(HOME_TABLES, "gw", "ip", "prerouting", packet, iif=wan, oif=None).packet
    assert str(there.destination) == address_of(HOME, "server")
    assert there.destination_port == 80
    other = replace(packet, destination_port=8081)
    stays = evaluate(HOME_TABLES, "gw", "ip", "prerouting", other, iif=wan, oif=None).packet
    assert stays == other


PACKET = Packet(
    source_mac="02:00:00:00:00:01",
    destination_mac="02:00:00:00:00:02",
    source=ip_address("10.0.0.1"),
    destination=ip_address("10.0.0.2"),
    protocol=17,
    source_port=1000,
    destination_port=53,
    icmp_type=None,
)


def chain(name: str, *rules: NftRule, **more: object) -> NftChain:
    """A base chain of a foreign table at `input`; `hook=None` for one to be jumped to."""
    values: dict[str, object] = {"hook": NftHook(kind="filter", point="input", priority=0)}
    return NftChain(
        netns="n1",
        family="inet",
        table="foreign",
        name=name,
        rules=rules,
        **(values | more),  # type: ignore[arg-type] # a test's own values
    )


def ruled(
    *chains: NftChain, dormant: bool = False, sets: tuple[NftSet, ...] = (), packet: Packet = PACKET
) -> Ruling:
    """What these chains do with a packet that comes in by eth0."""
    table = NftTable(netns="n1", family="inet", name="foreign", dormant=dormant)
    state = State(
        nft_tables=frozenset({table}), nft_chains=frozenset(chains), nft_sets=frozenset(sets)
    )
    return evaluate(Tables(state=state), "n1", "ip", "input", packet, iif="eth0", oif=None)


def expression(kind: str, **values: int | str) -> tuple[NftExpression, ...]:
    """One expression."""
    return (NftExpression(kind=kind, values=tuple(sorted(values.items()))),)


DROP, ACCEPT = verdict("drop"), verdict("accept")
UDP = meta("l4proto", b"\x11")


def test_a_foreign_rule_and_a_foreign_policy() -> None:
    """A drop and a policy both stop the packet: two findings, in the kernel's order."""
    second = NftHook(kind="filter", point="input", priority=10)
    ruling = ruled(
        chain("late", accepts=False, hook=second), chain("early", rule("", UDP, DROP), rule(""))
    )
    assert [it.reason for it in ruling.findings] == [Reason.FIREWALL_DROP, Reason.FIREWALL_POLICY]
    assert ruling.rows == (
        "nft inet foreign early rule 1 meta l4proto udp drop",
        "nft inet foreign early: policy accept",
        "nft inet foreign late: policy drop",
    )


def test_jumps_gotos_and_returns() -> None:
    """A return goes on behind the jump; the end of a chain that was gone to, to the policy."""
    jumped = chain("a", rule("", UDP, verdict("return")), rule("", DROP), hook=None)
    back = ruled(chain("in", rule("", verdict("jump a")), rule("ok", ACCEPT)), jumped)
    assert [it.endswith("return") for it in back.rows] == [True, False]
    assert back.verdict is Verdict.ACCEPT
    gone = chain("in", rule("", verdict("goto a")), rule("ok", ACCEPT), accepts=False)
    ruling = ruled(gone, jumped)
    assert ruling.verdict is Verdict.DROP
    assert ruling.rows[-1] == "nft inet foreign in: policy drop"


def test_a_dormant_table_does_nothing() -> None:
    """Its chains are there and not called."""
    assert ruled(chain("in", accepts=False), dormant=True) == Ruling(packet=PACKET)


@pytest.mark.parametrize(
    ("elements", "port", "found"),
    [
        (("0035",), 53, True),
        (("0035",), 54, False),
        (("0010-0034", "0036-ffff"), 53, False),
        (("0010-0035",), 53, True),
    ],
)
def test_a_named_set(elements: tuple[str, ...], port: int, found: bool) -> None:
    """A key is in a named set, or between two of its elements."""
    held = NftSet(netns="n1", family="inet", table="foreign", name="s", elements=elements)
    load_port = ports("th dport", [(1, 1)])[:1]
    looks = rule("", UDP, load_port, expression("lookup", sreg=1, set="s"), DROP)
    packet = replace(PACKET, destination_port=port)
    ruling = ruled(chain("in", looks), sets=(held,), packet=packet)
    assert (ruling.verdict is Verdict.DROP) is found


def test_a_verdict_map() -> None:
    """The verdict is the one that the map has for the key, a jump too."""
    load_port = ports("th dport", [(1, 1)])[:1]
    looks = expression("lookup", sreg=1, dreg=0, elements="0034:drop 0035:jump a 0036:accept")
    base = chain("in", rule("", load_port, looks), accepts=False)
    jumped = chain("a", rule("here", ACCEPT), hook=None)
    ruling = ruled(base, jumped)
    assert ruling.verdict is Verdict.ACCEPT
    assert ruling.decision is not None
    assert ruling.decision.chain == jumped


def test_a_limit_harms() -> None:
    """What is dropped above a rate only is no stop; what is dropped in any case is."""
    over = rule("", expression("limit", rate=10, unit=1, flags=1), DROP)
    harmed = ruled(chain("in", over))
    assert harmed.verdict is Verdict.ACCEPT
    assert [finding.harms for finding in harmed.findings] == [True]
    under = rule("", expression("limit", rate=10, unit=1), ACCEPT)
    assert [it.harms for it in ruled(chain("in", under, accepts=False)).findings] == [True]
    both = ruled(chain("in", over, rule("all", DROP)))
    assert both.verdict is Verdict.DROP
    assert [finding.harms for finding in both.findings] == [True, False]


def test_what_is_not_known_stops_nothing() -> None:
    """A rule with an expression that the model does not know lets pass, and is told of."""
    odd = expression("osf", dreg=1)
    ruling = ruled(chain("in", rule("", odd, counter(), DROP)))
    assert ruling.verdict is Verdict.ACCEPT
    assert ruling.unmodelled == ("nft inet foreign in rule 1: osf",)
    passes = ruled(chain("in", rule("", odd, ACCEPT), accepts=False))
    assert passes.verdict is Verdict.ACCEPT


def test_a_mark_is_set_and_asked_for() -> None:
    """`meta mark set` is seen by the rules behind it."""
    mark = (5).to_bytes(4, "little").hex()
    load = expression("immediate", dreg=1, data=f"0x{mark}")
    sets = rule("mark", load, expression("meta", key=3, sreg=1))
    asks = expression("meta", key=3, dreg=1) + expression("cmp", sreg=1, op=0, data=f"0x{mark}")
    ruling = ruled(chain("in", sets, rule("marked", asks, DROP)))
    assert ruling.packet.mark == 5
    assert ruling.verdict is Verdict.DROP


def test_names_of_links() -> None:
    """A rule that names the link is a finding there; no output link is an empty name."""
    named = rule("", link_name("iifname", "eth0"), link_name("oifname", "eth1", negate=True), DROP)
    finding = ruled(chain("in", named)).finding
    assert finding is not None
    assert finding.link == "eth0"


def test_a_field_that_is_written() -> None:
    """A rule may change a field: the packet has it then."""
    load = expression("immediate", dreg=1, data="0x07")
    writes = expression("payload", sreg=1, base=1, offset=8, len=1, csum_type=1, csum_offset=10)
    assert ruled(chain("in", rule("ttl", load, writes))).packet.ttl == 7


def test_icmp_is_asked_for_by_its_type() -> None:
    """An echo request is of type 8."""
    packet = replace(PACKET, protocol=1, source_port=None, destination_port=None, icmp_type=8)
    asks = rule("", meta("l4proto", b"\1"), field("icmp type", [b"\10"]), DROP)
    assert ruled(chain("in", asks), packet=packet).verdict is Verdict.DROP
    reply = replace(packet, icmp_type=0)
    assert ruled(chain("in", asks), packet=reply).verdict is Verdict.ACCEPT
