"""What a user writes in a topology file: the language, one class per kind of object (pure).

These are the words of the file and nothing else: defaults are filled in by `defaults.py`, and
what refers to what is checked by `check_*.py`. The descriptions make the reference page.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from vnetlab.topology.forms import (
    Address4,
    Address6,
    Count,
    Flag,
    Gateways,
    Groups,
    Mac,
    Mtu,
    Names,
    Prefix4,
    Prefix6,
    Section,
    ShortForm,
    Text,
    Vlan,
)
from vnetlab.topology.forms_policies import Rest
from vnetlab.topology.model_cables import Cable, Trunk
from vnetlab.topology.model_expect import Expectations
from vnetlab.topology.model_overlays import VNI_FORM, HypervisorNic, Vxlan
from vnetlab.topology.model_policies import Firewall, Nat, Rules, SecurityGroup
from vnetlab.topology.model_ports import Machine, PortGroup, TaggedNetworks
from vnetlab.topology.model_running import Running
from vnetlab.topology.model_switching import PhysicalSwitch, TeamMode
from vnetlab.topology.model_vrfs import RouterRoutes, Vrf
from vnetlab.topology.part import Part


class Counted(Part):
    """An object that may stand for many."""

    count: Count | None = Field(
        default=None,
        description="Make this many of it, called NAME1, NAME2...; NAME is the group of them. "
        "Copies `on` a hypervisor with a count are spread over those. Default: only itself.",
    )


class Network(Part):
    """A network (layer-2 segment) that VMs and routers attach to, and its addresses."""

    model_config = ConfigDict(title="network")

    vlan: Vlan | None = Field(
        default=None,
        description="VLAN id, 1-4094; an overlay's is only for the vSwitches. "
        "Default: 1, and a free one for an overlay; no VLANs at all where no network has one.",
    )
    ipv4: Prefix4 | None = Field(
        default=None,
        description="IPv4 prefix. Default: 10.0.VLAN.0/24 where the network has no ipv6 either "
        "(10.0.0.0/24 without VLANs; the third number counts on from 256 into the second).",
    )
    ipv6: Prefix6 | None = Field(default=None, description="IPv6 prefix. Default: no IPv6.")
    gateway: Gateways | None = Field(
        default=None,
        description="Address of the router in this network, or a list with one per family. "
        "Default: the first host address of each prefix, where a router has the network.",
    )
    mtu: Mtu = Field(
        default=1500,
        description="Largest packet in bytes, 68-65535; with ipv6 from 1280. Default: 1500; "
        "an overlay's 50 less than its underlay's, over IPv6 70 less.",
    )
    vxlan: Annotated[Vxlan, ShortForm("id", of=int, form=VNI_FORM)] | None = Field(
        default=None,
        description="Makes it an overlay network, carried between hypervisors by VXLAN. "
        "Default: an ordinary network.",
    )
    underlay: Text | None = Field(
        default=None,
        description="The network that carries an overlay network. "
        "Default: the only one that is no overlay.",
    )


class Pnic(Trunk):
    """A physical NIC of a hypervisor: the uplink to a physical switch. Short form: its `to`."""

    model_config = ConfigDict(title="pNIC")

    to: Text | None = Field(default=None, description="Physical switch. Default: the only one.")


class VSwitch(Part):
    """A virtual switch of a hypervisor."""

    model_config = ConfigDict(title="vSwitch")

    pnics: tuple[Text, ...] | None = Field(
        default=None,
        description="The pNICs that are its uplinks. Default: all that no other vSwitch names, "
        "for the first vSwitch that does not say.",
    )
    teaming: TeamMode | None = Field(
        default=None,
        description="Makes its pNICs one uplink, a team: one of them with the others as a reserve "
        "(`active-backup`), or all of them at once, to one physical switch. Default: none.",
    )


class Hypervisor(Counted):
    """A hypervisor: virtual switches for its VMs, and pNICs to the physical network."""

    model_config = ConfigDict(title="hypervisor")

    pnics: Section[Annotated[Pnic, ShortForm("to")]] | None = Field(
        default=None,
        description="Its pNICs by name. Default: one, `eno1`, where there is a physical switch.",
    )
    vswitches: Section[VSwitch] | None = Field(
        default=None, description="Its virtual switches by name. Default: one, `vs0`."
    )
    nics: tuple[Annotated[HypervisorNic, ShortForm("network")], ...] | None = Field(
        default=None,
        description="Its own interfaces: vmk0, vmk1... "
        "Default: one in each underlay of the overlay networks that it has VMs in.",
    )


class Nic(Part):
    """A virtual NIC of a VM. Short form: its `network`."""

    model_config = ConfigDict(title="vNIC")

    network: Text | None = Field(
        default=None,
        description="Network of frames without a tag. Default: the port group's; the only one, "
        "where nothing is tagged.",
    )
    ipv4: Address4 | None = Field(default=None, description="IPv4 address. Default: assigned.")
    ipv6: Address6 | None = Field(default=None, description="IPv6 address. Default: assigned.")
    mac: Mac | None = Field(
        default=None, description="MAC address. Default: assigned, and begins with 02."
    )
    vswitch: Text | None = Field(
        default=None,
        description="vSwitch of the hypervisor that it is connected to. Default: the only one.",
    )
    security_groups: Names = Field(
        default=(),
        description="Security groups, which together say what may pass. Default: everything may.",
    )
    port_group: Text | None = Field(
        default=None,
        description="Port group of its port. Default: none, an access port of its network.",
    )
    tagged: TaggedNetworks = Field(
        default=(),
        description="Networks that the guest reaches with a tag, through eth0.VLAN; the port is "
        "then a trunk of theirs, if no port group says otherwise. Default: none.",
    )


class Vm(Counted, Machine, Running):
    """A virtual machine."""

    model_config = ConfigDict(title="VM")

    on: Text | None = Field(default=None, description="Hypervisor. Default: the only one.")
    nics: tuple[Annotated[Nic, ShortForm("network")], ...] | None = Field(
        default=None, description="Its vNICs: eth0, eth1... Default: one in the only network."
    )
    firewall: Firewall | None = Field(
        default=None, description="Its own packet filter. Default: none."
    )


class HostNic(Cable):
    """A NIC of a bare-metal host, and the cable to a physical switch. Short form: its `network`."""

    model_config = ConfigDict(title="host NIC")

    network: Text | None = Field(
        default=None,
        description="Network of frames without a tag. Default: the only one, where nothing is "
        "tagged.",
    )
    ipv4: Address4 | None = Field(default=None, description="IPv4 address. Default: assigned.")
    ipv6: Address6 | None = Field(default=None, description="IPv6 address. Default: assigned.")
    mac: Mac | None = Field(
        default=None, description="MAC address. Default: assigned, and begins with 02."
    )
    to: Text | None = Field(default=None, description="Physical switch. Default: the host's.")
    tagged: TaggedNetworks = Field(
        default=(),
        description="Networks that the host reaches with a tag, through eth0.VLAN; the switch's "
        "port is then a trunk. Default: none.",
    )


class Host(Counted, Machine, Running):
    """A bare-metal host, on ports of physical switches."""

    model_config = ConfigDict(title="host")

    to: Text | None = Field(default=None, description="Physical switch. Default: the only one.")
    nics: tuple[Annotated[HostNic, ShortForm("network")], ...] | None = Field(
        default=None, description="Its NICs: eth0, eth1... Default: one in the only network."
    )
    firewall: Firewall | None = Field(
        default=None, description="Its own packet filter. Default: none."
    )


class RouterNetwork(Part):
    """A network that a router is in. Short form: its `network`."""

    model_config = ConfigDict(title="router interface")

    network: Text | None = Field(default=None, description="Network. Default: must be given.")
    ipv4: Address4 | None = Field(
        default=None, description="IPv4 address. Default: the gateway's, or assigned."
    )
    ipv6: Address6 | None = Field(
        default=None, description="IPv6 address. Default: the gateway's, or assigned."
    )
    vrf: Text | None = Field(
        default=None, description="VRF of the router that it is in. Default: none."
    )


class Router(Cable, Machine):
    """A router on a stick: one trunk port on a switch, an interface per network.

    The switch is a physical one, or the vSwitch of the hypervisor that a virtual router is on. It
    takes the gateway address of each of its networks; in a network whose gateway is another
    router already, it gets an assigned address.
    """

    model_config = ConfigDict(title="router")

    to: Text | None = Field(
        default=None,
        description="Physical switch. Default: the only one, if it is on no hypervisor.",
    )
    on: Text | None = Field(
        default=None,
        description="Hypervisor of a virtual router. Default: none, it is on a physical switch.",
    )
    vswitch: Text | None = Field(
        default=None, description="vSwitch of a virtual router. Default: the hypervisor's only one."
    )
    networks: tuple[Annotated[RouterNetwork, ShortForm("network")], ...] | None = Field(
        default=None,
        description="The networks that it routes between. "
        "Default: all of them, but overlay networks only if it is on a hypervisor.",
    )
    vrfs: Section[Vrf] = Field(
        default={}, description="Its VRFs by name, which separate networks. Default: none."
    )
    routes: RouterRoutes = Field(default=(), description="Static routes. Default: none.")
    acl: Rules = Field(
        default=(), description="Rules for what it forwards, in their order. Default: none."
    )
    acl_default: Rest = Field(
        default="allow", description="What happens to what no rule decides. Default: allow."
    )
    nat: Nat | None = Field(default=None, description="Translation of addresses. Default: none.")
    external: Flag = Field(
        default=False,
        description="Whether its networks outside of VRFs reach the host's IPv4 network through "
        "it, by NAT; realm host only. Default: false.",
    )


class File(Part):
    """A whole topology file."""

    name: Text | None = Field(
        default=None, description="Name of the lab. Default: the file's name."
    )
    networks: Section[Network] = Field(
        default={},
        description="Networks by name. Default: one, `lan`, 10.0.0.0/24, without a VLAN.",
    )
    physical_switches: Section[PhysicalSwitch] = Field(
        default={},
        description="Physical switches by name. Default: one, `tor1`, where there is a router, "
        "a pNIC or a second hypervisor.",
    )
    hypervisors: Section[Hypervisor] = Field(
        default={}, description="Hypervisors by name. Default: one, `hv1`; none for hosts alone."
    )
    vms: Section[Vm] = Field(default={}, description="Virtual machines by name.")
    hosts: Section[Host] = Field(default={}, description="Bare-metal hosts by name.")
    routers: Section[Router] = Field(default={}, description="Routers by name.")
    port_groups: Section[Annotated[PortGroup, ShortForm("network")]] = Field(
        default={}, description="Port groups by name, the same on every vSwitch."
    )
    expect: Expectations = Field(
        default=(),
        description="What must be so: which nodes reach which, and which must not. Default: none.",
    )
    security_groups: Section[SecurityGroup] = Field(
        default={}, description="Security groups by name, which vNICs name."
    )
    groups: Groups = Field(
        default={},
        description="Sets of nodes by name, of nodes and other groups. A `count` makes one too.",
    )
