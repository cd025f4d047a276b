"""Which way a packet belongs, and with which addresses."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from vnetlab.errors import UsageError
from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import State
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.path import ExpectedPath, expected_path, watched_namespaces

SHIPPED = Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"


@pytest.fixture(scope="module")
def state() -> State:
    return compile_topology(load(SHIPPED))


def links(path: ExpectedPath) -> list[str]:
    return [f"{hop.netns}.{hop.ifname} {hop.direction.value}" for hop in path.hops]


def address_of(state: State, node: str, version: int) -> str:
    held = {a.interface.ip for a in state.addresses if a.netns == node}
    return str(next(ip for ip in held if ip.version == version))


def test_within_a_network_the_path_crosses_both_virtual_switches(state: State) -> None:
    """From the vNIC through ports and uplinks to the other vNIC: OUT and IN of every cable."""
    path = expected_path(state, "web1", choose_endpoints(state, "web1", "web2").destination_address)
    assert path.complete
    assert links(path) == [
        "web1.eth0 out",
        "hv1.web1.eth0 in",
        "hv1.eno1 out",
        "tor1.hv1.eno1 in",
        "tor1.hv2.eno1 out",
        "hv2.eno1 in",
        "hv2.web2.eth0 out",
        "web2.eth0 in",
    ]


def test_between_networks_the_path_turns_in_the_router(state: State) -> None:
    """A router on a stick is entered by one 802.1Q sub-interface and left by the other."""
    path = expected_path(state, "web1", ip_address("10.20.0.5"))
    assert path.complete
    assert links(path)[3:10] == [
        "tor1.hv1.eno1 in",
        "tor1.gw.eth0 out",
        "gw.eth0 in",
        "gw.eth0.10 in",
        "gw.eth0.20 out",
        "gw.eth0 out",
        "tor1.gw.eth0 in",
    ]
    assert [str(span.next_hop) for span in path.spans] == ["10.10.0.1", "10.20.0.5"]


def test_on_one_hypervisor_the_path_does_not_leave_it(state: State) -> None:
    """The shortest way between two ports of a virtual switch is the switch."""
    path = expected_path(state, "db1", ip_address(address_of(state, "web2", 4)))
    assert links(path)[-3:] == ["hv2.eno1 in", "hv2.web2.eth0 out", "web2.eth0 in"]
    neighbours = expected_path(state, "web1", ip_address("10.10.0.1"))
    assert {hop.netns for hop in neighbours.hops} == {"web1", "hv1", "tor1", "gw"}


def test_without_a_route_the_path_ends_where_it_is_missing(state: State) -> None:
    """A guest without a default route has no path at all to another network."""
    routeless = replace(state, routes=frozenset())
    assert expected_path(routeless, "web1", ip_address("10.20.0.5")).hops == ()


def test_without_a_holder_of_the_address_only_the_first_cable_is_sure(state: State) -> None:
    """An address of the own network that nobody holds is looked for beyond the first switch."""
    path = expected_path(state, "web1", ip_address("10.10.0.99"))
    assert not path.complete
    assert links(path) == ["web1.eth0 out", "hv1.web1.eth0 in"]


def test_a_port_taken_from_its_bridge_ends_the_path_there(state: State) -> None:
    """The wiring is what the kernel has, not what it should have."""
    pulled = frozenset(
        replace(link, master=None) if str(link.id) == "hv1.web1.eth0" else link
        for link in state.links
    )
    path = expected_path(replace(state, links=pulled), "web1", ip_address("10.10.0.1"))
    assert links(path) == ["web1.eth0 out", "hv1.web1.eth0 in"]


def test_a_probe_is_watched_at_bare_metal_hosts_that_it_is_not_for() -> None:
    """They are on ports of the physical switches, as routers are."""
    state = compile_topology(load(SHIPPED.with_name("bare-metal.yaml")))
    path = expected_path(state, "web1", ip_address("10.10.0.1"))
    assert {"db1", "backup"} <= set(watched_namespaces(state, path))


def test_a_probe_is_watched_wherever_a_switch_could_send_it(state: State) -> None:
    """The path's nodes, and every hypervisor, physical switch and router; no other guest."""
    path = expected_path(state, "web1", ip_address(address_of(state, "web2", 4)))
    assert set(watched_namespaces(state, path)) == {"web1", "web2", "hv1", "hv2", "tor1", "gw"}


def test_ipv4_is_chosen_before_ipv6(state: State) -> None:
    """Both ends have both families: IPv4, unless IPv6 is asked for."""
    assert choose_endpoints(state, "web1", "web2").version == 4
    assert choose_endpoints(state, "web1", "web2", version=6).version == 6


def test_of_a_router_the_address_in_the_own_network_is_chosen(state: State) -> None:
    """Two addresses of one network before two of different ones."""
    ends = choose_endpoints(state, "db1", "gw")
    assert str(ends.destination_address) == "10.20.0.1"
    assert str(choose_endpoints(state, "gw", "db1").source_address) == "10.20.0.1"


def test_a_destination_may_be_an_address(state: State) -> None:
    """The node that holds it is the destination."""
    ends = choose_endpoints(state, "web1", "10.20.0.5")
    assert (ends.destination, str(ends.destination_address)) == ("db1", "10.20.0.5")


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("web1", "web3", "probe: no node 'web3'; did you mean 'web2'?"),
        ("wbe1", "web2", "probe: no node 'wbe1'; did you mean 'web1'?"),
        ("web1", "10.99.0.1", "probe: no node of the lab holds 10.99.0.1"),
        ("web1", "web1", "probe: web1 is both source and destination, expected two nodes"),
        ("web1", "hv2", "probe: hv2 has no IP address"),
    ],
)
def test_ends_that_cannot_be_are_refused(
    state: State, source: str, destination: str, message: str
) -> None:
    """The message says what is wrong and, for a misspelt node, what was probably meant."""
    with pytest.raises(UsageError) as raised:
        choose_endpoints(state, source, destination)
    assert str(raised.value).startswith(message)


def test_a_family_that_one_end_lacks_is_refused(state: State) -> None:
    """No IPv6 probe from a node that has IPv4 addresses only."""
    only_4 = frozenset(a for a in state.addresses if a.interface.version == 4)
    with pytest.raises(UsageError, match="web1 has no IPv6 address"):
        choose_endpoints(replace(state, addresses=only_4), "web1", "web2", version=6)
