"""Trunk ports to guests, bare-metal hosts, static routes and settings, in a real kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from vnetlab import lab as verbs
from vnetlab.errors import KernelRefusedError, MissingFeatureError
from vnetlab.kernel import namespaces, sysctls
from vnetlab.lab import ProbeOptions
from vnetlab.state.show import describe_change

pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem", "tbf")
TOPOLOGIES = Path(__file__).parents[2] / "topologies"
TAGGING = (TOPOLOGIES / "guest-tagging.yaml").read_text()
PRIVATE = (TOPOLOGIES / "private-vlan.yaml").read_text()
BARE = (TOPOLOGIES / "bare-metal.yaml").read_text()
InNode = Callable[..., str]


def reaches(bench: Bench, source: str, destination: str, version: int = 4) -> bool:
    """Whether a probe gets its reply."""
    options = ProbeOptions(version=version)
    trace = verbs.probe("bench", source, destination, bench.root, options=options)
    return all(packet.outcome.name == "REPLIED" for packet in trace.packets)


@pytest.mark.parametrize("version", [4, 6])
def test_a_guest_routes_between_the_vlans_that_it_tags(bench: Bench, version: int) -> None:
    """Two VMs reach each other through sub-interfaces of a third one's only vNIC."""
    bench.up(TAGGING)
    assert reaches(bench, "web1", "db1", version)
    assert reaches(bench, "web2", "db1", version)
    assert bench.plan(TAGGING).changes == ()


def test_a_native_vlan_reaches_a_guest_without_a_tag(bench: Bench) -> None:
    """The vNIC itself is in the network of the trunk's native VLAN."""
    bench.up(TAGGING)
    assert reaches(bench, "admin", "fw")


def test_a_vlan_that_the_trunk_does_not_carry_does_not_reach_the_guest(
    bench: Bench, in_node: InNode
) -> None:
    """Without VLAN 20 at its port the guest's sub-interface hears nothing."""
    bench.up(TAGGING)
    in_node("hv1", "bridge", "vlan", "del", "dev", "fw.eth0", "vid", "20")
    assert not reaches(bench, "web1", "db1")
    assert [str(change.subject) for change in bench.up(TAGGING).changes]
    assert reaches(bench, "web1", "db1")


def test_bare_metal_hosts_are_nodes_like_others(bench: Bench) -> None:
    """They are reached from VMs, over the router and by each other, with tags or without."""
    bench.up(BARE)
    assert reaches(bench, "web1", "db1")
    assert reaches(bench, "backup", "db1")
    assert reaches(bench, "backup", "web1")
    assert reaches(bench, "backup", "db1", 6)
    assert bench.plan(BARE).changes == ()


def test_routes_and_settings_are_as_the_file_says(bench: Bench, in_node: InNode) -> None:
    """Each type of route, its metric, and a setting by name."""
    bench.up(BARE)
    routes = in_node("backup", "ip", "route")
    assert "192.0.2.0/24 via 10.20.0.5 dev eth0 proto static" in routes
    assert "blackhole 198.51.100.0/24" in routes
    assert "default via 10.10.0.1 dev eth1.10 proto static metric 50" in routes
    assert routes.count("default") == 1
    assert in_node("db1", "sysctl", "-n", "net.ipv4.icmp_ratemask").strip() == "0"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("192.0.2.0/24", "192.0.3.0/24", "route 192.0.3.0/24 via 10.20.0.5 dev eth0 in backup"),
        ("metric: 50", "metric: 60", "metric 60"),
        ("icmp_ratemask: 0", "icmp_ratemask: 9", "net.ipv4.icmp_ratemask in db1: value 0 -> 9"),
        ("rate: 10mbit", "rate: 20mbit", "tbf on backup.eth0"),
        ("tagged: [web, storage]", "tagged: [web]", "- VLAN interface backup.eth1.30"),
    ],
)
def test_an_edit_changes_what_it_is_about(
    bench: Bench, before: str, after: str, words: str
) -> None:
    """One value of the file, one object of the lab, in one round."""
    bench.up(BARE)
    edited = BARE.replace(before, after)
    changes = bench.up(edited).changes
    assert any(words in describe_change(change) for change in changes), changes
    touched = {getattr(change.subject, "netns", "") for change in changes}
    assert touched <= {"backup", "db1", "tor1"}
    assert bench.plan(edited).changes == ()


def test_a_setting_that_the_kernel_lacks_is_refused_before_anything_changes(bench: Bench) -> None:
    """It is named, with the node that wants it."""
    wanting = BARE.replace("icmp_ratemask", "no_such_setting")
    with pytest.raises(MissingFeatureError, match=r"net\.ipv4\.no_such_setting \(wanted by db1\)"):
        bench.up(wanting)
    assert bench.leftovers() == []


@pytest.mark.needs("nftables-bridge")
@pytest.mark.parametrize("version", [4, 6])
def test_customers_of_a_private_vlan_reach_what_they_share_alone(
    bench: Bench, version: int
) -> None:
    """Not each other, on one hypervisor or two; but the gateway and a server, and those them."""
    bench.up(PRIVATE)
    for customer in ("alice", "bob", "carol"):
        assert reaches(bench, customer, "backup", version)
        assert reaches(bench, customer, "gw", version)
        assert reaches(bench, "backup", customer, version)
    for pair in (("alice", "bob"), ("alice", "carol"), ("carol", "bob")):
        assert not reaches(bench, *pair, version)
    assert bench.plan(PRIVATE).changes == ()


def test_a_port_that_is_isolated_no_more_is_drift(bench: Bench, in_node: InNode) -> None:
    """Set by hand it lets neighbours talk, `up` names the port, and sets it alone again."""
    bench.up(PRIVATE)
    in_node("hv1", "bridge", "link", "set", "dev", "bob.eth0", "isolated", "off")
    assert reaches(bench, "alice", "bob")
    changes = [describe_change(change) for change in bench.up(PRIVATE).changes]
    assert changes == ["~ vSwitch port hv1.bob.eth0: port isolated none -> yes"]
    assert not reaches(bench, "alice", "bob")


def test_what_decides_on_packets_is_drift_though_the_file_does_not_name_it(
    bench: Bench, in_node: InNode
) -> None:
    """A rule, a static neighbour, a route of another table and settings: all set back by `up`."""
    bench.up(BARE)
    in_node("db1", "ip", "rule", "add", "from", "10.9.9.9", "table", "77")
    in_node("db1", "ip", "neigh", "add", "10.20.0.77", "lladdr", "02:00:00:00:00:77", "dev", "eth0")
    in_node("db1", "ip", "route", "add", "192.0.2.0/24", "via", "10.20.0.1", "table", "77")
    in_node("db1", "sysctl", "-w", "net.ipv4.conf.all.proxy_arp=1")
    changes = {describe_change(change) for change in bench.up(BARE).changes}
    assert changes == {
        "- IPv4 rule 32765: from 10.9.9.9/32 lookup 77 in db1",
        "- static neighbour 10.20.0.77 is 02:00:00:00:00:77 on db1.eth0",
        "- route 192.0.2.0/24 via 10.20.0.1 dev eth0 table 77 in db1",
        "~ net.ipv4.conf.all.proxy_arp in db1: value 1 -> 0",
    }
    assert bench.plan(BARE).changes == ()


def test_a_setting_that_the_kernel_rounds_is_told(bench: Bench) -> None:
    """The message has what was asked for and what was kept, and a new lab is undone."""
    lab = "vms: {a: {sysctls: {net.ipv4.icmp_ratelimit: 9}}}\n"
    with namespaces.away():
        namespaces.leave()
        sysctls.write("net/ipv4/icmp_ratelimit", "9")
        kept = sysctls.read("net/ipv4/icmp_ratelimit")
    if kept == "9":  # whole timer ticks: HZ=1000
        assert bench.up(lab).changes
        return
    with pytest.raises(KernelRefusedError) as refused:
        bench.up(lab)
    assert str(refused.value) == (
        "the kernel did not keep what was asked for: net.ipv4.icmp_ratelimit in a: "
        f"asked for value 9, it kept {kept}; ask for what it keeps: it rounds some values, and "
        "limits others"
    )
    assert bench.leftovers() == []
