"""Which kernel features a state needs, each by name and with what needs it (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import chain

from vnetlab.state.filters import Filter
from vnetlab.state.nftables import NftChain, NftTable
from vnetlab.state.objects import Kind, Link, Object, Qdisc, State
from vnetlab.state.running import Limits


class Feature(Enum):
    """A kernel feature: its name, the kernel's option for it, and what vnetlab needs it for."""

    NETWORK_NAMESPACES = ("network-namespaces", "CONFIG_NET_NS", "every node of a lab")
    VETH = ("veth", "CONFIG_VETH", "vNICs and uplinks")
    BRIDGE = ("bridge", "CONFIG_BRIDGE", "vSwitches and physical switches")
    BRIDGE_VLAN_FILTERING = (
        "bridge-vlan-filtering",
        "CONFIG_BRIDGE_VLAN_FILTERING",
        "networks with a VLAN",
    )
    VLAN_8021Q = ("802.1q", "CONFIG_VLAN_8021Q", "a router's interfaces in networks with a VLAN")
    VXLAN = ("vxlan", "CONFIG_VXLAN", "overlay networks")
    BOND = ("bond", "CONFIG_BONDING", "teams of pNICs, and LAGs")
    VRF = ("vrf", "CONFIG_NET_VRF", "the VRFs of routers")
    TBF = ("tbf", "CONFIG_NET_SCH_TBF", "the rate of a cable")
    NETEM = ("netem", "CONFIG_NET_SCH_NETEM", "the delay, loss and the like of a cable")
    CLSACT = ("clsact", "CONFIG_NET_SCH_INGRESS", "what is done to frames of single ports")
    FLOWER = ("flower", "CONFIG_NET_CLS_FLOWER", "storm limits and promiscuous vNICs")
    POLICE = ("police", "CONFIG_NET_ACT_POLICE", "storm limits")
    MIRRED = ("mirred", "CONFIG_NET_ACT_MIRRED", "promiscuous vNICs")
    VLAN_ACTION = ("act-vlan", "CONFIG_NET_ACT_VLAN", "promiscuous vNICs in networks with a VLAN")
    GACT = ("gact", "CONFIG_NET_ACT_GACT", "frames that storm limits and mirrors leave alone")
    IPV6 = ("ipv6", "CONFIG_IPV6", "IPv6 addresses, and keeping IPv6 off switches")
    NFT_INET = (
        "nftables-inet",
        "CONFIG_NF_TABLES_INET",
        "firewalls, ACLs and NAT",
    )
    NFT_BRIDGE = ("nftables-bridge", "CONFIG_NF_TABLES_BRIDGE", "security at a vSwitch's ports")
    CONNTRACK = ("conntrack", "CONFIG_NFT_CT", "rules that let replies pass")
    BRIDGE_CONNTRACK = (
        "bridge-conntrack",
        "CONFIG_NF_CONNTRACK_BRIDGE",
        "security groups",
    )
    NFT_NAT = ("nftables-nat", "CONFIG_NFT_NAT, CONFIG_NFT_MASQ", "NAT of routers")
    NFT_REJECT = ("nftables-reject", "CONFIG_NFT_REJECT_INET", "rules that reject")
    CGROUP_CPU = ("cgroup-cpu", "CONFIG_CFS_BANDWIDTH, cgroup v2", "the cpu limit of a VM")
    CGROUP_MEMORY = ("cgroup-memory", "CONFIG_MEMCG, cgroup v2", "the memory limit of a VM")
    PACKET_SOCKETS = ("packet-sockets", "CONFIG_PACKET", "the taps of a probe")

    def __init__(self, label: str, option: str, needed_for: str) -> None:
        self.label = label
        self.option = option
        self.needed_for = needed_for


_ACTIONS = {
    "police": Feature.POLICE,
    "mirred": Feature.MIRRED,
    "vlan": Feature.VLAN_ACTION,
    "gact": Feature.GACT,
}


def required_features(state: State) -> dict[Feature, Object | None]:
    """Return the features that `state` needs, each with one object that needs it.

    None stands where every lab needs the feature.
    """
    needing: dict[Feature, list[Object]] = defaultdict(list)
    with_needs: tuple[Iterable[Object], ...] = (
        state.links,
        state.qdiscs,
        state.filters,
        state.limits,
        state.nft_tables,
        state.nft_chains,
    )
    for item in chain.from_iterable(with_needs):
        for feature in _needed_by(item):
            needing[feature].append(item)
    of_every_lab = (Feature.NETWORK_NAMESPACES, Feature.VETH, Feature.BRIDGE, Feature.IPV6)
    return dict.fromkeys(of_every_lab) | {
        feature: min(needing[feature], key=lambda item: str(item.id))
        for feature in Feature
        if feature in needing
    }


def _needed_by(item: Object) -> Iterator[Feature]:
    match item:
        case Link(kind=Kind.BRIDGE, vlan_filtering=True):
            yield Feature.BRIDGE_VLAN_FILTERING
        case Link(kind=Kind.VLAN):
            yield Feature.VLAN_8021Q
        case Link(kind=Kind.VXLAN):
            yield Feature.VXLAN
        case Link(kind=Kind.VRF):
            yield Feature.VRF
        case Link(kind=Kind.BOND):
            yield Feature.BOND
        case Qdisc(kind="tbf"):
            yield Feature.TBF
        case Qdisc(kind="netem"):
            yield Feature.NETEM
        case NftTable():
            yield Feature.NFT_BRIDGE if item.family == "bridge" else Feature.NFT_INET
        case NftChain():
            yield from _needed_by_rules(item)
        case Limits():
            if item.cpu_quota_us is not None:
                yield Feature.CGROUP_CPU
            if item.memory_bytes is not None:
                yield Feature.CGROUP_MEMORY
        case Qdisc(kind="clsact"):
            yield Feature.CLSACT
        case Filter():
            yield Feature.FLOWER
            yield from (_ACTIONS[action.kind] for action in item.actions)


def _needed_by_rules(chain: NftChain) -> Iterator[Feature]:
    kinds = {expression.kind for rule in chain.rules for expression in rule.expressions}
    if "ct" in kinds:
        yield Feature.BRIDGE_CONNTRACK if chain.family == "bridge" else Feature.CONNTRACK
    if kinds & {"nat", "masq"}:
        yield Feature.NFT_NAT
    if "reject" in kinds:
        yield Feature.NFT_REJECT
