"""Routing lookups of the model over tables made by hand."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest
from msgspec.structs import replace

from tests.unit.routed_tables import address, link_id, route, rule, tables, veth
from vnetlab.state.objects import Kind, Link, Object, RouteKind
from vnetlab.state.tables import Carrier, Tables
from vnetlab.trace.forwarding.fib import Fate
from vnetlab.trace.forwarding.fib_index import index_fib
from vnetlab.trace.forwarding.routing import Decision, Flow, choose_source, lookup

WIRES = [*veth("r.eth0", "a.eth0"), *veth("r.eth1", "b.eth0"), *veth("r.eth2", "c.eth0")]
NETS = [address("r.eth0", "10.0.0.1/24"), address("r.eth1", "10.1.0.1/24")]


def look(
    of: Tables,
    destination: str,
    source: str = "10.0.0.1",
    iif: str | None = None,
    oif: str | None = None,
    mark: int = 0,
) -> Decision:
    """What node r's tables say."""
    flow = Flow(
        netns="r",
        source=ip_address(source),
        destination=ip_address(destination),
        iif=link_id(iif) if iif else None,
        oif=link_id(oif) if oif else None,
        mark=mark,
    )
    return lookup(index_fib(of), flow)


def test_an_address_brings_the_route_to_its_prefix() -> None:
    """What is in the prefix is reached directly, the address itself is local, the rest is not."""
    of = tables(*WIRES, *NETS)
    assert look(of, "10.0.0.7").row == "10.0.0.0/24 dev eth0"
    assert look(of, "10.1.0.1").fate is Fate.LOCAL
    assert look(of, "10.2.0.1").fate is Fate.NONE


def test_an_address_without_the_route_to_its_prefix() -> None:
    """Somebody deleted it: `ip route del 10.0.0.0/24 dev eth0`."""
    of = tables(*WIRES, address("r.eth0", "10.0.0.1/24", prefix_route=False))
    assert look(of, "10.0.0.7").fate is Fate.NONE
    assert look(of, "10.0.0.1").fate is Fate.LOCAL


def test_the_longest_prefix_wins_and_then_the_least_metric() -> None:
    """A default route, a network and one address of it; two default routes."""
    of = tables(
        *WIRES,
        *NETS,
        route("r", "0.0.0.0/0", "10.0.0.2", "eth0", metric=20),
        route("r", "0.0.0.0/0", "10.1.0.2", "eth1", metric=10),
        route("r", "10.9.0.0/16", "10.0.0.3", "eth0"),
        route("r", "10.9.0.9/32", "10.0.0.4", "eth0"),
    )
    assert look(of, "8.8.8.8").row == "default via 10.1.0.2 dev eth1 metric 10"
    assert look(of, "10.9.1.1").row == "10.9.0.0/16 via 10.0.0.3 dev eth0"
    assert look(of, "10.9.0.9").row == "10.9.0.9 via 10.0.0.4 dev eth0"


@pytest.mark.parametrize("carrier", [Carrier.DOWN, Carrier.NO_CARRIER])
def test_a_route_over_a_link_that_is_down_is_none(carrier: Carrier) -> None:
    """One without carrier counts still, unless ignore_routes_with_linkdown says otherwise."""
    both = (route("r", "0.0.0.0/0", "10.0.0.2", "eth0"),)
    of = tables(*WIRES, *NETS, *both, carriers={"r.eth0": carrier})
    assert (look(of, "8.8.8.8").fate is Fate.NONE) == (carrier is Carrier.DOWN)
    assert look(of, "10.0.0.1").fate is Fate.LOCAL
    key = ("r", "net/ipv4/conf/eth0/ignore_routes_with_linkdown")
    assert look(replace(of, sysctls={key: "1"}), "8.8.8.8").fate is Fate.NONE


@pytest.mark.parametrize("kind", [RouteKind.BLACKHOLE, RouteKind.UNREACHABLE, RouteKind.PROHIBIT])
def test_routes_that_lead_nowhere_end_the_search(kind: RouteKind) -> None:
    """A default route behind them, in a later table or with a shorter prefix, does not count."""
    of = tables(
        *WIRES,
        *NETS,
        route("r", "10.9.0.0/16", kind=kind),
        route("r", "0.0.0.0/0", "10.0.0.2", "eth0"),
    )
    assert look(of, "10.9.0.1").row == f"{kind.name.lower()} 10.9.0.0/16"
    assert look(of, "10.10.0.1").fate is Fate.UNICAST


@pytest.mark.parametrize(
    ("selectors", "matching", "other"),
    [
        ({"source": "10.0.0.0/25"}, {"source": "10.0.0.1"}, {"source": "10.0.0.200"}),
        ({"destination": "8.8.8.0/24"}, {}, {"destination": "8.8.4.4"}),
        ({"iif": "eth0"}, {"iif": "r.eth0"}, {"iif": "r.eth1"}),
        ({"iif": "lo"}, {}, {"iif": "r.eth1"}),
        ({"oif": "eth1"}, {"oif": "r.eth1"}, {}),
        ({"mark": 7}, {"mark": 7}, {"mark": 8}),
    ],
)
def test_policy_rules_choose_the_table(
    selectors: dict[str, object], matching: dict[str, object], other: dict[str, object]
) -> None:
    """By each of their selectors; what has no route there goes on to the next."""
    networks = {"source", "destination"}
    typed = {k: ip_interface(str(v)).network if k in networks else v for k, v in selectors.items()}
    of = tables(
        *WIRES,
        *NETS,
        rule("r", 100, table=100, **typed),
        route("r", "8.8.0.0/16", "10.1.0.9", "eth1", table=100),
        route("r", "0.0.0.0/0", "10.0.0.2", "eth0"),
        route("r", "0.0.0.0/0", "10.1.0.2", "eth1", metric=9),
    )

    def ask(**kinds: object) -> Decision:
        return look(of, **{"destination": "8.8.8.8", **kinds})  # type: ignore[arg-type] # as look has them

    assert ask(**matching).row.endswith("8.8.0.0/16 via 10.1.0.9 dev eth1 table 100")
    assert ask(**matching).row.startswith("100: from ")
    assert "table 100" not in ask(**other).row
    assert "table 100" not in ask(**(matching | {"destination": "9.9.9.9"})).row


def test_a_rule_that_refuses() -> None:
    """`ip rule add from 10.0.0.0/24 prohibit` stops what it selects."""
    refused = rule("r", 50, action="prohibit", source=ip_interface("10.0.0.0/24").network)
    of = tables(*WIRES, *NETS, refused)
    assert look(of, "10.1.0.7") == Decision(fate=Fate.PROHIBIT, rule=refused)
    assert look(of, "10.1.0.7", source="10.1.0.1").fate is Fate.UNICAST
    assert look(of, "10.1.0.1").fate is Fate.LOCAL, "the local table is asked first"


def test_a_goto_is_not_known() -> None:
    """A rule of another kind is said to be outside the model."""
    of = tables(*WIRES, *NETS, rule("r", 50, action="goto"))
    assert look(of, "10.1.0.7").unmodelled == ("r: 50: from all goto",)


def test_the_rule_of_the_main_table_is_deleted() -> None:
    """Until there is another rule, the table is found with that of local addresses."""
    whole = tables(*WIRES, *NETS)
    rules = frozenset(
        it for it in whole.state.policy_rules if (it.netns, it.priority) != ("r", 32766)
    )
    alone = replace(whole, state=replace(whole.state, policy_rules=rules))
    assert look(alone, "10.0.0.7").fate is Fate.UNICAST
    with_other = rules | {rule("r", 5, table=7, mark=9)}
    other = replace(whole, state=replace(whole.state, policy_rules=with_other))
    assert look(other, "10.0.0.7").fate is Fate.NONE


def vrf(name: str, table: int) -> Link:
    """A VRF of node r."""
    return Link(
        netns="r", name=name, kind=Kind.VRF, role=None, label=name, mac="", mtu=65535, table=table
    )


def test_a_vrf_has_its_own_table() -> None:
    """What came in by one of its links is looked up there, and then, without a route, in main."""
    inside = [replace(it, master="blue") if it.name == "eth1" else it for it in WIRES[:4]]
    objects: list[Object] = [*inside, vrf("blue", 10), *NETS]
    of = tables(*objects, route("r", "0.0.0.0/0", "10.0.0.2", "eth0"))
    assert look(of, "10.1.0.7").row == "default via 10.0.0.2 dev eth0"
    assert look(of, "10.1.0.7", iif="r.eth1").row == "10.1.0.0/24 dev eth1 table 10"
    assert look(of, "10.1.0.1", iif="r.eth1").fate is Fate.LOCAL
    assert look(of, "10.1.0.1").fate is Fate.UNICAST
    assert look(of, "8.8.8.8", iif="r.eth1").row == "default via 10.0.0.2 dev eth0"


def test_the_address_that_the_kernel_gives() -> None:
    """That of the network on the way; towards a gateway, that of its network."""
    two = address("r.eth0", "10.5.0.1/24")
    of = tables(
        *WIRES,
        *NETS,
        two,
        address("r.eth0", "fd00::1/64"),
        address("r.eth1", "fd01::1/64"),
        route("r", "0.0.0.0/0", "10.5.0.2", "eth0"),
        route("r", "::/0", "fd01::2", "eth1"),
    )
    for destination, source in {
        "10.1.0.7": "10.1.0.1",
        "8.8.8.8": "10.5.0.1",
        "fd00::5": "fd00::1",
        "2001:db8::1": "fd01::1",
        "10.1.0.1": "10.1.0.1",
    }.items():
        assert choose_source(of, "r", ip_address(destination)) == ip_address(source)
    assert choose_source(of, "a", ip_address("10.0.0.1")) is None


def test_equal_routes_are_outside_the_model() -> None:
    """Which of two links with one prefix is taken depends on who came first."""
    of = tables(*WIRES, *NETS, address("r.eth2", "10.0.0.2/24"))
    assert look(of, "10.0.0.7").unmodelled == ("r: which of 2 equal routes to 10.0.0.0/24",)
