"""Rules of nftables, put together from what they match and what they do (pure).

Numbers of fields and operators: include/uapi/linux/netfilter/nf_tables.h. Every function returns
expressions in the order in which the kernel runs them; all use register 1 (and 2 for a port).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network

from vnetlab.state.nftables import NftExpression, NftRule

Expressions = tuple[NftExpression, ...]

_REG_VERDICT, _REG_1, _REG_2 = 0, 1, 2
_EQUAL, _NOT_EQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5  # NFT_CMP_*
_LINK_HEADER, _NETWORK_HEADER, _TRANSPORT_HEADER = 0, 1, 2  # NFT_PAYLOAD_*
_CT_STATE = 0
_META_NFTRACE = 12
_IFNAME_BYTES = 16
_LONGEST_NAME = 120  # nft(8) takes comments of 127 bytes

META_KEYS = {
    "protocol": 1,
    "iifname": 6,
    "oifname": 7,
    "nfproto": 15,
    "l4proto": 16,
    "ibrname": 17,
    "obrname": 18,
}
FIELDS = {
    "ether daddr": (_LINK_HEADER, 0, 6),
    "ether saddr": (_LINK_HEADER, 6, 6),
    "ip length": (_NETWORK_HEADER, 2, 2),
    "ip saddr": (_NETWORK_HEADER, 12, 4),
    "ip daddr": (_NETWORK_HEADER, 16, 4),
    "ip6 saddr": (_NETWORK_HEADER, 8, 16),
    "ip6 daddr": (_NETWORK_HEADER, 24, 16),
    "icmp type": (_TRANSPORT_HEADER, 0, 1),
    "th sport": (_TRANSPORT_HEADER, 0, 2),
    "th dport": (_TRANSPORT_HEADER, 2, 2),
}
"""Fields of a packet: header, offset and length in bytes."""

CT_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}


def rule(name: str, *parts: Expressions) -> NftRule:
    """A rule that is called `name`, of several parts."""
    shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."
    return NftRule(name=shown, expressions=tuple(it for part in parts for it in part))


def meta(key: str, value: bytes, *, negate: bool = False) -> Expressions:
    """What the kernel knows of a packet, such as `l4proto`, is `value`."""
    load = _expression("meta", key=META_KEYS[key], dreg=_REG_1)
    return (load, _compare(_NOT_EQUAL if negate else _EQUAL, value))


def link_name(key: str, name: str, *, negate: bool = False) -> Expressions:
    """The packet comes in (`iifname`) or leaves (`oifname`) by the link `name`."""
    return meta(key, name.encode().ljust(_IFNAME_BYTES, b"\0"), negate=negate)


def field(name: str, values: Iterable[bytes], *, negate: bool = False) -> Expressions:
    """A field of the packet has one of `values`."""
    wanted = sorted(set(values))
    if len(wanted) == 1:
        return (_load(name), _compare(_NOT_EQUAL if negate else _EQUAL, wanted[0]))
    return (_load(name), _in([value.hex() for value in wanted], negate=negate))


def unicast() -> Expressions:
    """The frame is for one receiver: the group bit of its destination is not set."""
    return (_load("ether daddr"), _mask(b"\1" + bytes(5)), _compare(_EQUAL, bytes(6)))


def ports(name: str, ranges: Sequence[tuple[int, int]]) -> Expressions:
    """A port, `th sport` or `th dport`, is in one of the ranges; or any, without ranges."""
    if not ranges:
        return ()
    if all(first == last for first, last in ranges):
        return field(name, (first.to_bytes(2) for first, _ in ranges))
    return (_load(name), *_within(_apart(ranges, 2)))


def addresses(name: str, prefixes: Sequence[IPv4Network | IPv6Network]) -> Expressions:
    """An address, such as `ip saddr`, is in one of the prefixes of its family."""
    if any(prefix.prefixlen == 0 for prefix in prefixes):
        return ()
    if len(prefixes) == 1:
        return (_load(name), *_prefix(prefixes[0]))
    return (_load(name), *_within(_ranges(prefixes)))


def ct_state(*states: str) -> Expressions:
    """The connection that the packet is of is in one of `states`."""
    mask = sum(CT_STATES[state] for state in states)
    return (
        _expression("ct", dreg=_REG_1, key=_CT_STATE),
        _mask(mask.to_bytes(4, "little")),
        _compare(_NOT_EQUAL, bytes(4)),
    )


def word_at(offset: int, value: int, mask: int) -> Expressions:
    """Under `mask`, the 4 bytes at `offset` of the transport header are `value`."""
    load = _expression("payload", dreg=_REG_1, base=_TRANSPORT_HEADER, offset=offset, len=4)
    return (load, _mask(mask.to_bytes(4)), _compare(_EQUAL, value.to_bytes(4)))


def trace() -> Expressions:
    """Tell who listens which rules the packet matches from here on: `meta nftrace set 1`."""
    load = _expression("immediate", dreg=_REG_1, data=_hex(b"\1"))
    return (load, _expression("meta", key=_META_NFTRACE, sreg=_REG_1))


def counter() -> Expressions:
    """Count packets and bytes."""
    return (_expression("counter"),)


def verdict(word: str) -> Expressions:
    """Decide: `accept`, `drop`, `return`, or `jump CHAIN`."""
    return (_expression("immediate", dreg=_REG_VERDICT, data=word),)


def reject(kind: int, code: int | None = None) -> Expressions:
    """Drop the packet and tell its sender: NFT_REJECT_* and, but for a TCP reset, its code."""
    more = {} if code is None else {"code": code}
    return (_expression("reject", type=kind, **more),)


def masquerade() -> Expressions:
    """Send it from the address of the link that it leaves by."""
    return (_expression("masq"),)


def destination_nat(family: int, address: bytes, port: int | None) -> Expressions:
    """Send it to another address, of the `family` NFPROTO_*, and port."""
    load = _expression("immediate", dreg=_REG_1, data=_hex(address))
    target: dict[str, int | str] = {
        "type": 1,  # NFT_NAT_DNAT
        "family": family,
        "reg_addr_min": _REG_1,
        "reg_addr_max": _REG_1,
        "flags": 1,  # NF_NAT_RANGE_MAP_IPS
    }
    if port is None:
        return (load, _expression("nat", **target))
    target |= {"reg_proto_min": _REG_2, "reg_proto_max": _REG_2, "flags": 3}  # PROTO_SPECIFIED
    port_load = _expression("immediate", dreg=_REG_2, data=_hex(port.to_bytes(2)))
    return (load, port_load, _expression("nat", **target))


def _expression(kind: str, **values: int | str) -> NftExpression:
    return NftExpression(kind=kind, values=tuple(sorted(values.items())))


def _load(name: str) -> NftExpression:
    base, offset, length = FIELDS[name]
    return _expression("payload", dreg=_REG_1, base=base, offset=offset, len=length)


def _compare(operator: int, value: bytes) -> NftExpression:
    return _expression("cmp", sreg=_REG_1, op=operator, data=_hex(value))


def _mask(mask: bytes) -> NftExpression:
    zero = _hex(bytes(len(mask)))
    return _expression(
        "bitwise", sreg=_REG_1, dreg=_REG_1, len=len(mask), mask=_hex(mask), xor=zero
    )


def _in(elements: Sequence[str], *, negate: bool = False) -> NftExpression:
    """A lookup in an anonymous set; `negate` is NFT_LOOKUP_F_INV."""
    inverted = {"flags": 1} if negate else {}
    return _expression("lookup", sreg=_REG_1, elements=" ".join(elements), **inverted)


def _within(ranges: Sequence[tuple[bytes, bytes]]) -> Expressions:
    if len(ranges) == 1:
        ((first, last),) = ranges
        return (_compare(_AT_LEAST, first), _compare(_AT_MOST, last))
    return (_in([f"{first.hex()}-{last.hex()}" for first, last in sorted(ranges)]),)


def _prefix(prefix: IPv4Network | IPv6Network) -> Expressions:
    compare = _compare(_EQUAL, prefix.network_address.packed)
    if prefix.prefixlen == prefix.max_prefixlen:
        return (compare,)
    return (_mask(prefix.netmask.packed), compare)


def _ranges(prefixes: Sequence[IPv4Network | IPv6Network]) -> list[tuple[bytes, bytes]]:
    size = max(len(prefix.network_address.packed) for prefix in prefixes)
    ranges = [(int(prefix.network_address), int(prefix.broadcast_address)) for prefix in prefixes]
    return _apart(ranges, size)


def _apart(ranges: Iterable[tuple[int, int]], size: int) -> list[tuple[bytes, bytes]]:
    """The same numbers in ranges that neither overlap nor touch: the kernel takes no others."""
    apart: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if apart and first <= apart[-1][1] + 1:
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    return [(first.to_bytes(size), last.to_bytes(size)) for first, last in apart]


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"
