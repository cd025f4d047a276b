"""Random rules of nftables, and how often each has counted in the kernel."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_GETRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
)

from vnetlab.kernel import nft_messages as messages
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nft_expressions import attribute, attributes
from vnetlab.state.nft_rules import counter, ct_state, rule, verdict
from vnetlab.state.nftables import NftChain, NftExpression, NftHook, NftRule, NftTable

TABLE = "random"
_NESTED = 0x8000
_VERDICT_DATA = 0xFFFFFF00  # NFT_DATA_VERDICT
_CONCATENATED, _INTERVAL, _MAP = 0x80, 0x04, 0x08  # NFT_SET_*
_PORTS = (50, 53, 80, 443)
_CODES = {"drop": 0, "accept": 1}

Expressions = tuple[NftExpression, ...]


def one(kind: str, **values: int | str) -> NftExpression:
    """An expression."""
    return NftExpression(kind=kind, values=tuple(sorted(values.items())))


def load(base: int, offset: int, length: int, register: int = 1) -> NftExpression:
    """Load a field of the packet."""
    return one("payload", dreg=register, base=base, offset=offset, len=length)


def host(value: int, size: int = 4) -> str:
    """A number as the kernel keeps it itself."""
    return f"0x{value.to_bytes(size, 'little').hex()}"


def install(
    channel: Channel, table: NftTable, chains: Sequence[NftChain], sets: Iterable[Any] = ()
) -> None:
    """Replace a table in the kernel; `sets` are messages that make its named sets."""
    requests: list[Any] = [
        messages.make_table(table),
        messages.remove_table(table),
        messages.make_table(table),
        *map(messages.make_chain, chains),
        *sets,
    ]
    ids = messages.new_set_ids()
    for chain in chains:
        for item in chain.rules:
            requests += messages.make_rule(chain, item, ids, None)
    channel.change_at_once(
        messages.batch_begin(),
        [Request(message=it, purpose=str(it)) for it in requests],
        messages.batch_end(),
    )


class RandomRules:
    """A table of a family in a namespace with random rules, each named `rN` and counting."""

    def __init__(self, random: Random, netns: str, family: str, points: dict[str, list[int]]):
        self.random = random
        self.netns = netns
        self.family = family
        self.table = NftTable(netns=netns, family=family, name=TABLE)
        self.count = 0
        self.chains = [
            self._chain(f"{point}{number}", NftHook(kind="filter", point=point, priority=priority))
            for point, priorities in points.items()
            for number, priority in enumerate(priorities)
        ]
        self.chains += [self._chain("called", None), self._chain("deeper", None)]

    def install(self, channel: Channel) -> None:
        """Replace the table in the kernel."""
        install(channel, self.table, self.chains, self._sets())

    def _chain(self, name: str, hook: NftHook | None) -> NftChain:
        rules = [self._rule(name, hook) for _ in range(self.random.randint(1, 5))]
        if hook is not None:
            rules.insert(0, self._guard())
        accepts = hook is None or self.random.random() < 0.8
        return NftChain(
            netns=self.netns,
            family=self.family,
            table=TABLE,
            name=name,
            rules=tuple(rules),
            hook=hook,
            accepts=accepts,
        )

    def _guard(self) -> NftRule:
        """What nodes send by themselves (RFC 4861, RFC 3810) is kept from all other rules."""
        self.count += 1
        kinds = one("lookup", sreg=1, elements="83 84 85 86 87 88 89 8f")
        icmp6 = (one("meta", key=16, dreg=1), one("cmp", sreg=1, op=0, data="0x3a"))
        return rule(
            f"guard{self.count}", (*icmp6, load(2, 0, 1), kinds), counter(), verdict("accept")
        )

    def _rule(self, chain: str, hook: NftHook | None) -> NftRule:
        self.count += 1
        matches = [self._match() for _ in range(self.random.randint(0, 2))]
        words = ["accept", "accept", "drop", "return"]
        if hook is not None:
            words += ["jump called", "goto called", "map"]
        elif chain == "called":
            words += ["jump deeper", "goto deeper"]
        word = self.random.choice(words)
        if word == "map":
            decision: Expressions = (load(2, 2, 2), one("lookup", sreg=1, dreg=0, set="verdicts"))
        else:
            decision = verdict(word)
        if self.random.random() < 0.2:
            decision = self._change(hook)
        return rule(f"r{self.count}", *matches, counter(), decision)

    def _change(self, hook: NftHook | None) -> Expressions:
        """What changes the packet, without a verdict."""
        mark = (one("immediate", dreg=1, data=host(6)), one("meta", key=3, sreg=1))
        ttl = (
            one("immediate", dreg=1, data="0x07"),
            one("payload", sreg=1, base=1, offset=8, len=1, csum_type=1, csum_offset=10),
        )
        if hook is not None and hook.priority < -200 and self.family != "bridge":
            return (one("notrack"),)
        return self.random.choice([mark, ttl] if self.family == "bridge" else [mark])

    def _match(self) -> Expressions:
        random = self.random
        port = random.choice(_PORTS)
        wanted = f"0x{port.to_bytes(2).hex()}"
        operator = random.choice([0, 1])
        inverted: dict[str, int | str] = {"flags": 1} if operator else {}
        name = random.choice(["eth0", "none"]).encode().ljust(16, b"\0").hex()
        address = random.choice(["0a000001", "0a000002"])
        proto = random.choice(["01", "06", "11", "3a"])
        pair = (load(1, 12, 4, 8), load(2, 2, 2, 9))
        choices: list[Expressions] = [
            (one("meta", key=16, dreg=1), one("cmp", sreg=1, op=operator, data=f"0x{proto}")),
            (one("meta", key=1, dreg=1), one("cmp", sreg=1, op=operator, data="0x86dd")),
            (
                one("meta", key=random.choice([6, 7]), dreg=1),
                one("cmp", sreg=1, op=operator, data=f"0x{name}"),
            ),
            (load(2, 2, 2), one("cmp", sreg=1, op=random.randint(0, 5), data=wanted)),
            (load(2, 2, 2), one("lookup", sreg=1, elements="0035 0050", **inverted)),
            (load(2, 2, 2), one("lookup", sreg=1, elements="0000-0034 0050-ffff", **inverted)),
            (load(2, 2, 2), one("lookup", sreg=1, set="ports", **inverted)),
            (
                load(2, 2, 2),
                one("range", sreg=1, op=operator, **{"from": "0x0032", "to": wanted}),
            ),
            (load(1, 12, 4), one("cmp", sreg=1, op=operator, data=f"0x{address}")),
            (
                load(1, 16, 4),
                one("bitwise", sreg=1, dreg=1, len=4, mask="0xffffff00", xor="0x00000000"),
                one("cmp", sreg=1, op=operator, data="0x0a000000"),
            ),
            (load(1, 8, 1), one("cmp", sreg=1, op=random.choice([2, 5]), data="0x20")),
            (load(1, 2, 2), one("cmp", sreg=1, op=random.choice([2, 5]), data="0x0030")),
            (
                load(1, 1, 1),
                one("bitwise", sreg=1, dreg=1, len=1, mask="0xfc", xor="0x00"),
                one("cmp", sreg=1, op=operator, data="0x20"),
            ),
            (load(2, 4, 2), one("cmp", sreg=1, op=random.choice([2, 5]), data="0x0014")),
            (load(2, 0, 1), one("cmp", sreg=1, op=operator, data="0x08")),
            (load(0, 6, 6), one("cmp", sreg=1, op=operator, data="0x020000000001")),
            (
                load(0, 0, 1),
                one("bitwise", sreg=1, dreg=1, len=1, mask="0x01", xor="0x00"),
                one("cmp", sreg=1, op=operator, data="0x00"),
            ),
            ct_state(random.choice(["new", "established", "invalid", "untracked"])),
            (one("meta", key=3, dreg=1), one("cmp", sreg=1, op=operator, data=host(6))),
            (
                one("meta", key=3, dreg=1),
                one("bitwise", sreg=1, dreg=1, len=4, operation=1, data=host(8)),
                one("cmp", sreg=1, op=operator, data=host(6 << 8)),
            ),
            (
                one("meta", key=0, dreg=1),
                one("byteorder", sreg=1, dreg=1, op=1, len=4, size=4),
                one("cmp", sreg=1, op=random.choice([2, 4]), data="0x00000030"),
            ),
            (*pair, one("lookup", sreg=8, set="pairs", **inverted)),
            (*pair, one("lookup", sreg=8, set="areas", **inverted)),
        ]
        return random.choice(choices)

    def _sets(self) -> Iterator[Any]:
        """Ports by ranges; pairs of address and port, also by ranges; verdicts by port."""
        yield self._set("ports", _INTERVAL, 2)
        yield self._elements("ports", [({1: "0030"}, b""), ({1: "0036"}, _flag())])
        yield self._set("pairs", _CONCATENATED, 8)
        yield self._elements("pairs", [({1: "0a00000100500000"}, b"")])
        yield self._set("areas", _CONCATENATED | _INTERVAL, 8)
        ends = {1: "0a00000000320000", 10: "0a00000300500000"}
        yield self._elements("areas", [(ends, b"")])
        yield self._set("verdicts", _MAP, 2)
        verdicts = [({1: "0035"}, _verdict("drop")), ({1: "0050"}, _verdict("accept"))]
        yield self._elements("verdicts", verdicts)

    def _set(self, name: str, flags: int, length: int) -> Any:
        attrs: dict[str, Any] = {"TABLE": TABLE, "NAME": name, "KEY_TYPE": 0, "KEY_LEN": length}
        if flags & _MAP:
            attrs |= {"DATA_TYPE": _VERDICT_DATA, "DATA_LEN": 0}
        if flags & _CONCATENATED:
            fields = b"".join(
                attribute(1 | _NESTED, attribute(1, struct.pack(">I", size))) for size in (4, 2)
            )
            attrs["DESC"] = attribute(2 | _NESTED, fields)
        words = {_CONCATENATED: "CONCAT", _INTERVAL: "INTERVAL", _MAP: "MAP"}
        attrs["FLAGS"] = [f"NFT_SET_{word}" for flag, word in words.items() if flags & flag]
        return self._making(messages.nft_raw_set_msg, NFT_MSG_NEWSET, **attrs, ID=1000)

    def _elements(self, name: str, elements: list[tuple[dict[int, str], bytes]]) -> Any:
        encoded = b"".join(
            attribute(
                1 | _NESTED,
                b"".join(
                    attribute(kind | _NESTED, attribute(1, bytes.fromhex(key)))
                    for kind, key in keys.items()
                )
                + more,
            )
            for keys, more in elements
        )
        attrs = {"TABLE": TABLE, "SET": name, "ELEMENTS": encoded}
        return self._making(messages.nft_raw_elements_msg, NFT_MSG_NEWSETELEM, **attrs)

    def _making(self, kind: Any, number: int, **attrs: Any) -> Any:
        message = messages.request(kind, number, self.family, **attrs)
        message["header"]["flags"] = NLM_F_CREATE
        return message


def counts(channel: Channel) -> dict[str, int]:
    """How many packets each rule of the table has counted."""
    found = {}
    asked = messages.request(messages.nft_raw_rule_msg, NFT_MSG_GETRULE)
    for raw in channel.dump_raw(asked):
        message = messages.nft_raw_rule_msg(raw)
        message.decode()
        if message.get_attr("NFTA_RULE_TABLE") == TABLE:
            name = re.search(rb"[a-z]+\d+", message.get_attr("NFTA_RULE_USERDATA"))
            assert name is not None
            found[name.group().decode()] = _packets(message.get_attr("NFTA_RULE_EXPRESSIONS"))
    return found


def _packets(expressions: bytes) -> int:
    for _, body in attributes(expressions):
        content = dict(attributes(body))
        if content[1].startswith(b"counter\0"):
            return int.from_bytes(dict(attributes(content[2]))[2])
    raise AssertionError("every rule counts")


def _flag() -> bytes:
    return attribute(3, struct.pack(">I", messages.INTERVAL_END))


def _verdict(word: str) -> bytes:
    code = attribute(1, struct.pack(">i", _CODES[word]))
    return attribute(2 | _NESTED, attribute(2 | _NESTED, code))
