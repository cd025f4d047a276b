"""A topology with nothing left to guess (pure).

What the user wrote (`model.py`) with every default, address and MAC filled in: the value that
the rest of vnetlab works on, that is cached beside a running lab, and that two equal files make
equal, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from vnetlab.topology.cables import Cable
from vnetlab.topology.ip import Address as Address
from vnetlab.topology.ip import Interface as Interface
from vnetlab.topology.ip import Network as Network
from vnetlab.topology.overlays import Overlay
from vnetlab.topology.policies import Firewall, RouterPolicy, SecurityGroup
from vnetlab.topology.ports import Port, StaticRoute, TaggedInterface
from vnetlab.topology.running import Limits, Service
from vnetlab.topology.switching import PhysicalSwitch
from vnetlab.topology.vrfs import Vrf


class Segment(Struct, frozen=True, kw_only=True):
    """A network (layer-2 segment) that VMs and routers attach to.

    `vlan` is its VLAN id, 1-4094; None where the topology uses no VLANs at all, so that its
    switches need not filter them. `gateways` are the addresses that hosts use as default gateway,
    held by some router: at most one per family. `mtu` is in bytes. `overlay` says how it is carried
    where it is an overlay: then no uplink carries its VLAN.
    """

    name: str
    vlan: int | None
    prefixes: tuple[Network, ...]
    gateways: tuple[Address, ...]
    mtu: int
    overlay: Overlay | None


class Pnic(Struct, frozen=True, kw_only=True):
    """A physical NIC of a hypervisor: the uplink of its vSwitch to a physical switch.

    `vlans` are the VLAN ids that the physical switch's trunk port carries to it, sorted; `native`
    the one that it carries without a tag. Empty and None where the topology has no VLANs.
    """

    name: str
    switch: str
    cable: Cable
    vlans: tuple[int, ...]
    native: int | None


class VSwitch(Struct, frozen=True, kw_only=True):
    """A virtual switch of a hypervisor, and the names of the pNICs that are its uplinks.

    `teaming` is how they are one uplink, None where they are not.
    """

    name: str
    pnics: tuple[str, ...]
    teaming: str | None = None


class HypervisorNic(Struct, frozen=True, kw_only=True):
    """An interface of a hypervisor itself (`vmk0`): an access port of a vSwitch, in one segment."""

    name: str
    vswitch: str
    segment: str
    mac: str
    addresses: tuple[Interface, ...]


class Hypervisor(Struct, frozen=True, kw_only=True):
    """A hypervisor with its vSwitches, its pNICs, and the interfaces that are its own."""

    name: str
    vswitches: tuple[VSwitch, ...]
    pnics: tuple[Pnic, ...]
    nics: tuple[HypervisorNic, ...]


class Attachment(Struct, frozen=True, kw_only=True):
    """An interface of a node with its own addresses in a segment, `tagged` or not; of which NIC."""

    name: str
    tagged: bool
    segment: str
    addresses: tuple[Interface, ...]


class Vnic(Struct, frozen=True, kw_only=True):
    """A virtual NIC of a VM, and the port of a vSwitch that it is plugged into.

    `name` is its name in the guest (`eth0`). `mac` is lower-case with colons. `segment` is that of
    frames without a tag, None where there is none; `tagged` those with one. Of the names in
    `security_groups` each is there once; without any, everything may pass.
    """

    name: str
    vswitch: str
    segment: str | None
    mac: str
    addresses: tuple[Interface, ...]
    port: Port
    tagged: tuple[TaggedInterface, ...]
    security_groups: tuple[str, ...] = ()


class HostNic(Struct, frozen=True, kw_only=True):
    """A NIC of a bare-metal host, cabled to a port of a physical switch; see Vnic."""

    name: str
    switch: str
    segment: str | None
    mac: str
    addresses: tuple[Interface, ...]
    tagged: tuple[TaggedInterface, ...]
    cable: Cable


class Vm(Struct, frozen=True, kw_only=True):
    """A virtual machine on a hypervisor."""

    name: str
    hypervisor: str
    nics: tuple[Vnic, ...]
    routes: tuple[StaticRoute, ...]
    sysctls: tuple[tuple[str, str], ...]
    services: tuple[Service, ...]
    limits: Limits
    firewall: Firewall = field(default_factory=Firewall)


class Host(Struct, frozen=True, kw_only=True):
    """A bare-metal host on physical switches."""

    name: str
    nics: tuple[HostNic, ...]
    routes: tuple[StaticRoute, ...]
    sysctls: tuple[tuple[str, str], ...]
    services: tuple[Service, ...]
    limits: Limits
    firewall: Firewall = field(default_factory=Firewall)


class RouterInterface(Struct, frozen=True, kw_only=True):
    """A router's interface in a segment; an 802.1Q sub-interface where the segment has a VLAN.

    `vrf` is the name of the VRF that it is in, None for none.
    """

    segment: str
    addresses: tuple[Interface, ...]
    vrf: str | None


class Router(Struct, frozen=True, kw_only=True):
    """A router on a stick: one trunk port, an interface per segment.

    The port is one of a physical switch, or of a vSwitch of a hypervisor: `switch`, or else
    `hypervisor` and `vswitch`, are not None. `mac` is that of its trunk port, which its
    sub-interfaces share. `external`: it has a link to the host's network as well.
    """

    name: str
    switch: str | None
    hypervisor: str | None
    vswitch: str | None
    mac: str
    interfaces: tuple[RouterInterface, ...]
    vrfs: tuple[Vrf, ...]
    cable: Cable
    routes: tuple[StaticRoute, ...]
    sysctls: tuple[tuple[str, str], ...]
    external: bool = False
    policy: RouterPolicy = field(default_factory=RouterPolicy)


class Group(Struct, frozen=True, kw_only=True):
    """A named set of nodes."""

    name: str
    nodes: tuple[str, ...]


class Expectation(Struct, frozen=True, kw_only=True):
    """What must be so between every source and every destination but itself.

    `text` is its short form. Destinations are nodes, or one address. `port` is None where nothing
    is said; `via` are nodes in the order in which a packet comes through them. `blocked` says that
    it must not arrive.
    """

    text: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    protocol: str
    port: int | None
    via: tuple[str, ...]
    blocked: bool


class Topology(Struct, frozen=True, kw_only=True):
    """A whole lab as its user means it.

    `source` is the absolute path of the file it came from; `lines` says where in which file each
    object was written: (`vms.web1`, `/lab.yaml:14`), sorted by path. Node names are unique over
    all kinds; every name that an object refers to is there.
    """

    name: str
    source: str
    segments: tuple[Segment, ...]
    physical_switches: tuple[PhysicalSwitch, ...]
    hypervisors: tuple[Hypervisor, ...]
    vms: tuple[Vm, ...]
    hosts: tuple[Host, ...]
    routers: tuple[Router, ...]
    groups: tuple[Group, ...]
    expectations: tuple[Expectation, ...]
    security_groups: tuple[SecurityGroup, ...]
    lines: tuple[tuple[str, str], ...]


def attachments(nics: Iterable[Vnic | HostNic | HypervisorNic]) -> Iterator[Attachment]:
    """Every interface with addresses that the nics give to their node, in their order."""
    for nic in nics:
        if nic.segment is not None:
            yield Attachment(
                name=nic.name, tagged=False, segment=nic.segment, addresses=nic.addresses
            )
        for tagged in getattr(nic, "tagged", ()):
            yield Attachment(
                name=nic.name, tagged=True, segment=tagged.segment, addresses=tagged.addresses
            )
