"""A change as commands of iproute2, nft and sysctl: what a user would type on the node (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from vnetlab.state.diff import Change
from vnetlab.state.filters import HOOKS, Filter
from vnetlab.state.nftables import NftChain, NftNamed, NftSet, NftTable, edit_rules
from vnetlab.state.objects import (
    MAIN_TABLE,
    Address,
    BridgeVlan,
    Link,
    Namespace,
    Qdisc,
    Route,
    RouteKind,
    Sysctl,
)
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.routing import Neighbour, PolicyRule
from vnetlab.state.shaping import CERTAIN, bucket

_BITS = 8
_PERCENT = 100
_NETEM_SHARES = {
    "loss_u32": "loss",
    "corruption_u32": "corrupt",
    "duplication_u32": "duplicate",
    "reordering_u32": "reorder",
}

_PORT_WORDS = {
    "state": "state",
    "cost": "cost",
    "priority": "priority",
    "learning": "learning",
    "unicast_flood": "flood",
    "multicast_flood": "mcast_flood",
    "broadcast_flood": "bcast_flood",
    "isolated": "isolated",
    "hairpin": "hairpin",
    "bpdu_guard": "guard",
    "root_block": "root_block",
    "fast_leave": "fastleave",
    "locked": "locked",
    "neighbour_suppression": "neigh_suppress",
    "proxy_arp": "proxy_arp",
    "multicast_to_unicast": "mcast_to_unicast",
    "vlan_tunnel": "vlan_tunnel",
}
"""The words of bridge(8), `bridge link set`, for the fields of a BridgePort."""
_IPV6_MTU = 1280
"""Below, the kernel takes IPv6 from a link; above, it gives it anew, as of a new one (RFC 8200)."""


def commands(change: Change) -> tuple[str, ...]:
    """Return the commands that make `change` on its node; none where it takes vnetlab itself."""
    return tuple(_commands(change))


def _commands(change: Change) -> Iterator[str]:
    match (change.old, change.new):
        case (Link() as old, Link() as new):
            yield from _set_link(old, new)
        case (Link() as old, None):
            yield f"ip link delete {old.name}"
        case (Namespace(), Namespace() as new):
            yield f"ip link set lo {'up' if new.lo_up else 'down'}"
        case (_, Sysctl() as new):
            name = new.key if "." in new.key else new.key.replace("/", ".")  # as of eth0.10
            yield f"sysctl -w {name}={quote(new.value)}"
        case ((Qdisc() | None) as old, Qdisc() as new):
            yield f"tc qdisc replace dev {new.link} {_parent(new)} {_qdisc(new, old)}"
        case (Qdisc() as old, None):
            yield f"tc qdisc del dev {old.link} {_parent(old)}"
        case (Filter() as old, None):
            yield f"tc filter del dev {old.link} {HOOKS[old.parent]} pref {old.priority}"
        case (NftTable() as old, None):
            yield f"nft delete table {old.family} {old.name}"
        case (NftSet() as old, None):
            yield f"nft delete set {old.family} {old.table} {old.name}"
        case (NftNamed() as old, None):
            yield f"nft delete {old.kind} {old.family} {old.table} {old.name}"
        case (NftChain() as old, new) if new is None or isinstance(new, NftChain):
            yield from _edit_chain(old, new)
        case (old, new):
            for verb, item in (("del", old), ("add", new)):
                if item is not None and (words := _row(verb, item)):
                    yield words


def _row(verb: str, item: object) -> str:
    """What adds or deletes one row of a table."""
    match item:
        case BridgeVlan(link=link, vid=vid, pvid=pvid, untagged=untagged):
            flags = (" pvid" if pvid else "") + (" untagged" if untagged else "")
            return f"bridge vlan {verb} dev {link} vid {vid}{flags if verb == 'add' else ''}"
        case Address(link=link, interface=interface):
            return f"ip address {verb} {interface} dev {link}"
        case Route():
            return _route(verb, item)
        case Neighbour(link=link, address=address, mac=mac):
            if not mac:
                return f"ip neighbour {verb} proxy {address} dev {link}"
            more = f" lladdr {mac} nud permanent" if verb == "add" else ""
            return f"ip neighbour {verb} {address} dev {link}{more}"
        case PolicyRule():
            return _rule(verb, item)
        case FdbEntry():
            return _fdb_entry(verb, item)
        case _:
            return ""


def _set_link(old: Link, new: Link) -> Iterator[str]:
    if old.mtu != new.mtu:
        yield f"ip link set {new.name} mtu {new.mtu}"
    if old.link_local != new.link_local or old.mtu < _IPV6_MTU <= new.mtu:
        mode = "eui64" if new.link_local else "none"
        yield f"ip link set {new.name} addrgenmode {mode}"
    if old.mac != new.mac:
        yield f"ip link set {new.name} address {new.mac}"
    for flag in (*(_turned(it) for it in old.flags if it not in new.flags), *new.flags):
        if flag not in old.flags:
            yield f"ip link set {new.name} {flag}"
    if old.master != new.master:
        to = f"master {new.master}" if new.master else "nomaster"
        yield f"ip link set {new.name} {to}"
    if old.vlan_filtering != new.vlan_filtering:
        yield f"ip link set {new.name} type bridge vlan_filtering {int(new.vlan_filtering)}"
    if old.bridge.stp != new.bridge.stp:
        yield f"ip link set {new.name} type bridge stp_state {int(new.bridge.stp)}"
    changed = [
        f"{word} {_value(getattr(new.port, name))}"
        for name, word in _PORT_WORDS.items()
        if getattr(old.port, name) != getattr(new.port, name)
    ]
    if changed:
        yield f"bridge link set dev {new.name} {' '.join(changed)}"
    if old.up != new.up:
        yield f"ip link set {new.name} {'up' if new.up else 'down'}"


def _turned(flag: str) -> str:
    word, _, value = flag.rpartition(" ")
    return f"{word} {'off' if value == 'on' else 'on'}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(getattr(value, "value", value))


def _us(time_ns: int) -> str:
    """The only unit below a millisecond that every tc(8) reads."""
    return f"{time_ns / 1000:.10g}us"


def _qdisc(qdisc: Qdisc, old: Qdisc | None) -> str:
    """Its handle, kind and options in the words of tc-tbf(8) and tc-netem(8).

    netem keeps what `old` had and nobody mentions.
    """
    options = dict(qdisc.options)
    kept = dict(old.options) if old is not None and old.kind == qdisc.kind else {}
    words = [f"handle {qdisc.handle >> 16:x}:", qdisc.kind]
    match qdisc.kind:
        case "tbf":
            rate = options["rate_bit_s"]
            burst_bytes = bucket(rate // _BITS, options["burst_ns"])
            words += [f"rate {rate}bit burst {burst_bytes}b limit {options['limit_bytes']}b"]
        case "netem":
            words += [f"limit {options['limit_packets']} delay {_us(options['delay_ns'])}"]
            words += [_us(options["jitter_ns"])] if "jitter_ns" in options else []
            words += [
                f"{word} {_PERCENT * options.get(name, 0) / CERTAIN:.6g}%"
                for name, word in _NETEM_SHARES.items()
                if name in options or name in kept
            ]
    return " ".join(words)


def _parent(qdisc: Qdisc) -> str:
    match qdisc.parent:
        case 0xFFFFFFFF:
            return "root"
        case 0xFFFFFFF1:
            return "clsact"
        case parent:
            return f"parent {parent >> 16:x}:{parent & 0xFFFF:x}"


def _route(verb: str, route: Route) -> str:
    kind = "" if route.kind is RouteKind.UNICAST else f"{route.kind.name.lower()} "
    ip = "ip" if route.destination.version == 4 else "ip -6"
    words = [f"{ip} route {verb} {kind}{route.destination}"]
    words += [f"via {route.via}"] if route.via else []
    words += [f"dev {route.link}"] if route.link else []
    words += [f"table {route.table}"] if route.table != MAIN_TABLE else []
    words += [f"metric {route.metric}"] if route.metric else []
    words += [f"tos {route.tos:#x}"] if route.tos else []
    words += [f"from {route.sources}"] if route.sources else []
    return " ".join([*words, *route.more])


def _rule(verb: str, rule: PolicyRule) -> str:
    words = [f"{'ip' if rule.version == 4 else 'ip -6'} rule {verb} pref {rule.priority}"]
    more = dict(rule.more)
    words += ["not"] if more.pop("flags", 0) else []
    words += [f"from {rule.source}"] if rule.source else []
    words += [f"to {rule.destination}"] if rule.destination else []
    words += [f"iif {rule.iif}"] if rule.iif else []
    words += [f"oif {rule.oif}"] if rule.oif else []
    mask = f"/{more.pop('FWMASK')}" if "FWMASK" in more else ""
    words += [f"fwmark {rule.mark}{mask}"] if rule.mark is not None else []
    after = {name: more.pop(name) for name in ("SUPPRESS_PREFIXLEN", "GOTO") if name in more}
    words += [f"tos {int(more.pop('tos')):#x}"] if "tos" in more else []
    for name, value in more.items():
        words.append(f"{_RULE_WORDS.get(name, name.lower())} {str(value).replace(':', '-')}")
    if "GOTO" not in after:
        words += [f"lookup {rule.table}" if rule.table is not None else rule.action]
    words += [f"{_RULE_WORDS[name]} {value}" for name, value in after.items()]
    return " ".join(words)


_RULE_WORDS = {
    "IP_PROTO": "ipproto",
    "SPORT_RANGE": "sport",
    "DPORT_RANGE": "dport",
    "UID_RANGE": "uidrange",
    "FLOW": "realms",
    "SUPPRESS_PREFIXLEN": "suppress_prefixlength",
    "GOTO": "goto",
}
"""What ip-rule(8) calls the attributes of fib_rules.h."""


def _fdb_entry(verb: str, entry: FdbEntry) -> str:
    if entry.received:
        return f"bridge fdb {verb} {entry.mac} dev {entry.link} self"
    words = [f"bridge fdb {'append' if verb == 'add' else verb} {entry.mac} dev {entry.link}"]
    if entry.remote:
        words += [f"dst {entry.remote}"]
        words += [f"vni {entry.vni}"] if entry.vni is not None else []
        words += [f"port {entry.port}"] if entry.port is not None else []
        return " ".join([*words, "self"])
    words += [f"vlan {entry.vlan}"] if entry.vlan is not None else []
    return " ".join([*words, "master"] + ["static"] * (verb == "add"))


def _edit_chain(old: NftChain, new: NftChain | None) -> Iterator[str]:
    where = f"{old.family} {old.table} {old.name}"
    if new is None:
        yield f"nft delete chain {where}"
        return
    if old.accepts != new.accepts:
        policy = "accept" if new.accepts else "drop"
        yield f"nft 'chain {where} {{ policy {policy}; }}'"
    for place, rule in edit_rules(old.rules, new.rules):
        if rule is None and place is not None:
            yield f"nft -a list chain {where}; nft delete rule {where} handle N  # rule {place + 1}"
