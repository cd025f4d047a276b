"""Objects and changes in words: one short phrase each, for plans and error messages (pure)."""

from __future__ import annotations

from vnetlab.state.diff import Change
from vnetlab.state.filter_words import describe_filter, filter_settings
from vnetlab.state.filters import Filter
from vnetlab.state.nft_words import show_edits, show_hook, show_rule
from vnetlab.state.nftables import NftChain, NftNamed, NftSet, NftTable
from vnetlab.state.objects import (
    LOOPBACK_MTU,
    MAIN_TABLE,
    Address,
    BridgeVlan,
    Kind,
    Link,
    Namespace,
    Object,
    Qdisc,
    Role,
    Route,
    RouteKind,
    Sysctl,
)
from vnetlab.state.overlays import ANY_MAC, FdbEntry
from vnetlab.state.qdisc_words import qdisc_settings
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.running import Limits, Service
from vnetlab.state.switching_words import bond_words, bridge_words, port_words, vlan_words

ROLE_WORDS: dict[Role, str] = {
    Role.VM: "VM",
    Role.HOST: "host",
    Role.HYPERVISOR: "hypervisor",
    Role.PHYSICAL_SWITCH: "physical switch",
    Role.ROUTER: "router",
    Role.VNIC: "vNIC",
    Role.HOST_NIC: "host NIC",
    Role.VLAN_INTERFACE: "VLAN interface",
    Role.VSWITCH: "vSwitch",
    Role.VSWITCH_PORT: "vSwitch port",
    Role.PNIC: "pNIC",
    Role.PHYSICAL_PORT: "physical port",
    Role.ROUTER_PORT: "router port",
    Role.ROUTER_INTERFACE: "router interface",
    Role.VRF: "VRF",
    Role.HYPERVISOR_NIC: "hypervisor NIC",
    Role.VTEP: "VTEP",
    Role.TEAM: "team",
    Role.LAG: "LAG",
    Role.EXTERNAL_PORT: "external port",
    Role.EXTERNAL_PEER: "link",
}
_SAID_ALREADY = (
    "label",
    "role",
    "loopback",
    "state",
    "IPv6 link-local",
    "dormant",
    "directory",
    "route to its prefix",
    "accepted",
)
"""Settings of a new object that its name tells, or that are the same for all of its kind."""

_IN_VRFS = (Role.ROUTER_PORT, Role.ROUTER_INTERFACE)

QUOTA_OF_A_CPU_US = 100_000
MB, MIB = 10**6, 1 << 20
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def describe(item: Object) -> str:
    """What the object is and where, without its settings: `VLAN 10 on tor1.hv2.eno1`."""
    match item:
        case Namespace():
            return f"{_role(item.role, 'namespace')} {item.name}"
        case Sysctl():
            return f"{item.key.replace('/', '.')} in {item.netns}"
        case Link():
            return f"{_role(item.role, 'link')} {item.id}"
        case BridgeVlan():
            options = [f", {name} {value}" for name, value in vlan_words(item.options).items()]
            return f"VLAN {item.vid} on {item.netns}.{item.link}" + "".join(options)
        case Address():
            return " ".join(
                ["address", str(item.interface), *item.more, f"on {item.netns}.{item.link}"]
            )
        case Route():
            return _route(item)
        case PolicyRule():
            return _policy_rule(item)
        case Neighbour():
            fixed = "static neighbour" if item.mac else "answered for:"
            words = f"{fixed} {item.address}" + (f" is {item.mac}" if item.mac else "")
            return f"{words} on {item.netns}.{item.link}"
        case FdbEntry():
            return _fdb_entry(item)
        case Service():
            return f"service {item.netns}.{item.name}"
        case Limits():
            return f"limits of {item.netns}"
        case Qdisc():
            return f"{item.kind} on {item.netns}.{item.link}"
        case Filter():
            return describe_filter(item)
        case NftTable():
            return f"nftables table {item.family} {item.name} in {item.netns}"
        case NftChain():
            return f"nftables chain {item.family} {item.table} {item.name} in {item.netns}"
        case NftSet():
            return f"nftables set {item.family} {item.table} {item.name} in {item.netns}"
        case NftNamed():
            where = f"{item.family} {item.table} {item.name}"
            return f"nftables {item.kind} {where} in {item.netns}"


def _route(route: Route) -> str:
    destination = str(route.destination)
    words = ["route", "default" if destination in _EVERYWHERE else destination]
    words[:0] = [] if route.kind is RouteKind.UNICAST else [route.kind.name.lower()]
    words += [f"via {route.via}"] if route.via else []
    words += [f"dev {route.link}"] if route.link else []
    words += [f"metric {route.metric}"] if route.metric else []
    words += [f"table {route.table}"] if route.table != MAIN_TABLE else []
    words += [f"tos {route.tos:#x}"] if route.tos else []
    words += [f"from {route.sources}"] if route.sources else []
    words += route.more
    return " ".join([*words, f"in {route.netns}"])


def _fdb_entry(entry: FdbEntry) -> str:
    where = f"{entry.netns}.{entry.link}"
    if entry.received:
        return f"MAC {entry.mac} received by {where}"
    if entry.remote is None:
        vlan = f" in VLAN {entry.vlan}" if entry.vlan is not None else ""
        return f"static forwarding entry {entry.mac}{vlan} on {where}"
    frames = "flooded frames" if entry.mac == ANY_MAC else f"frames to {entry.mac}"
    words = [f"copy of {frames} from {where} to VTEP {entry.remote}"]
    words += [f"VNI {entry.vni}"] if entry.vni is not None else []
    words += [f"port {entry.port}"] if entry.port is not None else []
    words += [f"dev {entry.out}"] if entry.out is not None else []
    return " ".join(words)


def settings(item: Object) -> dict[str, str]:
    """The settings of an object that can differ while it stays the same object, in words."""
    match item:
        case Namespace():
            found = {"role": _role(item.role, "none"), "loopback": _up(up=item.lo_up)}
            usual = item.lo_mtu == LOOPBACK_MTU
            return found if usual else {**found, "loopback MTU": str(item.lo_mtu)}
        case Sysctl():
            return {"value": item.value}
        case Link():
            return _link_settings(item)
        case Address():
            return {
                "route to its prefix": _yes(item.prefix_route),
                "accepted": _yes(item.accepted),
            }
        case BridgeVlan():
            return {
                "PVID": _yes(item.pvid),
                "egress": "untagged" if item.untagged else "tagged",
            }
        case Service():
            state = item.failure or ("ended" if item.ended else "started")
            return {"command": item.command, "state": state, "directory": item.directory}
        case Limits():
            return show_limits(item)
        case Qdisc():
            return qdisc_settings(item)
        case NftTable():
            return {"dormant": _yes(item.dormant)}
        case NftChain():
            return _chain_settings(item)
        case Filter():
            return filter_settings(item)
        case _:
            return {}


def describe_change(change: Change) -> str:
    """One line: a sign (+, -, ~), the object, and the settings that are new or become others."""
    what = describe(change.subject)
    if change.new is None:
        return f"- {what}"
    new = settings(change.new)
    if change.old is None:
        shown = ", ".join(f"{name} {new[name]}" for name in new if name not in _SAID_ALREADY)
        return f"+ {what}" + (f": {shown}" if shown else "")
    old = settings(change.old)
    differing = [name for name in old | new if old.get(name) != new.get(name)]
    turns = [f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in differing]
    if isinstance(change.old, NftChain) and isinstance(change.new, NftChain):
        turns = [turn for turn in turns if not turn.startswith("rules ")]
        turns += show_edits(change.old.rules, change.new.rules)
    return f"~ {what}: " + ", ".join(turns)


def _policy_rule(rule: PolicyRule) -> str:
    words = [f"IPv{rule.version} rule {rule.priority}: from {rule.source or 'all'}"]
    words += [f"to {rule.destination}"] if rule.destination else []
    words += [f"iif {rule.iif}"] if rule.iif else []
    words += [f"oif {rule.oif}"] if rule.oif else []
    words += [f"fwmark {rule.mark}"] if rule.mark is not None else []
    words += [f"{name.lower().replace('_', ' ')} {value}" for name, value in rule.more]
    words += [rule.action] + ([str(rule.table)] if rule.table is not None else [])
    return " ".join([*words, f"in {rule.netns}"])


def _link_settings(link: Link) -> dict[str, str]:
    found = {"state": _up(up=link.up), "MTU": str(link.mtu), "MAC": link.mac}
    if link.kind is Kind.BRIDGE:
        found["VLAN filtering"] = _yes(link.vlan_filtering)
        found |= bridge_words(link.bridge)
    if link.master is not None:
        found[_master_word(link)] = link.master
        found |= port_words(link.port)
    if link.bond is not None:
        found |= bond_words(link.bond)
    if link.peer is not None:
        found["peer"] = str(link.peer)
    if link.vlan is not None:
        found["VLAN"] = f"{link.vlan} of {link.parent}"
    if link.vxlan is not None:
        found["VNI"] = str(link.vxlan.vni)
        found["from"] = str(link.vxlan.local or "any")
        found["UDP port"] = str(link.vxlan.port)
        found["learning"] = _yes(link.vxlan.learning)
    if link.table is not None:
        found["table"] = str(link.table)
    if link.flags:
        found["flags"] = ", ".join(link.flags)
    found["IPv6 link-local"] = _yes(link.link_local)
    found["label"] = f"{_role(link.role, 'none')} {link.label}"
    return found


def _master_word(link: Link) -> str:
    if link.in_bond:
        return "bond"
    return "VRF" if link.role in _IN_VRFS else "bridge"


def _chain_settings(chain: NftChain) -> dict[str, str]:
    found = {"hook": show_hook(chain)} if chain.hook else {}
    if not chain.accepts:
        found["policy"] = "drop"
    found["rules"] = ", ".join(dict.fromkeys(map(show_rule, chain.rules))) or "none"
    return found


def show_limits(limits: Limits) -> dict[str, str]:
    """The limits that there are, in the words of the topology file."""
    found = {}
    if limits.cpu_quota_us is not None:
        found["cpu"] = f"{limits.cpu_quota_us / QUOTA_OF_A_CPU_US:g}"
    if limits.memory_bytes is not None:
        found["memory"] = show_size(limits.memory_bytes)
    return found


def show_size(size: int) -> str:
    """A size in the unit in which it was written, if it was not rounded much."""
    return f"{size // MIB}mib" if size % MIB == 0 else f"{size / MB:.4g}mb"


def _role(role: Role | None, otherwise: str) -> str:
    return ROLE_WORDS[role] if role else otherwise


def _up(*, up: bool) -> str:
    return "up" if up else "down"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
