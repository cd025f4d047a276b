"""What a topology becomes in the kernel's words."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_interface
from pathlib import Path

import pytest

from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import Kind, Link, LinkId, Role, State, Sysctl
from vnetlab.topology.load import load

Compile = Callable[[str], State]


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    """Compile the topology in a text."""

    def compile_text(text: str) -> State:
        path = tmp_path / "lab.yaml"
        path.write_text(text)
        return compile_topology(load(path))

    return compile_text


VLANS = """\
networks:
  one: {vlan: 1, ipv4: 10.1.0.0/24}
  ten: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd10::/64", mtu: 9000}
hypervisors:
  hv1: {pnics: {eno1: {rate: 100mbit, delay: 1ms}}}
vms:
  a: {nics: [one]}
  b: {nics: [ten, one]}
routers: {gw: }
"""
FLAT = "vms: {a: , b: }\n"


def vlans_of(state: State, port: str) -> dict[int, str]:
    """The VLANs of a port, each with its flags: p for PVID, u for untagged."""
    found = [vlan for vlan in state.bridge_vlans if f"{vlan.netns}.{vlan.link}" == port]
    return {vlan.vid: "p" * vlan.pvid + "u" * vlan.untagged for vlan in found}


def link_of(state: State, name: str) -> Link:
    """The link `NETNS.NAME`."""
    netns, _, ifname = name.partition(".")
    (found,) = [link for link in state.links if link.id == LinkId(netns=netns, name=ifname)]
    return found


def test_equal_files_compile_to_equal_states(compiled: Compile) -> None:
    """Every name, MAC and address is the same each time."""
    assert compiled(VLANS) == compiled(VLANS)


def test_an_access_port_carries_its_vlan_untagged_both_ways(compiled: Compile) -> None:
    """What a VM sends gets the VLAN (PVID); what it receives has lost the tag."""
    state = compiled(VLANS)
    assert vlans_of(state, "hv1.a.eth0") == {1: "pu"}
    assert vlans_of(state, "hv1.b.eth0") == {10: "pu"}


def test_a_trunk_carries_all_vlans_tagged_but_the_native_one(compiled: Compile) -> None:
    """VLAN 1 crosses a trunk without a tag, on both of its ends."""
    state = compiled(VLANS)
    for port in ("hv1.eno1", "tor1.hv1.eno1", "tor1.gw.eth0"):
        assert vlans_of(state, port) == {1: "pu", 10: ""}


def test_a_router_is_in_the_native_vlan_without_a_sub_interface(compiled: Compile) -> None:
    """The network of VLAN 1 is on the port itself, the other on an 802.1Q sub-interface."""
    state = compiled(VLANS)
    held = {(a.link, str(a.interface)) for a in state.addresses if a.netns == "gw"}
    assert held == {
        ("eth0", "10.1.0.1/24"),
        ("eth0.10", "10.10.0.1/24"),
        ("eth0.10", "fd10::1/64"),
    }
    sub = link_of(state, "gw.eth0.10")
    assert (sub.kind, sub.parent, sub.vlan, sub.mtu) == (Kind.VLAN, "eth0", 10, 9000)
    assert sub.mac == link_of(state, "gw.eth0").mac


def test_trunks_and_bridges_are_as_large_as_the_largest_network(compiled: Compile) -> None:
    """An MTU of 9000 in one network fits through every trunk, and no VM of another gets it."""
    state = compiled(VLANS)
    for name in ("hv1.eno1", "tor1.hv1.eno1", "hv1.vs0", "tor1.br0", "gw.eth0"):
        assert link_of(state, name).mtu == 9000
    assert link_of(state, "a.eth0").mtu == link_of(state, "hv1.a.eth0").mtu == 1500


def test_both_ends_of_an_uplink_are_shaped(compiled: Compile) -> None:
    """Each direction has the rate and the delay."""
    kinds = {(q.netns, q.link, q.kind) for q in compiled(VLANS).qdiscs}
    assert kinds == {
        (netns, link, kind)
        for netns, link in (("hv1", "eno1"), ("tor1", "hv1.eno1"))
        for kind in ("netem", "tbf")
    }


def test_the_first_vnic_with_a_gateway_has_the_default_route(compiled: Compile) -> None:
    """One per family; a second network's gateway is not used for it."""
    routes = {(r.via and str(r.via), r.link) for r in compiled(VLANS).routes if r.netns == "b"}
    assert routes == {("10.10.0.1", "eth0"), ("fd10::1", "eth0")}


def test_a_lab_without_vlans_needs_no_filtering(compiled: Compile) -> None:
    """Its bridges do not filter and its ports have no VLANs: any kernel can hold it."""
    state = compiled(FLAT)
    assert not state.bridge_vlans
    assert not any(link.vlan_filtering for link in state.links)


def test_ipv6_is_kept_off_where_nobody_uses_it(compiled: Compile) -> None:
    """Ports, trunks and guests without an IPv6 address make no link-local one."""
    state = compiled(VLANS)
    makers = {str(link.id) for link in state.links if link.link_local}
    assert makers == {"b.eth0", "gw.eth0.10"}


def test_only_routers_forward(compiled: Compile) -> None:
    """A VM drops what is not for it; switches have no such setting."""
    forwarding = {s.netns: s.value for s in compiled(VLANS).sysctls if s.key.endswith("ip_forward")}
    assert forwarding == {"a": "0", "b": "0", "gw": "1"}


def test_switches_take_no_part_in_ip(compiled: Compile) -> None:
    """No IPv6 in their namespaces, and bridged frames are no business of the host's firewall."""
    state = compiled(FLAT)
    key = "net/bridge/bridge-nf-call-iptables"
    assert Sysctl(netns="hv1", key=key, value="0") in state.sysctls
    assert Sysctl(netns="hv1", key="net/ipv6/conf/all/disable_ipv6", value="1") in state.sysctls


def test_ports_are_named_after_what_is_plugged_in(compiled: Compile) -> None:
    """A full name stands in the label, and as much of it as the kernel takes in the name."""
    name = "a-virtual-machine-with-a-name-of-exactly-sixty-characters-ok"
    assert len(name) == 60
    state = compiled(f"vms: {{{name}: }}\n")
    (port,) = [link for link in state.links if link.role is Role.VSWITCH_PORT]
    assert port.label == f"hv1.{name}.eth0"
    assert port.name.startswith("a-virt")
    assert len(port.name) == 15
    assert port.peer == LinkId(netns=name, name="eth0")


def test_peers_are_mutual_and_every_master_is_a_bridge(compiled: Compile) -> None:
    """What a link names is there."""
    state = compiled(VLANS)
    links = {link.id: link for link in state.links}
    for link in state.links:
        if link.kind is Kind.VETH:
            assert link.peer is not None
            assert links[link.peer].peer == link.id
        if link.master is not None:
            assert links[LinkId(netns=link.netns, name=link.master)].kind is Kind.BRIDGE


def test_every_link_has_a_mac_of_its_own(compiled: Compile) -> None:
    """Only a router's sub-interfaces share one, that of their port; all are local unicast."""
    links = [link for link in compiled(VLANS).links if link.kind is not Kind.VLAN]
    assert len({link.mac for link in links}) == len(links)
    assert all(int(link.mac[:2], 16) & 3 == 2 for link in links)


def test_two_labs_of_one_file_have_other_macs(compiled: Compile) -> None:
    """Labs that are bridged together some day do not clash."""
    one, two = compiled("name: one\n" + FLAT), compiled("name: two\n" + FLAT)
    assert not {link.mac for link in one.links} & {link.mac for link in two.links}


def test_addresses_are_on_the_links_of_their_vnics(compiled: Compile) -> None:
    """A fixed address of a VM is where it was given."""
    state = compiled("vms: {a: {nics: [{ipv4: 10.0.0.7}]}}\n")
    (address,) = state.addresses
    assert (address.netns, address.link) == ("a", "eth0")
    assert address.interface == ip_interface("10.0.0.7/24")
