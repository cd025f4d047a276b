"""EFFECT: what the kernel counts in namespaces of a lab.

Links (RTM_GETSTATS), the VLANs of each port of a bridge that counts them (ip-link(8),
`vlan_stats_enabled` and `vlan_stats_per_port`: those of vnetlab do), qdiscs, classes, actions of
filters, rules of nftables that have a `counter`, and what the protocols count in /proc/net: snmp,
netstat and snmp6. The backlogs of the CPUs (softnet_stat) are the machine's.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from msgspec import Struct
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_GETRULE

from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.class_tables import RTM_GETTCLASS, class_request
from vnetlab.kernel.link_tables import number
from vnetlab.kernel.neighbour_tables import RTM_GETVLAN, vlan_request
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nft_messages import FAMILIES, nft_raw_rule_msg, request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed
from vnetlab.state.counters import Counter, CounterKind, Counters
from vnetlab.state.filters import EGRESS, HOOKS, INGRESS
from vnetlab.state.nftables import NftChain
from vnetlab.state.objects import BridgeVlan, Link, LinkId, Qdisc

_RTM_GETQDISC, _RTM_GETTFILTER, _RTM_GETSTATS = 38, 46, 94
_TCMSG = struct.Struct("=BxxxiIII")  # family, link's index, handle, parent, info
_TCA_KIND, _TCA_OPTIONS, _TCA_STATS2 = 1, 2, 7
_STATS_BASIC, _STATS_QUEUE = 1, 3
_ACTIONS_OF = {b"flower": 3, b"matchall": 2, b"u32": 7, b"basic": 3}
_ACT_KIND, _ACT_STATS = 1, 4
_VLANDB_ENTRY, _ENTRY_INFO, _ENTRY_STATS = 1, 1, 5
_VLAN_STATS = {1: "rx_bytes", 2: "rx_packets", 3: "tx_bytes", 4: "tx_packets"}
_LINK_64 = 1
_LINK_STATS = (
    *("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors"),
    *("rx_dropped", "tx_dropped", "multicast", "collisions", "rx_length_errors"),
    *("rx_over_errors", "rx_crc_errors", "rx_frame_errors", "rx_fifo_errors"),
    *("rx_missed_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors"),
    *("tx_heartbeat_errors", "tx_window_errors", "rx_compressed", "tx_compressed"),
    *("rx_nohandler", "rx_otherhost_dropped"),
)
"""struct rtnl_link_stats64, include/uapi/linux/if_link.h."""
_FAMILIES = {number: name for name, number in FAMILIES.items()}
_SOFTNET = {1: "dropped", 2: "time_squeeze"}

_LEVELS = frozenset(("Forwarding", "DefaultTTL", "RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn"))
"""What /proc/net/snmp lists that is no counter: RFC 1213."""

_Found = Iterator[tuple[Counter, int]]


class _Place(Struct, frozen=True):
    """A namespace, and the names of its links by index."""

    netns: str
    names: Mapping[int, str]


def read_counters(nodes: Nodes, observed: Observed, namespaces: Collection[str]) -> Counters:
    """Read all counters of these namespaces; the links are those of `observed`.

    Raises KernelRefusedError if the kernel refuses a dump.
    """
    values = dict(_read_cpus())
    filtering = {link.netns for link in observed.state.links if link.vlan_filtering}
    for netns in sorted(set(namespaces)):
        names = {index: it.name for it, index in observed.indexes.items() if it.netns == netns}
        place, channel = _Place(netns, names), nodes.channel(netns)
        values.update(_read_links(place, channel))
        if netns in filtering:
            values.update(_read_vlans(place, channel))
        of_netns = [qdisc for qdisc in observed.state.qdiscs if qdisc.netns == netns]
        values.update(_read_queues(place, channel, of_netns))
        values.update(_read_rules(netns, nodes.netfilter(netns), observed))
        with nodes.enter(netns):
            values.update(_read_protocols(netns))
    return Counters(values={counter: value for counter, value in values.items() if value})


def _read_links(place: _Place, channel: Channel) -> _Found:
    body = struct.pack("=BxxxII", 0, 0, _LINK_64)
    for reply in channel.dump_bodies(_RTM_GETSTATS, body):
        (index,) = struct.unpack_from("=4xI", reply)
        link = place.names.get(index)
        packed = dict(attributes(reply[12:])).get(_LINK_64, b"")
        if link is None:
            continue
        where = LinkId(netns=place.netns, name=link)
        for name, (value,) in zip(_LINK_STATS, struct.iter_unpack("=Q", packed), strict=False):
            yield (
                Counter(
                    kind=CounterKind.LINK,
                    netns=place.netns,
                    subject=str(where),
                    name=name,
                    link=link,
                    item=(Link, where),
                ),
                value,
            )


def _read_vlans(place: _Place, channel: Channel) -> _Found:
    for reply in channel.dump_bodies(RTM_GETVLAN, vlan_request(1)):
        (index,) = struct.unpack_from("=4xI", reply)
        for kind, content in attributes(reply[8:]):
            entry = dict(attributes(content)) if kind == _VLANDB_ENTRY else {}
            if _ENTRY_STATS not in entry or index not in place.names:
                continue
            (vid,) = struct.unpack_from("=2xH", entry[_ENTRY_INFO])
            link = place.names[index]
            for number_of, packed in attributes(entry[_ENTRY_STATS]):
                if number_of in _VLAN_STATS:
                    counter = Counter(
                        kind=CounterKind.VLAN,
                        netns=place.netns,
                        subject=f"VLAN {vid} on {place.netns}.{link}",
                        name=_VLAN_STATS[number_of],
                        link=link,
                        item=(BridgeVlan, (place.netns, link, vid)),
                    )
                    yield counter, number(packed)


def _read_queues(place: _Place, channel: Channel, qdiscs: list[Qdisc]) -> _Found:
    """Those of all qdiscs, of the classes of those that somebody set, and of filters' actions."""
    for reply in channel.dump_bodies(_RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0)):
        yield from _read_queue(place, reply, CounterKind.QDISC)
    indexes = {name: index for index, name in place.names.items()}
    for link in sorted({qdisc.link for qdisc in qdiscs}):
        for reply in channel.dump_bodies(RTM_GETTCLASS, class_request(indexes[link])):
            yield from _read_queue(place, reply, CounterKind.CLASS)
    for link in sorted({qdisc.link for qdisc in qdiscs if qdisc.kind == "clsact"}):
        for hook in HOOKS:
            body = _TCMSG.pack(0, indexes[link], 0, hook, 0)
            for reply in channel.dump_bodies(_RTM_GETTFILTER, body):
                yield from _read_actions(place, reply, link, hook)


def _read_queue(place: _Place, reply: bytes, kind: CounterKind) -> _Found:
    _, index, handle, parent, _ = _TCMSG.unpack_from(reply)
    link = place.names.get(index)
    found = dict(attributes(reply[_TCMSG.size :]))
    if link is None:
        return
    word = found[_TCA_KIND].rstrip(b"\0").decode()
    named = f"class {handle >> 16:x}:{handle & 0xFFFF:x} " if kind is CounterKind.CLASS else ""
    for name, value in _statistics(found.get(_TCA_STATS2, b"")):
        counter = Counter(
            kind=kind,
            netns=place.netns,
            subject=f"{named}{'of ' if named else ''}{word} of {place.netns}.{link}",
            name=name,
            link=link,
            place=(handle, parent),
            item=(Qdisc, (place.netns, link, parent)) if kind is CounterKind.QDISC else None,
        )
        yield counter, value


def _statistics(content: bytes) -> Iterator[tuple[str, int]]:
    """TCA_STATS2 or TCA_ACT_STATS: include/uapi/linux/gen_stats.h."""
    for kind, packed in attributes(content):
        if kind == _STATS_BASIC:
            yield from zip(("bytes", "packets"), struct.unpack_from("=QI", packed), strict=True)
        elif kind == _STATS_QUEUE:
            _, _, drops, requeues, overlimits = struct.unpack_from("=5I", packed)
            yield from (("drops", drops), ("requeues", requeues), ("overlimits", overlimits))


def _read_actions(place: _Place, reply: bytes, link: str, hook: int) -> _Found:
    _, _, handle, _, info = _TCMSG.unpack_from(reply)
    found = dict(attributes(reply[_TCMSG.size :]))
    options = dict(attributes(found.get(_TCA_OPTIONS, b"")))
    actions = options.get(_ACTIONS_OF.get(found[_TCA_KIND].rstrip(b"\0"), 0), b"")
    side = {INGRESS: "for what comes in on", EGRESS: "for what goes out on"}[hook]
    priority = info >> 16
    for order, content in attributes(actions):
        action = dict(attributes(content))
        kind = action[_ACT_KIND].rstrip(b"\0").decode()
        for name, value in _statistics(action.get(_ACT_STATS, b"")):
            counter = Counter(
                kind=CounterKind.ACTION,
                netns=place.netns,
                subject=f"{kind} of filter {priority} {side} {place.netns}.{link}",
                name=name,
                link=link,
                place=(hook, priority, handle, order),
            )
            yield counter, value


def _read_rules(netns: str, channel: Channel | None, observed: Observed) -> _Found:
    """Those of the rules that `observed` has, which have a counter of their own."""
    rules = {
        (*chain.id, handle): (chain, rule, at)
        for chain in observed.state.nft_chains
        if chain.netns == netns
        for at, (handle, rule) in enumerate(
            zip(observed.rule_handles[chain.id], chain.rules, strict=True), start=1
        )
    }
    if channel is None or not rules:
        return
    for raw in channel.dump_raw(request(nft_raw_rule_msg, NFT_MSG_GETRULE)):
        message = nft_raw_rule_msg(raw)
        message.decode()
        key = (
            netns,
            _FAMILIES.get(message["nfgen_family"], ""),
            *(message.get_attr(f"NFTA_RULE_{name}") for name in ("TABLE", "CHAIN", "HANDLE")),
        )
        if key not in rules:
            continue
        chain, rule, at = rules[key]
        named = f"'{rule.name}'" if rule.name else f"{at} of chain {chain.table} {chain.name}"
        for name, value in _counted(message.get_attr("NFTA_RULE_EXPRESSIONS") or b""):
            counter = Counter(
                kind=CounterKind.RULE,
                netns=netns,
                subject=f"rule {named} in {netns}",
                name=name,
                place=key[1:],
                item=(NftChain, chain.id),
            )
            yield counter, value


def _counted(expressions: bytes) -> Iterator[tuple[str, int]]:
    """What the counters among a rule's expressions say: NFTA_COUNTER_BYTES and _PACKETS."""
    for _, expression in attributes(expressions):
        found = dict(attributes(expression))
        if found.get(1) == b"counter\0":
            counted = dict(attributes(found[2]))
            yield "bytes", int.from_bytes(counted[1])
            yield "packets", int.from_bytes(counted[2])


def _read_protocols(netns: str) -> _Found:
    for file in ("snmp", "netstat"):
        lines = Path(f"/proc/thread-self/net/{file}").read_text().splitlines()
        for names, values in pairwise(lines):
            protocol, _, listed = names.partition(":")
            its_own, _, counted = values.partition(":")
            if protocol == its_own and listed.split()[0].isidentifier():
                for name, value in zip(listed.split(), counted.split(), strict=True):
                    yield _of_protocol(netns, protocol, name, int(value))
    path = Path("/proc/thread-self/net/snmp6")
    for line in path.read_text().splitlines() if path.exists() else ():
        name, value = line.split()
        protocol = next(it for it in ("UdpLite6", "Udp6", "Icmp6", "Ip6") if name.startswith(it))
        yield _of_protocol(netns, protocol, name.removeprefix(protocol), int(value))


def _of_protocol(netns: str, protocol: str, name: str, value: int) -> tuple[Counter, int]:
    counted = 0 if name in _LEVELS or (protocol, name) == ("Tcp", "CurrEstab") else value
    return Counter(kind=CounterKind.PROTOCOL, netns=netns, subject=protocol, name=name), counted


def _read_cpus() -> _Found:
    """What packets wait for: Documentation/admin-guide/sysctl/net.rst, netdev_max_backlog."""
    lines = Path("/proc/net/softnet_stat").read_text().splitlines()
    for cpu, line in enumerate(lines):
        for column, name in _SOFTNET.items():
            value = int(line.split()[column], 16)
            yield Counter(kind=CounterKind.CPU, netns="", subject=f"CPU {cpu}", name=name), value
