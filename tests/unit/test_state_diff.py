"""What is removed, what is made again, what is left alone: one case each."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from msgspec.structs import replace

from vnetlab.state.diff import diff_states
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    Namespace,
    Object,
    Qdisc,
    Role,
    Route,
    Sysctl,
    collect,
)
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.shaping import ROOT, shape
from vnetlab.state.show import describe_change
from vnetlab.topology.cables import Shaping

HV, VM = Namespace(name="hv", role=Role.HYPERVISOR), Namespace(name="vm", role=Role.VM)


def link(where: str, kind: Kind | None = Kind.VETH, **settings: object) -> Link:
    """A link at `NETNS.NAME`."""
    netns, name = where.split(".", 1)
    fixed = Link(netns=netns, name=name, kind=kind, role=None, label=where, mac="", mtu=1500)
    return replace(fixed, **settings)


def pair(left: str, right: str, **settings: object) -> tuple[Link, Link]:
    """A veth; the settings are those of its left end."""
    one, other = link(left), link(right)
    return replace(one, peer=other.id, **settings), replace(other, peer=one.id)


def vlan(where: str, vid: int) -> BridgeVlan:
    """A tagged VLAN on a port."""
    netns, name = where.split(".", 1)
    return BridgeVlan(netns=netns, link=name, vid=vid, pvid=False, untagged=False)


def changes(observed: list[Object], desired: list[Object]) -> list[str]:
    """The changes in words, sorted."""
    found = diff_states(desired=collect(desired), observed=collect(observed))
    return sorted(describe_change(change).partition(":")[0] for change in found)


BRIDGE = link("hv.br0", Kind.BRIDGE)
PORT, GUEST = pair("hv.vm.eth0", "vm.eth0", master="br0")
ADDRESS = Address(netns="vm", link="eth0", interface=ip_interface("10.0.0.2/24"))
ROUTE = Route(
    netns="vm", destination=ip_network("0.0.0.0/0"), via=ip_address("10.0.0.1"), link="eth0"
)
LAB: list[Object] = [HV, VM, BRIDGE, PORT, GUEST, vlan("hv.vm.eth0", 10), ADDRESS, ROUTE]


def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    """Nothing inside it, nor on a veth that reaches into it, needs a step, but the veth."""
    assert changes(LAB, [HV, BRIDGE]) == ["- VM vm", "- link hv.vm.eth0"]


def test_two_namespaces_take_the_veth_between_them_along() -> None:
    """A veth whose both ends are in namespaces that go needs no step."""
    assert changes(LAB, []) == ["- VM vm", "- hypervisor hv"]


def test_a_veth_is_removed_by_one_end() -> None:
    """The other end, and what was on both, goes by itself."""
    assert changes(LAB, [HV, VM, BRIDGE]) == ["- link hv.vm.eth0"]


def test_a_veth_with_another_peer_is_made_anew_with_all_on_it() -> None:
    """What was on the old link and is desired on the new one is made again."""
    other = Namespace(name="hv2", role=Role.HYPERVISOR)
    port, guest = pair("hv2.vm.eth0", "vm.eth0")
    assert changes([*LAB, other], [HV, VM, other, BRIDGE, port, guest, ADDRESS, ROUTE]) == [
        "+ address 10.0.0.2/24 on vm.eth0",
        "+ link hv2.vm.eth0",
        "+ link vm.eth0",
        "+ route default via 10.0.0.1 dev eth0 in vm",
        "- link hv.vm.eth0",
    ]


def test_a_link_of_another_kind_is_made_anew() -> None:
    """A bridge's name that something else has taken is freed first."""
    impostor = link("hv.br0", None)
    assert changes([HV, impostor], [HV, BRIDGE]) == ["+ link hv.br0", "- link hv.br0"]


def test_a_bridge_that_comes_back_gets_its_ports_and_their_vlans_again() -> None:
    """The ports outlive the bridge, but no longer belong to one."""
    stray = replace(PORT, master=None)
    observed = [stray if item is PORT else item for item in LAB if item is not BRIDGE]
    assert changes([i for i in observed if not isinstance(i, BridgeVlan)], LAB) == [
        "+ VLAN 10 on hv.vm.eth0",
        "+ link hv.br0",
        "~ link hv.vm.eth0",
    ]


def test_a_bridge_made_anew_costs_its_ports_their_vlans() -> None:
    """The VLANs that the kernel forgets with the bridge are made again in the same plan."""
    impostor = replace(BRIDGE, kind=Kind.VLAN, parent="x", vlan=1)
    observed = [impostor if item is BRIDGE else item for item in LAB]
    assert changes(observed, LAB) == [
        "+ VLAN 10 on hv.vm.eth0",
        "+ link hv.br0",
        "- link hv.br0",
        "~ link hv.vm.eth0",
    ]


def test_a_port_that_changes_its_bridge_gets_its_vlans_again() -> None:
    """The kernel forgets them on the way; those that are too many need no step."""
    other = link("hv.br1", Kind.BRIDGE)
    moved = replace(PORT, master="br1")
    observed = [*LAB, other, vlan("hv.vm.eth0", 30)]
    desired = [moved if item is PORT else item for item in LAB] + [other]
    assert changes(observed, desired) == ["+ VLAN 10 on hv.vm.eth0", "~ link hv.vm.eth0"]


def test_the_last_ipv4_address_takes_the_ipv4_routes_along() -> None:
    """A new address in place of the only one brings the default route again."""
    new = replace(ADDRESS, interface=ip_interface("10.0.0.3/24"))
    desired = [new if item is ADDRESS else item for item in LAB]
    assert changes(LAB, desired) == [
        "+ address 10.0.0.3/24 on vm.eth0",
        "+ route default via 10.0.0.1 dev eth0 in vm",
        "- address 10.0.0.2/24 on vm.eth0",
    ]


def test_routes_stay_while_there_is_another_address() -> None:
    """An address more is removed alone."""
    more = replace(ADDRESS, interface=ip_interface("10.0.0.3/24"))
    assert changes([*LAB, more], LAB) == ["- address 10.0.0.3/24 on vm.eth0"]


def test_a_node_of_another_role_is_made_anew() -> None:
    """Settings of its former role, which nobody lists, do not stay behind."""
    router = replace(VM, role=Role.ROUTER)
    assert changes([VM], [router]) == ["+ router vm", "- VM vm"]


def test_a_node_whose_role_is_not_known_is_kept() -> None:
    """A namespace that `up` had no time to label gets its label, and keeps what it has."""
    nameless = replace(VM, role=None)
    observed = [nameless if item is VM else item for item in LAB]
    assert changes(observed, LAB) == ["~ VM vm"]


def test_a_setting_is_never_removed() -> None:
    """One that is not desired stays as it is: the kernel has no way to be without it."""
    assert changes([VM, Sysctl(netns="vm", key="net/ipv4/ip_forward", value="1")], [VM]) == []


def test_a_sub_interface_goes_with_the_link_below_it() -> None:
    """A new link below it means a new sub-interface."""
    sub = link("vm.eth0.10", Kind.VLAN, parent="eth0", vlan=10)
    outer = Namespace(name="out", role=None)
    out, into = pair("out.x", "vm.eth0")
    assert changes([outer, VM, out, into, sub], [HV, VM, PORT, GUEST, sub]) == [
        "+ hypervisor hv",
        "+ link hv.vm.eth0",
        "+ link vm.eth0",
        "+ link vm.eth0.10",
        "- link vm.eth0",
        "- namespace out",
    ]


def shaped(*qdiscs: Qdisc) -> list[Object]:
    """A lab with these queueing disciplines."""
    return [HV, BRIDGE, *qdiscs]


def foreign(parent: int, handle: int) -> Qdisc:
    """A queueing discipline of somebody's own."""
    return Qdisc(netns="hv", link="br0", handle=handle, parent=parent, kind="other", options=())


DELAY = shape(BRIDGE.id, Shaping(delay_ns=1_000_000))
RATE = shape(BRIDGE.id, Shaping(rate_bit_s=1_000_000))
BOTH = shape(BRIDGE.id, Shaping(rate_bit_s=1_000_000, delay_ns=1_000_000))


def test_a_delay_above_a_rate_takes_the_roots_place() -> None:
    """The rate at the root makes room, and comes again below the delay."""
    assert changes(shaped(*RATE), shaped(*BOTH)) == [
        "+ netem on hv.br0",
        "+ tbf on hv.br0",
        "- tbf on hv.br0",
    ]


def test_a_rate_below_a_delay_is_taken_away_alone() -> None:
    """The delay at the root stays."""
    assert changes(shaped(*BOTH), shaped(*DELAY)) == ["- tbf on hv.br0"]


def test_another_rate_is_set_in_place() -> None:
    """No packet in the queue is lost for it."""
    faster = shape(BRIDGE.id, Shaping(rate_bit_s=2_000_000))
    assert changes(shaped(*RATE), shaped(*faster)) == ["~ tbf on hv.br0"]


def test_a_foreign_root_goes_with_all_below_it() -> None:
    """Somebody's tree of queueing disciplines is removed by its root."""
    tree = (foreign(ROOT, 0x9_0000), foreign(0x9_0001, 0xA_0000), foreign(0xA_0001, 0xB_0000))
    assert changes(shaped(*tree), shaped(*RATE)) == ["+ tbf on hv.br0", "- other on hv.br0"]


def test_a_foreign_branch_goes_by_its_first_qdisc() -> None:
    """What hangs below ours is removed from where it begins."""
    branch = (foreign(0x2_0001, 0xA_0000), foreign(0xA_0001, 0xB_0000))
    assert changes(shaped(*RATE, *branch), shaped(*RATE)) == ["- other on hv.br0"]


def test_an_ingress_qdisc_has_nothing_to_do_with_the_root() -> None:
    """It is not below the root, nor the root below it, though their handles look like it."""
    ingress = foreign(0xFFFF_FFF1, 0xFFFF_0000)
    assert changes(shaped(*RATE, ingress), shaped(*RATE)) == ["- other on hv.br0"]
    assert changes(shaped(*RATE, ingress), shaped()) == ["- other on hv.br0", "- tbf on hv.br0"]


def test_settings_of_a_link_that_stays_are_one_change() -> None:
    """Drift of several settings is repaired by one step."""
    drifted = replace(GUEST, up=False, mtu=1400, link_local=True)
    observed = [drifted if item is GUEST else item for item in LAB]
    assert changes(observed, LAB) == ["~ link vm.eth0"]


def test_a_link_that_comes_into_a_vrf_gets_back_what_the_kernel_takes() -> None:
    """Its routes and IPv6 addresses are made again; its IPv4 address stays."""
    vrf = link("vm.red", Kind.VRF, table=9)
    address = Address(netns="vm", link="eth0", interface=ip_interface("fd00::2/64"))
    inside = replace(GUEST, master="red")
    lab = [item for item in LAB if item not in (GUEST, ROUTE)]
    found = changes([*lab, GUEST, ROUTE, address], [*lab, vrf, inside, address])
    assert found == [
        "+ address fd00",
        "+ link vm.red",
        "~ link vm.eth0",
    ]


def test_an_entry_of_a_vxlan_link_stays_when_its_bridge_goes() -> None:
    """A bridge takes the entries that it has for the port, not those of the link itself."""
    port = link("hv.vx", Kind.VXLAN, master="br0")
    own = FdbEntry(netns="hv", link="vx", mac="02:00:00:00:00:09", remote=ip_address("10.0.0.9"))
    static = FdbEntry(netns="hv", link="vx", mac="02:00:00:00:00:09")
    found = changes([HV, BRIDGE, port, own, static], [HV, replace(port, master=None), own])
    assert found == ["- link hv.br0"]
