"""A running lab as its user sees it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import Namespace, Role
from vnetlab.state.status import node_statuses
from vnetlab.topology.load import load

DEMO = compile_topology(load(Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"))


def test_nodes_go_from_the_network_to_the_vms() -> None:
    """Switches, hypervisors, routers, VMs; each kind by name; what nobody knows last."""
    stranger = Namespace(name="a-stranger", role=None)
    state = replace(DEMO, namespaces=DEMO.namespaces | {stranger})
    names = [node.name for node in node_statuses(state)]
    assert names == ["tor1", "hv1", "hv2", "gw", "app1", "db1", "web1", "web2", "a-stranger"]


def test_a_node_has_its_interfaces_with_their_addresses_and_a_number_of_ports() -> None:
    """Ports of switches are counted; ends of cables and addresses are listed."""
    nodes = {node.name: node for node in node_statuses(DEMO)}
    assert [link.name for link in nodes["hv1"].interfaces] == ["eno1"]
    assert nodes["hv1"].ports == 2
    assert nodes["tor1"].interfaces == ()
    assert nodes["tor1"].ports == 3
    assert [link.role for link in nodes["gw"].interfaces] == [
        Role.ROUTER_PORT,
        Role.ROUTER_INTERFACE,
        Role.ROUTER_INTERFACE,
    ]
    assert str(nodes["db1"].addresses[0].interface) == "10.20.0.5/24"
