from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, ROUTED
from vnetlab import lab as verbs
from vnetlab.errors import KernelRefusedError, UsageError
from vnetlab.kernel.namespaces import entered
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.objects import LinkId, Namespace, Role
from vnetlab.state.show import describe_change

_VERB = "import sys; from pathlib import Path; from vnetlab import lab; root = Path(sys.argv[1]); "
_DOWN = f"{_VERB} lab.down('bench', root)"
_ON_A = f"{_VERB} lab.become('bench', 'a', sys.argv[2:], root)"

InNode = Callable[..., str]
KINDS = [
    pytest.param(FLAT, id="flat"),
    pytest.param(
        ROUTED,
        id="routed",
        marks=pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem"),
    ),
]


@pytest.mark.parametrize("topology", KINDS)
def test_up_twice_changes_nothing_the_second_time(bench: Bench, topology: str) -> None:
    """What is there after `up` is what the topology says, so nothing is left to do."""
    assert bench.up(topology).changes
    assert bench.plan(topology).changes == ()
    assert bench.up(topology).changes == ()


@pytest.mark.parametrize("topology", KINDS)
def test_down_leaves_nothing(bench: Bench, topology: str) -> None:
    """No mount, no link for ip-netns, no file is left of a lab that went down."""
    bench.up(topology)
    assert bench.leftovers()
    bench.down()
    assert bench.leftovers() == []


def test_a_plan_changes_nothing(bench: Bench) -> None:
    """`plan` on a lab that is not up says what it would take, and makes nothing of it."""
    assert bench.plan(FLAT).changes
    assert bench.leftovers() == []


def test_the_namespaces_are_named_for_ip_netns(bench: Bench, in_node: InNode) -> None:
    """`ip netns exec LAB.NODE` finds every node."""
    bench.up(FLAT)
    assert "bench.a" in in_node("a", "ip", "netns", "list")


@pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
def test_the_kernel_has_what_the_topology_means(bench: Bench) -> None:
    """Access ports have a PVID, trunks carry tags, both ends of an uplink are shaped."""
    bench.up(ROUTED)
    with Nodes(bench.lab()) as nodes:
        state = observe(nodes).state
    vlans = {(v.netns, v.link, v.vid): (v.pvid, v.untagged) for v in state.bridge_vlans}
    assert vlans["hv1", "web1.eth0", 10] == (True, True)
    assert vlans["hv1", "eno1", 10] == (False, False)
    assert vlans["tor1", "hv2.eno1", 20] == (False, False)
    assert ("hv1", "web1.eth0", 20) not in vlans
    assert {(q.netns, q.link) for q in state.qdiscs} >= {("hv1", "eno1"), ("tor1", "hv1.eno1")}
    assert Namespace(name="gw", role=Role.ROUTER) in state.namespaces


@pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
def test_an_edit_changes_that_object_only(bench: Bench) -> None:
    """A VLAN taken off one trunk is one bridge VLAN removed, and nothing else."""
    bench.up(ROUTED)
    done = bench.up(ROUTED.replace("delay: 1ms", "delay: 1ms, vlans: [20]"))
    assert [describe_change(change) for change in done.changes] == ["- VLAN 10 on tor1.hv2.eno1"]


def test_a_vm_more_leaves_the_others_alone(bench: Bench) -> None:
    """A VM added to the file adds its own objects, and one that goes takes its own along."""
    bench.up(FLAT)
    added = bench.up(FLAT + "  c: {on: hv2}\n").changes
    assert all(change.old is None for change in added)
    assert {c.subject.netns for c in added if not isinstance(c.subject, Namespace)} == {"c", "hv2"}
    removed = bench.up(FLAT).changes
    assert [describe_change(change) for change in removed] == [
        "- vSwitch port hv2.c.eth0",
        "- VM c",
    ]


DRIFT = {
    "link down": ("a", "ip link set eth0 down"),
    "address gone": ("a", "ip addr flush dev eth0"),
    "address more": ("a", "ip addr add 192.0.2.1/24 dev eth0"),
    "another MTU": ("hv1", "ip link set eno1 mtu 1400"),
    "another MAC": ("a", "ip link set eth0 address 02:00:00:00:00:99"),
    "route more": ("a", "ip route add 192.0.2.0/24 via 10.0.0.1"),
    "port without bridge": ("hv1", "ip link set a.eth0 nomaster"),
    "bridge gone": ("hv1", "ip link del vs0"),
    "uplink gone": ("hv1", "ip link del eno1"),
    "foreign link": ("hv1", "ip link add stranger type veth peer name danger"),
    "qdisc gone": ("hv1", "tc qdisc del dev eno1 root"),
    "another rate": ("hv1", "tc qdisc replace dev eno1 root tbf rate 1mbit burst 9k limit 9k"),
    "forwarding on": ("a", "sysctl -q -w net.ipv4.ip_forward=1"),
    "forwarding on one link": ("a", "sysctl -q -w net.ipv4.conf.eth0.forwarding=1"),
    "strict reverse path": ("a", "sysctl -q -w net.ipv4.conf.eth0.rp_filter=1"),
    "no ARP replies": ("a", "sysctl -q -w net.ipv4.conf.all.arp_ignore=8"),
    "no echo replies": ("a", "sysctl -q -w net.ipv4.icmp_echo_ignore_all=1"),
    "no redirects": ("a", "sysctl -q -w net.ipv4.conf.eth0.send_redirects=0"),
    "redirects": ("a", "sysctl -q -w net.ipv4.conf.eth0.accept_redirects=0"),
    "echo to broadcasts": ("a", "sysctl -q -w net.ipv4.icmp_echo_ignore_broadcasts=0"),
    "a hypervisor forwards": ("hv1", "sysctl -q -w net.ipv4.ip_forward=1"),
    "a hypervisor's ARP": ("hv1", "sysctl -q -w net.ipv4.conf.all.arp_ignore=8"),
    "no IPv6": ("a", "sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=1"),
    "blackhole": ("a", "ip route add blackhole 192.0.2.0/24"),
    "route in another table": ("a", "ip route add 192.0.2.0/24 via 10.0.0.1 table 1000"),
    "route with a metric": ("a", "ip -6 route add 2001:db8::/32 via fd00::1 metric 7"),
    "two ways": ("a", "ip route add 192.0.2.0/24 nexthop via 10.0.0.1 nexthop via 10.0.0.2"),
    "no route to the prefix": ("a", "ip route del 10.0.0.0/24 dev eth0"),
    "no route to the IPv6 prefix": ("a", "ip -6 route del fd00::/64 dev eth0"),
    "policy rule": ("a", "ip rule add from 10.0.0.0/24 to 192.0.2.1 prio 100 table 200"),
    "IPv6 policy rule": ("a", "ip -6 rule add fwmark 7 prio 100 unreachable"),
    "main rule gone": ("a", "ip rule del prio 32766"),
    "static neighbour": (
        "a",
        "ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
    ),
    "static IPv6 neighbour": (
        "a",
        "ip neigh add fd00::77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
    ),
    "noarp neighbour": (
        "a",
        "ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud noarp",
    ),
    "neighbour learned elsewhere": (
        "a",
        "ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud reachable extern_learn",
    ),
    "no ARP": ("hv1", "ip link set eno1 arp off"),
    "no ARP of a VM": ("a", "ip link set eth0 arp off"),
    "promiscuous": ("a", "ip link set eth0 promisc on"),
    "no multicast": ("a", "ip link set eth0 multicast off"),
    "all multicast": ("hv1", "ip link set vs0 allmulticast on"),
    "backup port": ("hv1", "bridge link set dev eno1 backup_port a.eth0"),
    "loopback MTU": ("a", "ip link set lo mtu 1000"),
    "address that goes": ("a", "ip addr add 10.0.0.99/24 dev eth0 valid_lft 900 preferred_lft 900"),
    "address with a peer": ("a", "ip addr add 192.0.2.1 peer 192.0.2.2 dev eth0"),
    "no questions": ("a", "sysctl -q -w net.ipv4.neigh.eth0.mcast_solicit=0"),
    "no IPv6 questions": ("a", "sysctl -q -w net.ipv6.neigh.eth0.mcast_solicit=0"),
    "short hops": ("a", "sysctl -q -w net.ipv6.conf.eth0.hop_limit=1"),
    "MAC as a group": ("a", "ip maddr add 02:00:00:00:00:98 dev eth0"),
    "throw": ("a", "ip route add throw 192.0.2.0/24"),
    "IPv6 throw": ("a", "ip -6 route add throw 2001:db8::/32"),
    "local route": ("a", "ip route add local 192.0.2.0/24 dev lo"),
    "local route elsewhere": ("a", "ip route add local 192.0.2.0/24 dev lo table main"),
    "IPv6 local route": ("a", "ip -6 route add local 2001:db8::/32 dev lo"),
    "broadcast route": ("a", "ip route add broadcast 192.0.2.255 dev eth0 table local"),
    "IPv6 anycast route": ("a", "ip -6 route add anycast 2001:db8::1 dev eth0"),
    "multicast route": ("a", "ip route add multicast 239.0.0.0/8 dev eth0"),
    "address not accepted": ("a", "ip -4 route flush table local dev eth0"),
    "route as the kernel's": ("a", "ip route add 192.0.2.0/24 via 10.0.0.1 proto kernel"),
    "route with TOS": ("a", "ip route add 192.0.2.0/24 tos 0x10 via 10.0.0.1"),
    "route by source": ("a", "ip -6 route add 2001:db8::/32 from fd00::/64 dev eth0"),
    "rule with ports": ("a", "ip rule add prio 100 ipproto tcp dport 80 table 200"),
    "main rule shadowed": ("a", "ip rule add prio 32766 table main suppress_prefixlength 0"),
    "inverted rule": ("a", "ip rule add not from 10.0.0.0/24 prio 100 blackhole"),
    "MAC received": ("a", "bridge fdb add 02:00:00:00:00:77 dev eth0 self"),
    "MAC of a group received": ("a", "bridge fdb add 03:00:00:00:00:77 dev eth0 self"),
    "MAC received by a port": ("hv1", "bridge fdb add 02:00:00:00:00:77 dev eno1 self permanent"),
    "loopback down": ("a", "ip link set lo down"),
    "alias gone": ("a", "ip link set eth0 alias x"),
}


@pytest.mark.parametrize("drift", DRIFT)
def test_drift_is_seen_and_repaired(bench: Bench, in_node: InNode, drift: str) -> None:
    """What somebody changed by hand shows in `status`, and `up` brings it back."""
    bench.up(FLAT)
    node, command = DRIFT[drift]
    in_node(node, *command.split())
    assert verbs.status("bench", bench.root).drift
    assert bench.up(FLAT).changes
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("valid_lft 900 preferred_lft 900", "dynamic"),
        ("preferred_lft 0", "deprecated"),
        ("scope host", "scope host"),
        ("peer 192.0.2.9/24", "peer 192.0.2.9"),
    ],
)
def test_an_address_that_is_not_as_meant_is_made_anew(
    bench: Bench, in_node: InNode, change: str, words: str
) -> None:
    """Its lifetime, scope and peer count, though the address stays."""
    bench.up(FLAT)
    (node,) = (it for it in verbs.status("bench", bench.root).nodes if it.name == "a")
    address = next(it.interface for it in node.addresses if it.interface.version == 4)
    in_node("a", *f"ip address del {address} dev eth0".split())
    local = address.ip if "peer" in change else address
    in_node("a", *f"ip address add {local} {change} dev eth0".split())
    drift = [describe_change(change) for change in verbs.status("bench", bench.root).drift]
    assert any(line.startswith("- address") and words in line for line in drift), drift
    bench.up(FLAT)
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
def test_a_vlan_that_a_port_blocks_is_made_anew(bench: Bench, in_node: InNode) -> None:
    """What is set of one VLAN of a port shows in words, and goes."""
    bench.up(ROUTED)
    in_node("hv1", *["bridge", "vlan", "set", "dev", "eno1", "vid", "10", "state", "blocking"])
    drift = verbs.status("bench", bench.root).drift
    assert [describe_change(change) for change in drift] == [
        "- VLAN 10 on hv1.eno1, state blocking",
        "+ VLAN 10 on hv1.eno1: PVID no, egress tagged",
    ]
    bench.up(ROUTED)
    assert verbs.status("bench", bench.root).drift == ()


@pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
def test_a_vlan_more_on_a_port_is_drift_and_one_on_the_bridge_itself_is_not(
    bench: Bench, in_node: InNode
) -> None:
    """The VLANs of a bridge's own are for its namespace's IP stack, which does not use them."""
    bench.up(ROUTED)
    in_node("hv1", "bridge", "vlan", "add", "dev", "eno1", "vid", "30")
    in_node("hv1", "bridge", "vlan", "add", "dev", "vs0", "vid", "30", "self")
    drift = verbs.status("bench", bench.root).drift
    assert [describe_change(change) for change in drift] == ["- VLAN 30 on hv1.eno1"]
    bench.up(ROUTED)
    assert verbs.status("bench", bench.root).drift == ()


def test_a_namespace_deleted_by_hand_comes_back(bench: Bench) -> None:
    """`ip netns del` of one node is drift like any other."""
    bench.up(FLAT)
    bench.lab().remove_namespace("hv2")
    assert bench.up(FLAT).changes
    assert bench.plan(FLAT).changes == ()


def test_what_the_kernel_refuses_leaves_nothing(bench: Bench) -> None:
    """A new lab that cannot be completed is taken away again, with the kernel's reason."""
    topology = bench.load(FLAT)
    vm, *others = topology.vms
    multicast = replace(vm, nics=(replace(vm.nics[0], mac="01:00:5e:00:00:01"),))
    topology = replace(topology, vms=(multicast, *others))
    with pytest.raises(KernelRefusedError, match=r"make .*: .*"):
        verbs.up(topology, bench.root)
    assert bench.leftovers() == []


def test_a_lab_that_is_up_from_another_file_is_refused(bench: Bench) -> None:
    """Two files with one lab name do not turn one lab into the other by mistake."""
    bench.up(FLAT)
    other = bench.load("name: bench\n" + FLAT, "other")
    with pytest.raises(UsageError, match=r"up already from .*bench\.yaml"):
        verbs.up(other, bench.root)
    assert bench.plan(FLAT).changes == ()


def test_two_labs_with_the_same_names_stand_side_by_side(bench: Bench) -> None:
    """Taking one of them down leaves the other as it was."""
    bench.up(FLAT, "one")
    bench.up(FLAT, "two")
    bench.down("one")
    assert verbs.labs(bench.root) == ("two",)
    assert bench.plan(FLAT, "two").changes == ()


def test_down_from_inside_is_refused(bench: Bench) -> None:
    """A shell in the lab does not saw off the branch it sits on."""
    bench.up(FLAT)
    with entered(bench.lab().namespace("a")), pytest.raises(UsageError, match="inside lab"):
        bench.down()


def test_a_command_that_forgot_its_environment_is_inside_all_the_same(bench: Bench) -> None:
    """What counts is the namespaces that it is in."""
    bench.up(FLAT)
    bare = ("env", "-i", f"PYTHONPATH={os.pathsep.join(sys.path)}")
    down = (*bare, sys.executable, "-c", _DOWN, str(bench.root))
    command = (sys.executable, "-c", _ON_A, str(bench.root), *down)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "UsageError: this shell runs inside lab 'bench'" in done.stderr, done
    assert bench.plan(FLAT).changes == ()


def test_links_keep_their_full_name_and_role(bench: Bench) -> None:
    """A name too long for the kernel is cut, and stands whole in the link's ifalias."""
    long = "a-virtual-machine-with-a-name-of-exactly-sixty-characters-ok"
    bench.up(FLAT + f"  {long}: {{on: hv1}}\n")
    with Nodes(bench.lab()) as nodes:
        links = observe(nodes).state.links
    (port,) = [link for link in links if link.label == f"hv1.{long}.eth0"]
    assert (port.role, len(port.name)) == (Role.VSWITCH_PORT, 15)
    assert port.peer == LinkId(netns=long, name="eth0")
