"""EFFECT: the tables, chains, rules, sets and named objects of a namespace's nftables.

Nothing is asked of a namespace without tables but whether it has any, and of named objects only
where a table counts more in it than its chains and sets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate, pairwise
from typing import Any

from pyroute2.netlink.nfnetlink.nftsocket import (
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETFLOWTABLE,
    NFT_MSG_GETOBJ,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETSETELEM,
    NFT_MSG_GETTABLE,
    nft_chain_msg,
    nft_flowtable_msg,
    nft_table_msg,
)

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.nft_expressions import Elements, attributes, decode_data, decode_expressions
from vnetlab.kernel.nft_messages import (
    COMMENT,
    DORMANT,
    FLOWTABLE,
    INTERVAL_END,
    NAMED_KINDS,
    OWNED,
    TRACE_TABLE,
    family_of,
    nft_object_msg,
    nft_raw_elements_msg,
    nft_raw_rule_msg,
    nft_raw_set_msg,
    point_of,
    request,
)
from vnetlab.state.nftables import NftChain, NftHook, NftNamed, NftObject, NftRule, NftSet, NftTable

_KEY, _DATA, _FLAGS, _KEY_END = 1, 2, 3, 10  # NFTA_SET_ELEM_*
_DESC_CONCAT = 2  # NFTA_SET_DESC_CONCAT
_TableId = tuple[str, str]  # family and name
_Rules = dict[tuple[_TableId, str], list[tuple[int, NftRule]]]


Wanted = Callable[[str, str], bool]
"""Whether a table, by its family and name, is to be read."""


def every_table(_family: str, _name: str) -> bool:
    """Want them all."""
    return True


def read_nftables(
    netns: str, channel: Channel, wanted: Wanted = every_table
) -> Iterator[tuple[NftObject, tuple[int, ...]]]:
    """Every `wanted` table in the namespace with all in it, each chain with its rules' handles."""
    try:
        tables = _dump(channel, nft_table_msg, NFT_MSG_GETTABLE)
    except KernelRefusedError:  # netfilter without nftables, so there are none
        return
    found = {_table_id(message, "NFTA_TABLE_NAME"): message for message in tables}
    found = {
        id_: message for id_, message in found.items() if wanted(*id_) and not _is_of_trace(message)
    }
    for message in found.values():
        yield _table(netns, message), ()
    if not found:
        return
    held: Counter[_TableId] = Counter()
    anonymous: dict[_TableId, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for message in _dump(channel, nft_raw_set_msg, NFT_MSG_GETSET):
        table, name = _table_id(message, "NFTA_SET_TABLE"), message.get_attr("NFTA_SET_NAME")
        if table not in found:
            continue
        held[table] += 1
        elements = _elements(channel, table, message)
        if "NFT_SET_ANONYMOUS" in (message.get_attr("NFTA_SET_FLAGS") or ()):
            anonymous[table][name] = elements
        else:
            family, table_name = table
            yield (
                NftSet(netns=netns, family=family, table=table_name, name=name, elements=elements),
                (),
            )
    rules = _read_rules(channel, anonymous, found)
    for message in _dump(channel, nft_chain_msg, NFT_MSG_GETCHAIN):
        table = _table_id(message, "NFTA_CHAIN_TABLE")
        if table in found:
            held[table] += 1
            yield _chain(netns, message, rules)
    if any(message.get_attr("NFTA_TABLE_USE") != held[id_] for id_, message in found.items()):
        for item in _named(netns, channel):
            if (item.family, item.table) in found:
                yield item, ()


def _named(netns: str, channel: Channel) -> Iterator[NftNamed]:
    """What tables hold beside their chains and sets, of every table."""
    for prefix, number, kind in (
        ("NFTA_OBJ", NFT_MSG_GETOBJ, nft_object_msg),
        ("NFTA_FLOWTABLE", NFT_MSG_GETFLOWTABLE, nft_flowtable_msg),
    ):
        for message in _dump(channel, kind, number):
            family, table = _table_id(message, f"{prefix}_TABLE")
            of_kind = message.get_attr(f"{prefix}_TYPE")
            yield NftNamed(
                netns=netns,
                family=family,
                table=table,
                kind=NAMED_KINDS.get(of_kind, f"object {of_kind}") if of_kind else FLOWTABLE,
                name=message.get_attr(f"{prefix}_NAME"),
            )


def _is_of_trace(message: Any) -> bool:
    """Whether it is the table of a probe that is running (`nft_trace.py`): it goes by itself."""
    owned = (message.get_attr("NFTA_TABLE_FLAGS") or 0) & OWNED
    return bool(owned) and message.get_attr("NFTA_TABLE_NAME").startswith(TRACE_TABLE)


def _dump(channel: Channel, kind: type[Any], number: int, **more: Any) -> list[Any]:
    return channel.dump(request(kind, number, **more))


def _table_id(message: Any, attribute: str) -> _TableId:
    family = message["nfgen_family"]
    return family_of(family), message.get_attr(attribute)


def _table(netns: str, message: Any) -> NftTable:
    family, name = _table_id(message, "NFTA_TABLE_NAME")
    dormant = bool((message.get_attr("NFTA_TABLE_FLAGS") or 0) & DORMANT)
    return NftTable(netns=netns, family=family, name=name, dormant=dormant)


def _chain(netns: str, message: Any, rules: _Rules) -> tuple[NftChain, tuple[int, ...]]:
    table, name = _table_id(message, "NFTA_CHAIN_TABLE"), message.get_attr("NFTA_CHAIN_NAME")
    family, table_name = table
    held = rules.get((table, name), [])
    policy = message.get_attr("NFTA_CHAIN_POLICY")
    chain = NftChain(
        netns=netns,
        family=family,
        table=table_name,
        name=name,
        rules=tuple(rule for _, rule in held),
        hook=_hook(family, message),
        accepts=policy in (None, 1),
    )
    return chain, tuple(handle for handle, _ in held)


def _hook(family: str, message: Any) -> NftHook | None:
    hook = message.get_attr("NFTA_CHAIN_HOOK")
    if hook is None:
        return None
    several = hook.get_attr("NFTA_HOOK_DEVS")
    names = several.get_attrs("NFTA_DEVICE_NAME") if several else [hook.get_attr("NFTA_HOOK_DEV")]
    return NftHook(
        kind=message.get_attr("NFTA_CHAIN_TYPE"),
        point=point_of(family, hook.get_attr("NFTA_HOOK_HOOKNUM")),
        priority=hook.get_attr("NFTA_HOOK_PRIORITY"),
        devices=tuple(sorted(name for name in names if name)),
    )


def _read_rules(
    channel: Channel,
    anonymous: dict[_TableId, dict[str, tuple[str, ...]]],
    found: Collection[_TableId],
) -> _Rules:
    rules: _Rules = defaultdict(list)
    nothing: Elements = {}
    for message in _dump(channel, nft_raw_rule_msg, NFT_MSG_GETRULE):
        table = _table_id(message, "NFTA_RULE_TABLE")
        if table not in found:
            continue
        content = message.get_attr("NFTA_RULE_EXPRESSIONS") or b""
        rule = NftRule(
            name=_comment(message.get_attr("NFTA_RULE_USERDATA") or b""),
            expressions=decode_expressions(content, anonymous.get(table, nothing)),
        )
        rules[table, message.get_attr("NFTA_RULE_CHAIN")].append(
            (message.get_attr("NFTA_RULE_HANDLE"), rule)
        )
    return rules


def _comment(data: bytes) -> str:
    """The comment in a rule's user data: triples of type, length and value, a byte each."""
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        if kind == COMMENT:
            return data[at + 2 : at + 2 + length].rstrip(b"\0").decode(errors="replace")
        at += 2 + length
    return ""


def _elements(channel: Channel, table: _TableId, found: Any) -> tuple[str, ...]:
    """The elements of a set: `KEY`, `FIRST-LAST`, and of a map what it leads to."""
    family, table_name = table
    keys: list[tuple[bytes, int, bytes, str]] = []
    attrs = {"TABLE": table_name, "SET": found.get_attr("NFTA_SET_NAME")}
    for message in _dump(channel, nft_raw_elements_msg, NFT_MSG_GETSETELEM, family=family, **attrs):
        content = message.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS") or b""
        keys += (_element(dict(attributes(body))) for _, body in attributes(content))
    flags = found.get_attr("NFTA_SET_FLAGS") or ()
    fields = _fields(found)
    ranges = "NFT_SET_INTERVAL" in flags and not fields
    joined = _joined(sorted(keys)) if ranges else _apart(sorted(keys), fields)
    return tuple(joined)


def _fields(message: Any) -> list[int]:
    """The lengths of the fields of a concatenated key, each filled up to whole words."""
    lengths = [
        int.from_bytes(length)
        for kind, listed in attributes(message.get_attr("NFTA_SET_DESC") or b"")
        if kind == _DESC_CONCAT
        for _, field in attributes(listed)
        for _, length in attributes(field)
    ]
    return [-(-length // 4) * 4 for length in lengths]


def _element(found: dict[int, bytes]) -> tuple[bytes, int, bytes, str]:
    """Its key, whether it ends a range, the last key of its range, and its data in words."""
    key, last = (_key(found.get(kind)) for kind in (_KEY, _KEY_END))
    end = int.from_bytes(found.get(_FLAGS, b"")) & INTERVAL_END
    return key, 1 - end, last, f":{decode_data(found[_DATA])}" if _DATA in found else ""


def _key(content: bytes | None) -> bytes:
    """A key; the element for all others has none."""
    return bytes.fromhex(decode_data(content)[2:]) if content is not None else b""


def _apart(keys: list[tuple[bytes, int, bytes, str]], fields: list[int]) -> Iterator[str]:
    """Each element for itself, its fields with points between them."""
    for key, _, last, words in keys:
        ends = f"-{_pointed(last, fields)}" if last else ""
        yield f"{_pointed(key, fields)}{ends}{words}"


def _pointed(key: bytes, fields: list[int]) -> str:
    ends = list(accumulate(fields or [len(key)], initial=0))
    return ".".join(key[start:end].hex() for start, end in pairwise(ends))


def _joined(keys: list[tuple[bytes, int, bytes, str]]) -> Iterator[str]:
    """Each range as one; at one key, the end of a range comes before the start of the next."""
    first: tuple[bytes, str] | None = None
    for key, starts, _, words in keys:
        if not key:
            yield words
        elif starts:
            first = (key, words)
        elif first is not None:
            last = (int.from_bytes(key) - 1).to_bytes(len(key))
            yield f"{first[0].hex()}-{last.hex()}{first[1]}"
            first = None
    if first is not None:
        yield f"{first[0].hex()}-{'ff' * len(first[0])}{first[1]}"
