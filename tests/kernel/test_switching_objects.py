"""Bonds, bridges and their ports: what is asked of the kernel is what it tells."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import fields, replace

from tests.kernel.built import Built, InNode
from tests.kernel.conftest import Bench
from vnetlab.state.objects import Kind, Link, LinkId, Namespace, Object, Role
from vnetlab.state.switching import (
    LAYER_3_AND_4,
    Bond,
    BondMode,
    BridgePort,
    BridgeSettings,
)

pytestmark = pytest.mark.needs("bond")

_LACP = Bond(mode=BondMode.LACP, fast_lacp=True, hash_policy=LAYER_3_AND_4)
_link = partial(Link, netns="n", role=Role.PHYSICAL_PORT, mtu=1500)


def _cable(number: int, *, in_bond: bool) -> tuple[Link, Link]:
    """A veth pair whose near end is a slave of the team, or a port of the bridge."""
    near, far = f"near{number}", f"far{number}"
    return (
        _link(
            name=near,
            kind=Kind.VETH,
            label=f"n.{near}",
            mac="02:00:00:00:00:02" if in_bond else f"02:00:00:00:01:0{number}",
            peer=LinkId(netns="n", name=far),
            master="team" if in_bond else "br0",
            in_bond=in_bond,
        ),
        _link(
            name=far,
            kind=Kind.VETH,
            label=f"n.{far}",
            mac=f"02:00:00:00:02:0{number}",
            peer=LinkId(netns="n", name=near),
        ),
    )


BRIDGE = _link(
    name="br0",
    kind=Kind.BRIDGE,
    label="n.br0",
    mac="02:00:00:00:00:01",
    bridge=BridgeSettings(
        stp=True, priority=4096, hello_time_cs=100, max_age_cs=1000, forward_delay_cs=200
    ),
)
TEAM = _link(
    name="team",
    kind=Kind.BOND,
    label="n.team",
    mac="02:00:00:00:00:02",
    master="br0",
    bond=_LACP,
    port=BridgePort(cost=2),
)
PORT, PORTS_PEER = _cable(3, in_bond=False)
SLAVES = (*_cable(1, in_bond=True), *_cable(2, in_bond=True))
LAB: tuple[Object, ...] = (
    Namespace(name="n", role=Role.PHYSICAL_SWITCH),
    *(BRIDGE, TEAM, PORT, PORTS_PEER, *SLAVES),
)


@pytest.fixture
def built(bench: Bench) -> Built:
    """The namespace with all of LAB in it."""
    return Built(bench, *LAB)


def test_all_is_read_back_as_it_was_asked_for(built: Built) -> None:
    """A bond, its slaves with its MAC, and a bridge with a spanning tree, after one plan."""
    built.check(*LAB)


def _without(*links: Link) -> list[Object]:
    ids = {link.id for link in links}
    return [item for item in LAB if item.id not in ids]


@pytest.mark.parametrize("mode", [BondMode.ACTIVE_BACKUP, BondMode.BALANCE_XOR])
def test_a_bond_of_another_mode_takes_over_the_slaves(built: Built, mode: BondMode) -> None:
    """It is made anew, in one plan."""
    lab = (*_without(TEAM), replace(TEAM, bond=Bond(mode=mode)))
    built.become(*lab)
    built.check(*lab)


def test_slaves_become_ports_and_slaves_again(built: Built) -> None:
    """A bond that goes lets go its slaves; they have their own MACs at once."""
    free = (*_cable(1, in_bond=False), *_cable(2, in_bond=False))
    lab = (*_without(TEAM, *SLAVES), *free)
    built.become(*lab)
    built.check(*lab)
    built.become(*LAB)
    built.check(*LAB)


def test_one_slave_leaves_a_bond_that_stays(built: Built) -> None:
    """It comes to the bridge with its own MAC, up, after one plan."""
    lab = (*_without(*SLAVES[:2]), *_cable(1, in_bond=False))
    built.become(*lab)
    built.check(*lab)
    built.become(*LAB)
    built.check(*LAB)


def _with(name: str, value: object) -> BridgePort:
    settings: dict[str, Any] = {name: value}
    return BridgePort(**settings)


_PORT_SETTINGS = {
    field.name: _with(field.name, not field.default)
    for field in fields(BridgePort)
    if isinstance(field.default, bool)
} | {
    "cost": BridgePort(cost=7),
    "priority": BridgePort(priority=7),
    "group_forward_mask": BridgePort(group_forward_mask=8),
}


@pytest.mark.parametrize("name", sorted(_PORT_SETTINGS))
def test_every_setting_of_a_port_is_set_in_place(built: Built, name: str) -> None:
    """One setting is one change, there and back."""
    port = replace(PORT, port=_PORT_SETTINGS[name])
    lab = (*_without(PORT), port)
    assert len(built.become(*lab)) == 1
    built.check(*lab)
    assert len(built.become(*LAB)) == 1
    built.check(*LAB)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (replace(BRIDGE.bridge, forward_delay_cs=300), "forward delay 2s -> 3s"),
        (replace(BRIDGE.bridge, hello_time_cs=200), "hello time 1s -> none"),
        (replace(BRIDGE.bridge, max_age_cs=600), "max age 10s -> 6s"),
        (replace(BRIDGE.bridge, priority=0), "priority 4096 -> 0"),
    ],
)
def test_every_setting_of_a_bridge_is_set_in_place(
    built: Built, settings: BridgeSettings, words: str
) -> None:
    """One plan changes the bridge alone."""
    lab = (*_without(BRIDGE), replace(BRIDGE, bridge=settings))
    (change,) = built.become(*lab)
    assert words in change
    built.check(*lab)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ip link set near1 nomaster", "~ physical port n.near1: state down -> up"),
        ("ip link set near1 address 02:00:00:00:00:77", "~ physical port n.near1: MAC"),
        ("ip link del team", "+ physical port n.team"),
        ("ip link set team type bond xmit_hash_policy layer2", "~ physical port n.team: hash pol"),
        ("ip link set team type bond miimon 50", "~ physical port n.team: miimon 50ms -> none"),
        ("ip link set team type bond updelay 100", "~ physical port n.team: up delay 100ms"),
        ("ip link set team type bond downdelay 100", "~ physical port n.team: down delay 100ms"),
        ("ip link set team type bond min_links 1", "~ physical port n.team: min links 1"),
        ("ip link set team type bond resend_igmp 3", "~ physical port n.team: IGMP resends 3"),
        ("ip link set team type bond num_grat_arp 3", "~ physical port n.team: peer notices 3"),
        ("ip link set team type bond all_slaves_active 1", "~ physical port n.team: all slaves"),
        ("ip link set team type bond peer_notify_delay 100", "~ physical port n.team: peer not"),
        ("ip link set team type bond lp_interval 3", "~ physical port n.team: learning int"),
        ("ip link set team nomaster", "~ physical port n.team: bridge none -> br0"),
        ("ip link set team mtu 1400", "~ physical port n.near1: MTU 1400 -> 1500"),
        ("bridge link set dev near3 cost 17", "~ physical port n.near3: port cost 17 -> none"),
        ("bridge link set dev near3 priority 3", "~ physical port n.near3: port priority 3"),
        ("bridge link set dev near3 guard on", "~ physical port n.near3: port BPDU guard yes"),
        ("bridge link set dev team learning off", "~ physical port n.team: port learning no"),
        ("bridge link set dev team flood off", "~ physical port n.team: port unicast flood no"),
        ("ip link set br0 type bridge priority 8192", "~ physical port n.br0: priority 8192"),
        ("ip link set br0 type bridge stp_state 0", "~ physical port n.br0: STP none -> yes"),
        ("ip link set br0 type bridge ageing_time 1000", "~ physical port n.br0: ageing time 10s"),
        ("ip link set br0 type bridge mcast_querier 1", "~ physical port n.br0: multicast quer"),
        ("ip link set br0 type bridge vlan_protocol 802.1ad", "~ physical port n.br0: VLAN proto"),
        ("ip link set br0 type bridge nf_call_iptables 1", "~ physical port n.br0: iptables yes"),
        ("bridge link set dev near3 mcast_router 2", "~ physical port n.near3: port multicast ro"),
        ("ip link set br0 type bridge mcast_snooping 1", "~ physical port n.br0: multicast snoop"),
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


def test_without_a_spanning_tree_ports_forward_at_once(built: Built) -> None:
    """A port that was listening waits no longer when the tree is taken away."""
    lab = (*_without(BRIDGE), replace(BRIDGE, bridge=BridgeSettings()))
    done = built.become(*lab)
    assert any("STP yes -> none" in line for line in done), done
    built.check(*lab)


def test_a_port_that_somebody_disabled_forwards_again(built: Built, in_node: InNode) -> None:
    """Without a spanning tree, that is: with one the kernel decides."""
    lab = (*_without(BRIDGE), replace(BRIDGE, bridge=BridgeSettings()))
    built.become(*lab)
    in_node("n", *("bridge", "link", "set", "dev", "near3", "state", "0"))
    assert built.become(*lab) == ["~ physical port n.near3: port state disabled -> none"]
    built.check(*lab)
