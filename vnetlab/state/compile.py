"""From what the user means to what the kernel should have (pure).

The one translator between the two vocabularies: a vNIC becomes a veth pair with one end in the
VM and one on the vSwitch, an access port becomes a bridge VLAN with `pvid` and `untagged`, an
uplink a shaped veth pair between a hypervisor and a physical switch.

Link names: `eth0` in a VM; a port is named after what is plugged into it (`web1.eth0` on a
vSwitch, `hv1.eno1` on a physical switch), cut to the kernel's 15 bytes by `kernel_name`. Names in
a topology have no dot, so that no two of these meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_network

from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    Namespace,
    Object,
    Role,
    Route,
    State,
    Sysctl,
    collect,
)
from vnetlab.state.shaping import shape
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import (
    Hypervisor,
    Interface,
    PhysicalSwitch,
    Pnic,
    Router,
    Segment,
    Topology,
    Vm,
    Vnic,
)

NATIVE_VLAN = 1
"""The VLAN that trunks carry without a tag (IEEE 802.1Q-2022, 9.6: the default PVID)."""

SWITCH_BRIDGE = "br0"
ROUTER_LINK = "eth0"

DEFAULT_ROUTE = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}

_LAYER_2_ONLY = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/bridge/bridge-nf-call-arptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
    "net/bridge/bridge-nf-call-iptables": "0",
}
_LAYER_3 = {
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
_SYSCTLS: dict[Role, dict[str, str]] = {
    Role.HYPERVISOR: _LAYER_2_ONLY,
    Role.PHYSICAL_SWITCH: _LAYER_2_ONLY,
    Role.VM: _LAYER_3 | {"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0"},
    Role.ROUTER: _LAYER_3 | {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"},
}


def compile_topology(topology: Topology) -> State:
    """Return the state that the kernel should have for `topology`."""
    compiler = _Compiler(topology)
    return collect(compiler.objects())


class _Compiler:
    """One compilation: the topology and what is looked up in it again and again."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.segments = {segment.name: segment for segment in topology.segments}
        self.vlans = [segment.vlan for segment in topology.segments if segment.vlan is not None]
        self.trunk_mtu = max((segment.mtu for segment in topology.segments), default=1500)

    def objects(self) -> Iterator[Object]:
        """Every object of the lab, in no particular order."""
        for switch in self.topology.physical_switches:
            yield from self.physical_switch(switch)
        for hypervisor in self.topology.hypervisors:
            yield from self.hypervisor(hypervisor)
        for vm in self.topology.vms:
            yield from self.vm(vm)
        for router in self.topology.routers:
            yield from self.router(router)

    def physical_switch(self, switch: PhysicalSwitch) -> Iterator[Object]:
        yield from _node(switch.name, Role.PHYSICAL_SWITCH)
        yield self.bridge(switch.name, SWITCH_BRIDGE, Role.PHYSICAL_SWITCH, label=switch.name)

    def hypervisor(self, hypervisor: Hypervisor) -> Iterator[Object]:
        yield from _node(hypervisor.name, Role.HYPERVISOR)
        vswitch_of = {pnic: vs.name for vs in hypervisor.vswitches for pnic in vs.pnics}
        for vswitch in hypervisor.vswitches:
            label = f"{hypervisor.name}.{vswitch.name}"
            yield self.bridge(hypervisor.name, vswitch.name, Role.VSWITCH, label=label)
        for pnic in hypervisor.pnics:
            yield from self.uplink(hypervisor.name, pnic, master=vswitch_of.get(pnic.name))

    def uplink(self, hypervisor: str, pnic: Pnic, *, master: str | None) -> Iterator[Object]:
        """A pNIC and the physical switch's port that it is cabled to, shaped in both directions."""
        inner = replace(self.link(hypervisor, pnic.name, Role.PNIC), master=master)
        outer = self.switch_port(pnic.switch, f"{hypervisor}.{pnic.name}")
        yield from _veth(inner, outer)
        if master is not None:
            yield from _trunk(inner, self.vlans)
        yield from _trunk(outer, pnic.vlans)
        for end in (inner, outer):
            yield from shape(end.id, rate_bit_s=pnic.rate_bit_s, delay_ns=pnic.delay_ns)

    def vm(self, vm: Vm) -> Iterator[Object]:
        yield from _node(vm.name, Role.VM)
        for vnic in vm.nics:
            yield from self.vnic(vm, vnic)
        yield from self.default_routes(vm)

    def vnic(self, vm: Vm, vnic: Vnic) -> Iterator[Object]:
        """A vNIC and the vSwitch's access port that it is plugged into."""
        segment = self.segments[vnic.segment]
        guest = replace(
            self.link(vm.name, vnic.name, Role.VNIC),
            mac=vnic.mac,
            mtu=segment.mtu,
            link_local=_has_ipv6(vnic.addresses),
        )
        port = replace(
            self.link(vm.hypervisor, f"{vm.name}.{vnic.name}", Role.VSWITCH_PORT),
            mtu=segment.mtu,
            master=vnic.vswitch,
        )
        yield from _veth(guest, port)
        yield from _addresses(guest, vnic.addresses)
        if segment.vlan is not None:
            yield _bridge_vlan(port, segment.vlan, access=True)

    def default_routes(self, vm: Vm) -> Iterator[Route]:
        """A default route per family, through the first vNIC whose network has a gateway."""
        seen: set[int] = set()
        for vnic in vm.nics:
            for gateway in self.segments[vnic.segment].gateways:
                held = {address.version for address in vnic.addresses}
                if gateway.version in held - seen:
                    seen.add(gateway.version)
                    everywhere = DEFAULT_ROUTE[gateway.version]
                    yield Route(netns=vm.name, destination=everywhere, via=gateway, link=vnic.name)

    def router(self, router: Router) -> Iterator[Object]:
        yield from _node(router.name, Role.ROUTER)
        trunk = replace(self.link(router.name, ROUTER_LINK, Role.ROUTER_PORT), mac=router.mac)
        segments = [self.segments[interface.segment] for interface in router.interfaces]
        native = [i for i in router.interfaces if _is_native(self.segments[i.segment])]
        for interface in native:
            trunk = replace(trunk, link_local=_has_ipv6(interface.addresses))
            yield from _addresses(trunk, interface.addresses)
        port = self.switch_port(router.switch, f"{router.name}.{ROUTER_LINK}")
        yield from _veth(trunk, port)
        yield from _trunk(port, [s.vlan for s in segments if s.vlan is not None])
        for interface in router.interfaces:
            if interface not in native:
                segment = self.segments[interface.segment]
                sub = Link(
                    netns=router.name,
                    name=f"{ROUTER_LINK}.{segment.vlan}",
                    kind=Kind.VLAN,
                    role=Role.ROUTER_INTERFACE,
                    label=f"{router.name}.{segment.name}",
                    mac=router.mac,
                    mtu=segment.mtu,
                    link_local=_has_ipv6(interface.addresses),
                    parent=ROUTER_LINK,
                    vlan=segment.vlan,
                )
                yield sub
                yield from _addresses(sub, interface.addresses)

    def bridge(self, netns: str, name: str, role: Role, *, label: str) -> Link:
        return Link(
            netns=netns,
            name=kernel_name(name),
            kind=Kind.BRIDGE,
            role=role,
            label=label,
            mac=self.mac(label),
            mtu=self.trunk_mtu,
            vlan_filtering=bool(self.vlans),
        )

    def link(self, netns: str, name: str, role: Role) -> Link:
        """One end of a veth pair: its full name, cut for the kernel, and a MAC of its own."""
        label = f"{netns}.{name}"
        return Link(
            netns=netns,
            name=kernel_name(name),
            kind=Kind.VETH,
            role=role,
            label=label,
            mac=self.mac(label),
            mtu=self.trunk_mtu,
        )

    def switch_port(self, switch: str, name: str) -> Link:
        return replace(self.link(switch, name, Role.PHYSICAL_PORT), master=SWITCH_BRIDGE)

    def mac(self, label: str) -> str:
        """A locally administered address, the same for the same lab and label (RFC 9542, 2.1)."""
        digest = hashlib.blake2b(f"{self.topology.name}/{label}".encode(), digest_size=5).digest()
        return ":".join(f"{byte:02x}" for byte in b"\x02" + digest)


def _node(name: str, role: Role) -> Iterator[Object]:
    yield Namespace(name=name, role=role)
    for key, value in _SYSCTLS[role].items():
        yield Sysctl(netns=name, key=key, value=value)


def _veth(left: Link, right: Link) -> Iterator[Link]:
    yield replace(left, peer=right.id)
    yield replace(right, peer=left.id)


def _trunk(port: Link, vlans: Iterable[int]) -> Iterator[BridgeVlan]:
    for vid in vlans:
        yield _bridge_vlan(port, vid, access=vid == NATIVE_VLAN)


def _bridge_vlan(port: Link, vid: int, *, access: bool) -> BridgeVlan:
    """A VLAN on a port: without a tag both ways (`access`), or with one."""
    return BridgeVlan(netns=port.netns, link=port.name, vid=vid, pvid=access, untagged=access)


def _addresses(link: Link, addresses: Iterable[Interface]) -> Iterator[Address]:
    for address in addresses:
        yield Address(netns=link.netns, link=link.name, interface=address)


def _has_ipv6(addresses: Iterable[Interface]) -> bool:
    return any(address.version == 6 for address in addresses)


def _is_native(segment: Segment) -> bool:
    return segment.vlan in (None, NATIVE_VLAN)
