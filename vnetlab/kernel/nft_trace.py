"""EFFECT: the kernel's own word on which rules of nftables a probe's packets match.

How it works: an own table with chains before all others sets `meta nftrace` on the packets with the
marker, and the kernel then tells each rule that such a packet matches to those who listen in that
namespace (NFNLGRP_NFTRACE). Only the families that the namespace has rules in are traced. The table
is owned by a socket (NFT_TABLE_F_OWNER): it goes when that is closed, if only by the death of its
process, and nobody else can change it. `nft_observe.py` passes it over.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from pyroute2.netlink import NETLINK_NETFILTER
from pyroute2.netlink.nfnetlink import NFNLGRP_NFTRACE

from vnetlab.kernel import nft_messages as messages
from vnetlab.kernel.netlink import SOL_NETLINK, Channel, Request
from vnetlab.kernel.nft_expressions import attributes, decode_verdict
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import Observed
from vnetlab.state.nft_rules import meta, rule, trace, word_at
from vnetlab.state.nftables import NftChain, NftHook, NftTable
from vnetlab.trace.traced_rule import TracedRule

_PRIORITY = -400  # before connection tracking and whatever else is usual
_WAYS_IN = ("prerouting", "output")
_TRACED_AS = {"ip": "inet", "ip6": "inet", "inet": "inet", "bridge": "bridge", "netdev": "netdev"}
_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_OFFSETS = {_ICMP: (8, 32, 36), _TCP: (4, 8), _UDP: (8,), _ICMPV6: (8, 52, 56)}
"""Where a marker may be behind the start of the transport header: in an ICMP error behind that of
the packet which it quotes, 4 bytes in TCP, 8 in all others."""

_ADD_MEMBERSHIP = 1  # NETLINK_ADD_MEMBERSHIP
_BUFFER_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_FAMILY_AT, _ATTRIBUTES_AT = 16, 20  # behind nlmsghdr, behind nfgenmsg
_TABLE, _CHAIN, _HANDLE, _TYPE, _VERDICT, _ID = 1, 2, 3, 4, 5, 6  # NFTA_TRACE_*
_NETWORK_HEADER, _TRANSPORT_HEADER, _IIF, _OIF, _POLICY = 8, 9, 10, 12, 16
_OF_POLICY, _OF_RULE = 1, 3  # NFT_TRACETYPE_*


@contextmanager
def trace_rules(
    nodes: Nodes, observed: Observed, netns: Iterable[str], *, value: int, mask: int
) -> Iterator[RuleTrace]:
    """Trace packets whose marker under `mask` is `value` in these namespaces.

    Namespaces without any rules are left alone. Raises KernelRefusedError where the kernel makes
    no such table.
    """
    with ExitStack() as stack:
        table = f"{messages.TRACE_TABLE}{secrets.token_hex(4)}"
        listening: dict[str, socket.socket] = {}
        for name in netns:
            chains = [chain for chain in observed.state.nft_chains if chain.netns == name]
            own = list(_own_chains(name, table, chains))
            if own:
                with nodes.enter(name):
                    owner = Channel(NETLINK_NETFILTER)
                    stack.callback(owner.close)
                    listening[name] = stack.enter_context(_listen())
                _make(owner, own, value, mask)
        yield RuleTrace(listening, observed, table, value=value, mask=mask)


class _Packet(Struct, frozen=True):
    """What was last said of a packet itself: its marker's word, and the links at this hook.

    One that shows no word is none of this probe's, but for an ICMP error: what that quotes is cut.
    """

    is_own: bool
    word: int | None
    iif: str | None
    oif: str | None


class RuleTrace:
    """What the kernel says of the marked packets, while the trace lasts."""

    def __init__(
        self,
        listening: Mapping[str, socket.socket],
        observed: Observed,
        table: str,
        *,
        value: int,
        mask: int,
    ) -> None:
        self._listening = listening
        self._chains = {chain.id: chain for chain in observed.state.nft_chains}
        self._handles = observed.rule_handles
        self._links = {(link.netns, index): link.name for link, index in observed.indexes.items()}
        self._value, self._mask = value, mask
        self._table = table
        self._marked: set[tuple[str, bytes]] = set()
        self._fresh: set[tuple[str, bytes]] = set()
        self._packets: dict[tuple[str, bytes], _Packet] = {}

    def read(self) -> list[TracedRule]:
        """All that was said since the last time, in order for each namespace."""
        return [
            said
            for netns, listening in self._listening.items()
            for message in _received(listening)
            for said in self._said(netns, message)
        ]

    def _said(self, netns: str, message: bytes) -> Iterator[TracedRule]:
        """One message; nothing if it is of another probe's packet, or of a chain that is new."""
        found = dict(attributes(message[_ATTRIBUTES_AT:]))
        if _text(found[_TABLE]) == self._table:
            self._mark((netns, found[_ID]), found)
        if (netns, found[_ID]) not in self._marked:
            return
        packet = self._packet(netns, found)
        family = messages.family_of(message[_FAMILY_AT])
        chain = self._chains.get((netns, family, _text(found[_TABLE]), _text(found[_CHAIN])))
        if chain is None or not packet.is_own:
            return
        number = self._number(chain, found)
        yield TracedRule(
            netns=netns,
            word=packet.word,
            chain=chain,
            verdict=_verdict(found),
            number=number,
            rule=chain.rules[number - 1] if number else None,
            iif=packet.iif,
            oif=packet.oif,
        )

    def _mark(self, packet: tuple[str, bytes], found: Mapping[int, bytes]) -> None:
        """The own table marks a packet, or sees one that another has marked: its chain ends only.

        The kernel uses a packet's number again once that is gone.
        """
        if int.from_bytes(found[_TYPE]) == _OF_RULE:
            self._marked.add(packet)
            self._fresh.add(packet)
        elif packet in self._fresh:
            self._fresh.remove(packet)
        else:
            self._marked.discard(packet)

    def _packet(self, netns: str, found: Mapping[int, bytes]) -> _Packet:
        """The packet; the first message of each base chain says what it is."""
        key = (netns, found[_ID])
        if _NETWORK_HEADER in found or key not in self._packets:
            iif, oif = (
                self._links.get((netns, int.from_bytes(found.get(kind, b""))))
                for kind in (_IIF, _OIF)
            )
            word = self._word(found.get(_TRANSPORT_HEADER, b""))
            is_own = word is not None or _is_icmp(found.get(_NETWORK_HEADER, b""))
            self._packets[key] = _Packet(is_own, word, iif, oif)
        return self._packets[key]

    def _word(self, header: bytes) -> int | None:
        words = [int.from_bytes(header[at : at + 4]) for at in (4, 8) if len(header) >= at + 4]
        return next((word for word in reversed(words) if word & self._mask == self._value), None)

    def _number(self, chain: NftChain, found: Mapping[int, bytes]) -> int:
        """Which rule of the chain it is, 0 for none of those that were observed."""
        handle = int.from_bytes(found.get(_HANDLE, b""))
        handles = self._handles.get(chain.id, ())
        return handles.index(handle) + 1 if handle in handles else 0


def _own_chains(netns: str, table: str, chains: Iterable[NftChain]) -> Iterator[NftChain]:
    """The chains that mark what is traced: one for each hook by which a packet comes in."""
    hooked = [chain for chain in chains if chain.hook is not None]
    places = {
        (family, point, ())
        for chain in hooked
        if (family := _TRACED_AS.get(chain.family)) in ("inet", "bridge")
        for point in _WAYS_IN
    } | {
        (chain.family, chain.hook.point, (device,))
        for chain in hooked
        if chain.family == "netdev" and chain.hook is not None
        for device in chain.hook.devices
    }
    for number, (family, point, devices) in enumerate(sorted(places)):
        hook = NftHook(kind="filter", point=point, priority=_PRIORITY, devices=devices)
        yield NftChain(
            netns=netns, family=family, table=table, name=f"mark{number}", rules=(), hook=hook
        )


def _make(owner: Channel, chains: Iterable[NftChain], value: int, mask: int) -> None:
    """Make the table with these chains, each with the rules that mark the packets."""
    chains = list(chains)
    made = [
        messages.make_owned_table(NftTable(netns="", family=family, name=chains[0].table))
        for family in sorted({chain.family for chain in chains})
    ]
    ids = messages.new_set_ids()
    for chain in chains:
        made.append(messages.make_chain(chain))
        for protocol, offsets in _OFFSETS.items():
            for offset in offsets:
                of_protocol = meta("l4proto", bytes((protocol,)))
                marks = rule("", of_protocol, word_at(offset, value, mask), trace())
                made += messages.make_rule(chain, marks, ids, None)
    requests = [Request(message=it, purpose="trace rules of nftables") for it in made]
    owner.change_at_once(messages.batch_begin(), requests, messages.batch_end())


def _listen() -> socket.socket:
    """A socket that hears what is traced in the present namespace."""
    made = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
    )
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    made.bind((0, 0))
    made.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, NFNLGRP_NFTRACE)
    made.setblocking(False)
    return made


def _received(listening: socket.socket) -> Iterator[bytes]:
    """All messages that wait; where some were too many for the buffer, the rest."""
    while True:
        try:
            yield listening.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def _is_icmp(header: bytes) -> bool:
    """Whether an IP header is followed by one of ICMP or ICMPv6."""
    protocol_at = 6 if header[:1] >= b"\x60" else 9
    return header[protocol_at : protocol_at + 1] in (b"\x01", b"\x3a")


def _verdict(found: Mapping[int, bytes]) -> str:
    if int.from_bytes(found[_TYPE]) == _OF_POLICY:
        return "accept" if int.from_bytes(found[_POLICY]) else "drop"
    return decode_verdict(found[_VERDICT])


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
