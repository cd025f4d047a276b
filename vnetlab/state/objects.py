"""What the kernel has, in the kernel's words (pure).

A `State` is a value: the desired one is compiled from a topology, the observed one read from the
kernel, and both are compared object by object. Every object has an `id`, unique in its
collection of the state: two objects with one id are the same thing, perhaps with other settings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.filters import Filter
from vnetlab.state.nftables import NftChain, NftNamed, NftSet, NftTable
from vnetlab.state.overlays import FdbEntry, Vxlan
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.running import Limits, Service
from vnetlab.state.switching import (
    PLAIN_BRIDGE,
    PLAIN_PORT,
    Activity,
    Bond,
    BridgePort,
    BridgeSettings,
)


class Role(Enum):
    """What an object is to its user. The kernel keeps it as the first word of a link's ifalias."""

    VM = "vm"
    HOST = "host"
    HYPERVISOR = "hypervisor"
    PHYSICAL_SWITCH = "physical-switch"
    ROUTER = "router"
    VNIC = "vnic"
    HOST_NIC = "host-nic"
    VLAN_INTERFACE = "vlan-interface"
    VSWITCH = "vswitch"
    VSWITCH_PORT = "vswitch-port"
    PNIC = "pnic"
    PHYSICAL_PORT = "physical-port"
    ROUTER_PORT = "router-port"
    ROUTER_INTERFACE = "router-interface"
    VRF = "vrf"
    HYPERVISOR_NIC = "hypervisor-nic"
    VTEP = "vtep"
    TEAM = "team"
    LAG = "lag"
    EXTERNAL_PORT = "external-port"
    EXTERNAL_PEER = "vnetlab-external"


class Kind(Enum):
    """A link's kind: IFLA_INFO_KIND of rtnetlink(7)."""

    VETH = "veth"
    BRIDGE = "bridge"
    VLAN = "vlan"
    VXLAN = "vxlan"
    VRF = "vrf"
    BOND = "bond"


class RouteKind(Enum):
    """What a route does with a packet; the value is the kernel's rtm_type, see rtnetlink(7)."""

    UNICAST = 1
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4
    MULTICAST = 5
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8
    THROW = 9


MAIN_TABLE = 254
"""The routing table of what is in no VRF: RT_TABLE_MAIN."""


class LinkId(Struct, frozen=True, kw_only=True, order=True):
    """Where a link is: its namespace and its name there."""

    netns: str
    name: str

    def __str__(self) -> str:
        return f"{self.netns}.{self.name}"


LOOPBACK_MTU = 65536


class Namespace(Struct, frozen=True, kw_only=True):
    """A network namespace of the lab; `role` is kept on the ifalias of its loopback link.

    `role` is None where that alias is missing or strange; `lo_up` is the loopback's IFF_UP,
    `lo_mtu` its MTU in bytes.
    """

    name: str
    role: Role | None
    lo_up: bool = True
    lo_mtu: int = LOOPBACK_MTU

    @property
    def id(self) -> str:
        """Its name."""
        return self.name

    @property
    def netns(self) -> str:
        """Itself, as what it holds says where that is."""
        return self.name


class Link(Struct, frozen=True, kw_only=True):
    """A network interface.

    `role` and `label` (its full name in the topology: `web1.eth0`, `tor1.hv2.eno1`) are its
    ifalias. `peer` is the other end of a veth; `master` the bridge, VRF or bond in the same
    namespace (`in_bond` says that it is a bond); `port` what it is set to as a bridge's port;
    `parent` and `vlan` the lower link and VLAN id of an 802.1Q sub-interface; `vlan_filtering`
    is a bridge's. `link_local` says that the kernel makes an IPv6 link-local address
    (IFLA_INET6_ADDR_GEN_MODE is not `none`); `flags` those of its flags that are not as on a new
    link, in the words of ip-link(8) (`arp off`); `vxlan` is that of a VXLAN link, `table` the
    routing table of a VRF, `bond` and `bridge` what a bond and a bridge are set to. `mtu` is in
    bytes.
    `kind` is None for one that vnetlab makes no use of. `activity` is no setting: it takes no part
    in comparisons.
    """

    netns: str
    name: str
    kind: Kind | None
    role: Role | None
    label: str
    mac: str
    mtu: int
    up: bool = True
    link_local: bool = False
    flags: tuple[str, ...] = ()
    peer: LinkId | None = None
    master: str | None = None
    parent: str | None = None
    vlan: int | None = None
    vlan_filtering: bool = False
    vxlan: Vxlan | None = None
    table: int | None = None
    bond: Bond | None = None
    in_bond: bool = False
    bridge: BridgeSettings = PLAIN_BRIDGE
    port: BridgePort = PLAIN_PORT
    activity: Activity = Activity.PASSING

    @property
    def id(self) -> LinkId:
        """Its namespace and name."""
        return LinkId(netns=self.netns, name=self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and super().__eq__(replace(other, activity=self.activity))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.netns, self.name))


class BridgeVlan(Struct, frozen=True, kw_only=True):
    """A VLAN that a bridge port carries: bridge(8), `bridge vlan`.

    `pvid`: an ingress frame without a tag gets this VLAN. `untagged`: the tag is stripped on
    egress. `options` are those that are not as in a new VLAN, by name, sorted: `state` is a
    PortState's value.
    """

    netns: str
    link: str
    vid: int
    pvid: bool
    untagged: bool
    options: tuple[tuple[str, int], ...] = ()

    @property
    def id(self) -> tuple[str, str, int]:
        """Port and VLAN id."""
        return (self.netns, self.link, self.vid)


class Address(Struct, frozen=True, kw_only=True):
    """An address on a link, with its prefix length.

    `prefix_route` says that the kernel has the route to its prefix, which comes with the address,
    or could not have it: the link is down, or the prefix is for one address alone. `accepted` says
    that it has the one, of the table local, by which it takes packets to an address of IPv4. `more`
    is what else it says, in the words of ip-address(8): `scope host`.
    """

    netns: str
    link: str
    interface: IPv4Interface | IPv6Interface
    prefix_route: bool = True
    accepted: bool = True
    more: tuple[str, ...] = ()

    @property
    def id(self) -> tuple[str, str, IPv4Interface | IPv6Interface]:
        """Link, address and prefix length."""
        return (self.netns, self.link, self.interface)


class Route(Struct, frozen=True, kw_only=True):
    """A route that somebody configured (not one that an address brought).

    `metric` is 0 where none is given, though the kernel then gives one of IPv6 the metric 1024.
    Only a unicast route has `via` or `link`. `tos` is for packets with that alone, `sources` for
    those from there alone. `more` is what else it says, in the words of ip-route(8).
    """

    netns: str
    destination: IPv4Network | IPv6Network
    via: IPv4Address | IPv6Address | None
    link: str | None
    table: int = MAIN_TABLE
    kind: RouteKind = RouteKind.UNICAST
    metric: int = 0
    tos: int = 0
    sources: IPv6Network | None = None
    more: tuple[str, ...] = ()

    @property
    def id(self) -> tuple[object, ...]:
        """All of it: a route has no settings of its own here."""
        way = (self.via, self.link, self.kind.value)
        rest = (self.tos, self.sources, self.more)
        return (self.netns, self.table, self.destination, self.metric, *way, *rest)


class Qdisc(Struct, frozen=True, kw_only=True):
    """A queueing discipline: tc(8). `handle` and `parent` as in tc, 16 bits major, 16 minor.

    `options` by name, sorted, in the units of their names: tbf has `burst_ns` (how long its bucket
    lasts at the rate), `limit_bytes` and `rate_bit_s`; netem has `delay_ns` and `limit_packets`;
    both may have others that are not zero, netem's probabilities as a u32, whose largest is 1
    (`loss_u32`). pfifo has `limit_packets`, bfifo `limit_bytes`, htb `default_class` (or 0), prio
    `bands`. Another kind has none here.
    """

    netns: str
    link: str
    handle: int
    parent: int
    kind: str
    options: tuple[tuple[str, int], ...]

    @property
    def id(self) -> tuple[str, str, int]:
        """Link and parent: the place that one qdisc can take."""
        return (self.netns, self.link, self.parent)


class Sysctl(Struct, frozen=True, kw_only=True):
    """A kernel setting of a namespace; `key` as a path below /proc/sys (`net/ipv4/ip_forward`).

    `given` says that a new namespace, or a new link if it is one of a link, has this value by
    itself. `restored`: it is the one from before the lab, which the lab changed. Neither takes part
    in comparisons.
    """

    netns: str
    key: str
    value: str
    given: bool = False
    restored: bool = False

    @property
    def link(self) -> str | None:
        """The link whose setting it is, if it is one's."""
        match self.key.split("/"):
            case ["net", _, "conf" | "neigh", name, _] if name not in ("all", "default"):
                return name
        return None

    @property
    def id(self) -> tuple[str, str]:
        """Namespace and key."""
        return (self.netns, self.key)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sysctl)
            and self.value == other.value
            and self.key == other.key
            and self.netns == other.netns
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.netns, self.key))


Object = (
    Namespace
    | Sysctl
    | Link
    | BridgeVlan
    | FdbEntry
    | Address
    | PolicyRule
    | Route
    | Neighbour
    | Qdisc
    | Filter
    | NftTable
    | NftChain
    | NftSet
    | NftNamed
    | Limits
    | Service
)


class State(Struct, frozen=True, kw_only=True):
    """Everything of one lab. `sysctls` holds only those that vnetlab sets, never all there are."""

    namespaces: frozenset[Namespace] = frozenset()
    sysctls: frozenset[Sysctl] = frozenset()
    links: frozenset[Link] = frozenset()
    bridge_vlans: frozenset[BridgeVlan] = frozenset()
    fdb_entries: frozenset[FdbEntry] = frozenset()
    addresses: frozenset[Address] = frozenset()
    policy_rules: frozenset[PolicyRule] = frozenset()
    routes: frozenset[Route] = frozenset()
    neighbours: frozenset[Neighbour] = frozenset()
    qdiscs: frozenset[Qdisc] = frozenset()
    nft_tables: frozenset[NftTable] = frozenset()
    nft_chains: frozenset[NftChain] = frozenset()
    nft_sets: frozenset[NftSet] = frozenset()
    nft_named: frozenset[NftNamed] = frozenset()
    filters: frozenset[Filter] = frozenset()
    limits: frozenset[Limits] = frozenset()
    services: frozenset[Service] = frozenset()


COLLECTIONS: dict[type[Object], str] = {
    Namespace: "namespaces",
    Sysctl: "sysctls",
    Link: "links",
    BridgeVlan: "bridge_vlans",
    FdbEntry: "fdb_entries",
    Address: "addresses",
    PolicyRule: "policy_rules",
    Route: "routes",
    Neighbour: "neighbours",
    Qdisc: "qdiscs",
    NftTable: "nft_tables",
    NftChain: "nft_chains",
    NftSet: "nft_sets",
    NftNamed: "nft_named",
    Filter: "filters",
    Limits: "limits",
    Service: "services",
}
"""The field of a State that holds objects of each type, in the order in which they are made."""


def collect(objects: Iterable[Object]) -> State:
    """Sort `objects` into a State by what they are."""
    kinds: dict[type, set[Object]] = defaultdict(set)
    for item in objects:
        kinds[type(item)].add(item)
    return State(
        **{name: frozenset(kinds[kind]) for kind, name in COLLECTIONS.items()}  # type: ignore[arg-type] # each set holds its field's type alone
    )


def everything(state: State) -> Iterator[Object]:
    """Every object of `state`, in the order of COLLECTIONS."""
    for collection in COLLECTIONS.values():
        yield from getattr(state, collection)
