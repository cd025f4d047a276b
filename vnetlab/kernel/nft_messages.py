"""Tables, chains, rules and sets of nftables as nfnetlink messages.

Layouts: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h. pyroute2's message classes encode
and decode all but a rule's expressions and a set's elements (`nft_expressions.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count
from socket import AF_UNSPEC
from typing import Any

from pyroute2.netlink import NLM_F_APPEND, NLM_F_CREATE
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELFLOWTABLE,
    NFT_MSG_DELOBJ,
    NFT_MSG_DELRULE,
    NFT_MSG_DELSET,
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    nft_chain_msg,
    nft_flowtable_msg,
    nft_set_msg,
    nft_table_msg,
)

from vnetlab.kernel.nft_expressions import ANONYMOUS_SET, attribute, encode_expressions
from vnetlab.state.nftables import NftChain, NftHook, NftNamed, NftRule, NftSet, NftTable

FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}
DORMANT = 1  # NFT_TABLE_F_DORMANT
OWNED = 2  # NFT_TABLE_F_OWNER: it goes with the socket that made it
TRACE_TABLE = "vnetlab-trace-"
"""How the names of the tables of running probes begin."""
NAMED_KINDS = {
    1: "counter",
    2: "quota",
    3: "ct helper",
    4: "limit",
    6: "tunnel",
    7: "ct timeout",
    9: "ct expectation",
    10: "synproxy",
}
"""nft's words for NFT_OBJECT_*."""
FLOWTABLE = "flowtable"
INTERVAL_END = 1  # NFT_SET_ELEM_INTERVAL_END
COMMENT = 0  # NFTNL_UDATA_RULE_COMMENT

_BATCH_BEGIN, _BATCH_END = 0x10, 0x11  # NFNL_MSG_BATCH_*
_KEY_TYPES = {1: 14, 2: 13, 4: 7, 6: 9, 16: 8}
"""The types that nft(8) shows keys of a length as: icmp_type, inet_service, ipv4_addr..."""

_ELEMENTS_AT_ONCE = 1000  # an attribute has 64 KiB
_POINTS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_NETDEV_POINTS = {"ingress": 0, "egress": 1}
_INET_INGRESS = 5  # NF_INET_INGRESS


class nft_raw_rule_msg(nfgen_msg):  # type: ignore[misc] # noqa: N801 - pyroute2 has no types, and such names
    """A rule, its expressions and user data as they are."""

    prefix = "NFTA_RULE_"
    nla_map = (
        ("NFTA_RULE_UNSPEC", "none"),
        ("NFTA_RULE_TABLE", "asciiz"),
        ("NFTA_RULE_CHAIN", "asciiz"),
        ("NFTA_RULE_HANDLE", "be64"),
        ("NFTA_RULE_EXPRESSIONS", "cdata"),
        ("NFTA_RULE_COMPAT", "cdata"),
        ("NFTA_RULE_POSITION", "be64"),
        ("NFTA_RULE_USERDATA", "cdata"),
    )


class nft_raw_elements_msg(nfgen_msg):  # type: ignore[misc] # noqa: N801 - pyroute2 has no types, and such names
    """The elements of a set as they are."""

    prefix = "NFTA_SET_ELEM_LIST_"
    nla_map = (
        ("NFTA_SET_ELEM_LIST_UNSPEC", "none"),
        ("NFTA_SET_ELEM_LIST_TABLE", "asciiz"),
        ("NFTA_SET_ELEM_LIST_SET", "asciiz"),
        ("NFTA_SET_ELEM_LIST_ELEMENTS", "cdata"),
        ("NFTA_SET_ELEM_LIST_SET_ID", "be32"),
    )


class nft_object_msg(nfgen_msg):  # type: ignore[misc] # noqa: N801 - pyroute2 has no types, and such names
    """A named counter, limit or the like, with what it is set to as it is."""

    prefix = "NFTA_OBJ_"
    nla_map = (
        ("NFTA_OBJ_UNSPEC", "none"),
        ("NFTA_OBJ_TABLE", "asciiz"),
        ("NFTA_OBJ_NAME", "asciiz"),
        ("NFTA_OBJ_TYPE", "be32"),
        ("NFTA_OBJ_DATA", "cdata"),
    )


class nft_raw_set_msg(nft_set_msg):  # type: ignore[misc] # noqa: N801 - pyroute2 has no types, and such names
    """A set, its description as it is.

    In use for every set: pyroute2 compiles a class's attributes at its first message and takes
    those of `nft_set_msg`, were it used before, for this one's.
    """

    nla_map = tuple(
        (name, "cdata" if name == "NFTA_SET_DESC" else form) for name, form in nft_set_msg.nla_map
    )


def request(message_class: type[Any], kind: int, family: str | None = None, **attrs: Any) -> Any:
    """A message of nftables with its attributes; every family where none is named."""
    message = message_class()
    message["header"]["type"] = kind | NFNL_SUBSYS_NFTABLES << 8
    message["nfgen_family"] = FAMILIES[family] if family else AF_UNSPEC
    message["attrs"] = [(f"{message_class.prefix}{name}", value) for name, value in attrs.items()]
    return message


def batch_begin() -> Any:
    """What opens a batch."""
    return _batch(_BATCH_BEGIN)


def batch_end() -> Any:
    """What closes a batch, and makes the kernel do it."""
    return _batch(_BATCH_END)


def make_table(table: NftTable) -> Any:
    """A new table; one that is there is set."""
    flags = DORMANT if table.dormant else 0
    return _making(nft_table_msg, NFT_MSG_NEWTABLE, table.family, NAME=table.name, FLAGS=flags)


def make_owned_table(table: NftTable) -> Any:
    """A new table that goes with the socket that this is sent by."""
    return _making(nft_table_msg, NFT_MSG_NEWTABLE, table.family, NAME=table.name, FLAGS=OWNED)


def remove_table(table: NftTable) -> Any:
    """A table with all in it."""
    return request(nft_table_msg, NFT_MSG_DELTABLE, table.family, NAME=table.name)


def make_chain(chain: NftChain) -> Any:
    """A new chain without rules; of one that is there the policy is set."""
    attrs: dict[str, Any] = {"TABLE": chain.table, "NAME": chain.name}
    if chain.hook is not None:
        attrs["HOOK"] = _hook(chain.family, chain.hook)
        attrs["TYPE"] = chain.hook.kind
        attrs["POLICY"] = int(chain.accepts)
    return _making(nft_chain_msg, NFT_MSG_NEWCHAIN, chain.family, **attrs)


def remove_chain(chain: NftChain) -> Any:
    """A chain without rules that none jumps to."""
    attrs = {"TABLE": chain.table, "NAME": chain.name}
    return request(nft_chain_msg, NFT_MSG_DELCHAIN, chain.family, **attrs)


def remove_rules(chain: NftChain, handle: int | None = None) -> Any:
    """One rule of a chain, or all of them."""
    attrs: dict[str, Any] = {"TABLE": chain.table, "CHAIN": chain.name}
    if handle is not None:
        attrs["HANDLE"] = handle
    return request(nft_raw_rule_msg, NFT_MSG_DELRULE, chain.family, **attrs)


def remove_set(item: NftSet) -> Any:
    """A named set."""
    return request(nft_raw_set_msg, NFT_MSG_DELSET, item.family, TABLE=item.table, NAME=item.name)


def remove_named(item: NftNamed) -> Any:
    """A named counter, limit or the like, or a flowtable."""
    attrs = {"TABLE": item.table, "NAME": item.name}
    if item.kind == FLOWTABLE:
        return request(nft_flowtable_msg, NFT_MSG_DELFLOWTABLE, item.family, **attrs)
    known = {name: number for number, name in NAMED_KINDS.items()}
    kind = known.get(item.kind) or int(item.kind.rpartition(" ")[2])
    return request(nft_object_msg, NFT_MSG_DELOBJ, item.family, **attrs, TYPE=kind)


def make_rule(
    chain: NftChain, rule: NftRule, set_ids: Iterator[int], before: int | None
) -> Iterator[Any]:
    """A rule before the one with the handle `before`, or at the end, and first its sets."""
    ids: list[int] = []
    for expression in rule.expressions:
        elements = dict(expression.values).get("elements")
        if elements is not None:
            ids.append(next(set_ids))
            yield from _anonymous_set(chain, ids[-1], str(elements).split())
    attrs: dict[str, Any] = {
        "TABLE": chain.table,
        "CHAIN": chain.name,
        "EXPRESSIONS": encode_expressions(rule.expressions, iter(ids)),
    }
    if before is not None:
        attrs["POSITION"] = before
    if rule.name:
        comment = rule.name.encode() + b"\0"
        attrs["USERDATA"] = bytes((COMMENT, len(comment))) + comment
    message = _making(nft_raw_rule_msg, NFT_MSG_NEWRULE, chain.family, **attrs)
    if before is None:
        message["header"]["flags"] |= NLM_F_APPEND
    yield message


def new_set_ids() -> Iterator[int]:
    """Ids for the anonymous sets of one batch."""
    return count(1)


def family_of(number: int) -> str:
    """The word for the number of a family."""
    return next((name for name, value in FAMILIES.items() if value == number), str(number))


def point_of(family: str, number: int) -> str:
    """The word for the number of a hook."""
    if family == "netdev":
        names = {value: name for name, value in _NETDEV_POINTS.items()}
    else:
        names = {value: name for name, value in _POINTS.items()} | {_INET_INGRESS: "ingress"}
    return names.get(number, str(number))


def _batch(kind: int) -> Any:
    message = nfgen_msg()
    message["header"]["type"] = kind
    message["res_id"] = NFNL_SUBSYS_NFTABLES
    return message


def _making(message_class: type[Any], kind: int, family: str, **attrs: Any) -> Any:
    message = request(message_class, kind, family, **attrs)
    message["header"]["flags"] = NLM_F_CREATE
    return message


def _hook(family: str, hook: NftHook) -> Any:
    points = _NETDEV_POINTS if family == "netdev" else _POINTS
    number = points[hook.point]
    attrs: list[tuple[str, int | str]] = [
        ("NFTA_HOOK_HOOKNUM", number),
        ("NFTA_HOOK_PRIORITY", hook.priority),
    ]
    attrs += [("NFTA_HOOK_DEV", device) for device in hook.devices]
    return {"attrs": attrs}


def _anonymous_set(chain: NftChain, number: int, elements: Sequence[str]) -> Iterator[Any]:
    interval = "-" in elements[0]
    key_length = len(elements[0].partition("-")[0]) // 2
    flags = ["NFT_SET_ANONYMOUS", "NFT_SET_CONSTANT"]
    yield _making(
        nft_raw_set_msg,
        NFT_MSG_NEWSET,
        chain.family,
        TABLE=chain.table,
        NAME=ANONYMOUS_SET,
        FLAGS=[*flags, "NFT_SET_INTERVAL"] if interval else flags,
        KEY_TYPE=_KEY_TYPES[key_length],
        KEY_LEN=key_length,
        ID=number,
    )
    keys = [key for element in elements for key in _keys(element, key_length)]
    for start in range(0, len(keys), _ELEMENTS_AT_ONCE):
        yield _making(
            nft_raw_elements_msg,
            NFT_MSG_NEWSETELEM,
            chain.family,
            TABLE=chain.table,
            SET=ANONYMOUS_SET,
            SET_ID=number,
            ELEMENTS=b"".join(keys[start : start + _ELEMENTS_AT_ONCE]),
        )


def _keys(element: str, length: int) -> Iterator[bytes]:
    """A key, or the first of a range and the one behind its last, if there is one."""
    first, _, last = element.partition("-")
    yield _element(bytes.fromhex(first))
    if last and (behind := int(last, 16) + 1) < 1 << 8 * length:
        yield _element(behind.to_bytes(length), INTERVAL_END)


def _element(key: bytes, flags: int = 0) -> bytes:
    content = attribute(1, attribute(1, key))  # NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
    if flags:
        content += attribute(3, struct.pack(">I", flags))  # NFTA_SET_ELEM_FLAGS
    return attribute(1, content)  # NFTA_LIST_ELEM
