"""What the compilation of every kind of node is put together from (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    Namespace,
    Object,
    Role,
    Route,
    Sysctl,
)
from vnetlab.state.shaping import shape
from vnetlab.topology.cables import Cable
from vnetlab.topology.ip import EVERYWHERE
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import (
    HostNic,
    HypervisorNic,
    Interface,
    Segment,
    Topology,
    Vnic,
    attachments,
)

NATIVE_VLAN = 1
"""The VLAN that trunks carry without a tag (IEEE 802.1Q-2022, 9.6: the default PVID)."""

SWITCH_BRIDGE = "br0"

DEFAULT_ROUTE = EVERYWHERE

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
    Role.HOST: _LAYER_3 | {"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0"},
    Role.VM: _LAYER_3 | {"net/ipv4/ip_forward": "0", "net/ipv6/conf/all/forwarding": "0"},
    Role.ROUTER: _LAYER_3 | {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"},
}


_NONE: Mapping[str, str] = MappingProxyType({})


class Context:
    """One compilation: the topology and what is looked up in it again and again."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.segments = {segment.name: segment for segment in topology.segments}
        self.vlans = [
            segment.vlan
            for segment in topology.segments
            if segment.vlan is not None and segment.overlay is None
        ]
        self.members = _members(topology)
        self.trunk_mtu = max((segment.mtu for segment in topology.segments), default=1500)

    def bridge(self, netns: str, name: str, role: Role, *, label: str) -> Link:
        """A bridge with its own MAC; `label` is its full name."""
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
        """A physical switch's port, named after what is plugged into it."""
        return replace(self.link(switch, name, Role.PHYSICAL_PORT), master=SWITCH_BRIDGE)

    def mac(self, label: str) -> str:
        """A locally administered address, the same for the same lab and label (RFC 9542, 2.1)."""
        digest = hashlib.blake2b(f"{self.topology.name}/{label}".encode(), digest_size=5).digest()
        return ":".join(f"{byte:02x}" for byte in b"\x02" + digest)


def _members(topology: Topology) -> dict[str, dict[str, str]]:
    """By segment: the hypervisors that have ports in it, and on which vSwitch (the first)."""
    members: dict[str, dict[str, str]] = {segment.name: {} for segment in topology.segments}
    for vm in topology.vms:
        for nic in vm.nics:
            for attached in attachments((nic,)):
                members[attached.segment].setdefault(vm.hypervisor, nic.vswitch)
    for router in topology.routers:
        for interface in router.interfaces if router.hypervisor is not None else ():
            members[interface.segment].setdefault(str(router.hypervisor), str(router.vswitch))
    return members


def node(name: str, role: Role, settings: Mapping[str, str] = _NONE) -> Iterator[Object]:
    """A namespace, and the settings that each of its role has, or this one otherwise."""
    yield Namespace(name=name, role=role)
    for key, value in (_SYSCTLS[role] | dict(settings)).items():
        yield Sysctl(netns=name, key=key, value=value)


def veth(left: Link, right: Link) -> Iterator[Link]:
    """The two ends of a veth pair."""
    yield replace(left, peer=right.id)
    yield replace(right, peer=left.id)


def cable(near: Link, far: Link, plugged: Cable) -> Iterator[Object]:
    """A veth pair that is a cable: outbound is what leaves its near end."""
    if plugged.mtu is not None:
        near, far = replace(near, mtu=plugged.mtu), replace(far, mtu=plugged.mtu)
    yield from veth(near, far)
    yield from shape(near.id, plugged.outbound)
    yield from shape(far.id, plugged.inbound)


def trunk_vlans(
    port: Link, vlans: Iterable[int], *, native: int | None = NATIVE_VLAN
) -> Iterator[BridgeVlan]:
    """The VLANs of a trunk port: with a tag, but for the native one."""
    for vid in vlans:
        yield bridge_vlan(port, vid, access=vid == native)


def bridge_vlan(port: Link, vid: int, *, access: bool) -> BridgeVlan:
    """A VLAN on a port: without a tag both ways (`access`), or with one."""
    return BridgeVlan(netns=port.netns, link=port.name, vid=vid, pvid=access, untagged=access)


def addresses_on(link: Link, interfaces: Iterable[Interface]) -> Iterator[Address]:
    """The addresses of a link."""
    for interface in interfaces:
        yield Address(netns=link.netns, link=link.name, interface=interface)


def default_routes(
    context: Context, netns: str, nics: Iterable[Vnic | HostNic | HypervisorNic]
) -> Iterator[Route]:
    """A default route per family, through the first interface whose network has a gateway."""
    seen: set[int] = set()
    for attached in attachments(nics):
        segment = context.segments[attached.segment]
        own = {interface.ip for interface in attached.addresses}
        for gateway in segment.gateways:
            held = {address.version for address in attached.addresses}
            if gateway.version in held - seen and gateway not in own:
                seen.add(gateway.version)
                everywhere = DEFAULT_ROUTE[gateway.version]
                link = f"{attached.name}.{segment.vlan}" if attached.tagged else attached.name
                yield Route(netns=netns, destination=everywhere, via=gateway, link=link)


def has_ipv6(addresses: Iterable[Interface]) -> bool:
    """Whether any of the addresses is IPv6."""
    return any(address.version == 6 for address in addresses)


def is_native(segment: Segment) -> bool:
    """Whether a trunk carries the segment without a tag."""
    return segment.vlan in (None, NATIVE_VLAN)
