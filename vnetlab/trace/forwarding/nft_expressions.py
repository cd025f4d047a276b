"""What one rule of nftables does with a packet (pure).

How it works: as the kernel does it (net/netfilter/nf_tables_core.c), expression by expression over
registers of octets. An octet that the model does not know is None, and so is the answer to a
comparison that depends on it. Such a rule is said to be unmodelled; it is taken to match if it then
lets the packet pass, and not to match if it would stop it: nobody is accused on a guess. What
depends on chance or on rates (`limit`, `quota`, `numgen`) matches or does not as `Place.chance`
says: the caller asks for both.

Numbers: include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.nftables import NftExpression, NftRule
from vnetlab.trace.forwarding.headers import LINK, TRANSPORT, Octets, header, write_header
from vnetlab.trace.forwarding.nft_loads import META_MARK, Loaded, load_ct, load_meta
from vnetlab.trace.forwarding.nft_nat import masquerade, redirect, translate
from vnetlab.trace.forwarding.nft_place import Place
from vnetlab.trace.forwarding.nft_registers import (
    BY_CHANCE,
    Registers,
    calculate,
    compare,
    swap,
)
from vnetlab.trace.forwarding.nft_sets import key_length, look_up, split_elements, within
from vnetlab.trace.forwarding.packet import CtState, Packet

_VERDICT = 0  # the register of a verdict
_OVER_IP = ("inet", "ip", "ip6")
_EQUAL = 0  # NFT_CMP_EQ
_INVERTED = 1  # NFT_LOOKUP_F_INV, NFT_RANGE_NEQ

_Values = Mapping[str, int | str]
_Answer = bool | str | None
"""Whether to go on with the next expression, None where that is unknown; or a verdict."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What a rule did: its verdict (None: go on with the next rule) and the packet then.

    `interfaces` are those whose names the rule asked for, and the packet comes or leaves by them.
    `unmodelled` are the kinds of expressions that are not known; `chanced`: it depended on chance.
    """

    packet: Packet
    verdict: str | None = None
    interfaces: tuple[str, ...] = ()
    unmodelled: tuple[str, ...] = ()
    chanced: bool = False


def run_rule(rule: NftRule, packet: Packet, place: Place) -> Outcome:
    """Run the rule on the packet."""
    run = _Run(packet, place)
    verdict: str | None = None
    for expression in rule.expressions:
        answer = run.step(expression.kind, dict(expression.values))
        if answer is None:
            run.unmodelled.append(_words(expression))
        elif isinstance(answer, str):
            verdict = answer
            break
        elif not answer:
            break
    stops = verdict not in (None, "accept", "return")
    return Outcome(
        packet=packet if run.unmodelled and stops else run.packet,
        verdict=None if run.unmodelled and stops else verdict,
        interfaces=tuple(run.interfaces),
        unmodelled=tuple(run.unmodelled),
        chanced=run.chanced,
    )


class _Run:
    """A rule being run: its registers, and the packet by now."""

    def __init__(self, packet: Packet, place: Place) -> None:
        self.packet = packet
        self.place = place
        self.registers = Registers()
        self.interfaces: list[str] = []
        self.unmodelled: list[str] = []
        self.chanced = False

    def step(self, kind: str, values: _Values) -> _Answer:
        """Run one expression."""
        packet, place = self.packet, self.place
        match kind:
            case _ if "attributes" in values:
                return None
            case "counter" | "log" | "last" | "dup" | "flow_offload":
                return True
            case "immediate" if values["dreg"] == _VERDICT:
                return str(values["data"])
            case "immediate":
                return self._load(values, _octets(values["data"]))
            case "meta" if "sreg" in values:
                return self._set_meta(values)
            case "meta":
                return self._load(values, load_meta(int(values["key"]), packet, place))
            case "ct" if "sreg" in values:
                return True
            case "ct" if "direction" not in values:
                return self._load(values, load_ct(int(values["key"]), packet, place))
            case "payload" if "sreg" in values:
                return self._write(values)
            case "payload":
                return self._load(values, self._field(values))
            case "cmp" | "range":
                return self._compare(kind, values)
            case "lookup":
                return self._look_up(values)
            case "bitwise" | "byteorder":
                return self._calculate(kind, values)
            case "numgen":
                return self._load(values, Loaded.CHANCE)
            case "limit" | "quota":
                return self._chance()
            case "dynset":
                return not {"expression", "expressions"} & set(values) or self._chance()
            case "notrack":
                self.packet = replace(packet, state=CtState.UNTRACKED)
                return True
            case "reject":
                return kind
            case "fwd":
                return "redirect"
            case "nat" | "masq" | "redir":
                return self._translate(kind, values)
        return self._load(values, Loaded.UNKNOWN) and None

    def _load(self, values: _Values, loaded: Octets | Loaded) -> _Answer:
        """Fill a register; without anything to fill it with the rule ends."""
        if loaded is Loaded.ABSENT:
            return False
        if isinstance(loaded, Loaded):
            loaded = (None if loaded is Loaded.UNKNOWN else BY_CHANCE,) * 4
        if "dreg" in values:
            self.registers.write(int(values["dreg"]), loaded)
        return True

    def _field(self, values: _Values) -> Octets | Loaded:
        base, offset, length = (int(values[it]) for it in ("base", "offset", "len"))
        if not self._has_header(base):
            return Loaded.ABSENT
        octets = header(self.packet, base)
        if octets is None:
            return Loaded.ABSENT if base == TRANSPORT else (None,) * length
        return (*octets[offset : offset + length], *(None,) * (offset + length - len(octets)))[
            :length
        ]

    def _has_header(self, base: int) -> bool:
        """A packet of the namespace's own has no Ethernet header before it leaves."""
        return base != LINK or self.place.iif is not None or self.place.family not in _OVER_IP

    def _write(self, values: _Values) -> _Answer:
        base, offset, length = (int(values[it]) for it in ("base", "offset", "len"))
        octets = self.registers.read(int(values["sreg"]), length)
        written = write_header(self.packet, base, offset, octets)
        if written is not None:
            self.packet = written
        return True if written is not None else None

    def _set_meta(self, values: _Values) -> _Answer:
        octets = self.registers.read(int(values["sreg"]), 4)
        if values["key"] != META_MARK:
            return True
        if any(octet is None or octet == BY_CHANCE for octet in octets):
            return None
        mark = int.from_bytes(bytes(octet or 0 for octet in octets), sys.byteorder)
        self.packet = replace(self.packet, mark=mark)
        return True

    def _calculate(self, kind: str, values: _Values) -> _Answer:
        length = int(values["len"])
        source = self.registers.read(int(values["sreg"]), length)
        if kind == "byteorder":
            result = swap(source, int(values["size"]))
        else:
            second = self.registers.read(int(values.get("sreg2", values["sreg"])), length)
            result = calculate(values, source, second)
        self.registers.write(int(values["dreg"]), result)
        return True

    def _compare(self, kind: str, values: _Values) -> _Answer:
        first = _octets(values["data"] if kind == "cmp" else values["from"])
        key = self.registers.read(int(values["sreg"]), len(first))
        if BY_CHANCE in key:
            return self._chance()
        data = bytes(octet or 0 for octet in first)
        if kind == "range":
            last = bytes(octet or 0 for octet in _octets(values["to"]))
            return _negated(within(key, data, last), values.get("op") == _INVERTED)
        answer = compare(key, int(values["op"]), data)
        if answer and values["op"] == _EQUAL:
            self.interfaces += self._named(key)
        return answer

    def _named(self, key: Octets) -> list[str]:
        """The links whose names these octets are."""
        names = (name for name in (self.place.iif, self.place.oif) if name)
        return [name for name in names if tuple(name.encode().ljust(16, b"\0")) == key]

    def _look_up(self, values: _Values) -> _Answer:
        if "elements" in values:
            elements = tuple(split_elements(str(values["elements"])))
        elif (named := self.place.sets.get(str(values.get("set")))) is not None:
            elements = named.elements
        else:
            return None
        if not elements:
            return bool(values.get("flags"))
        key = self.registers.read(int(values["sreg"]), key_length(elements))
        if BY_CHANCE in key:
            return None if "dreg" in values else self._chance()
        found, data = look_up(key, elements)
        if "dreg" not in values or not found:
            return _negated(found, bool(values.get("flags")))
        if values["dreg"] == _VERDICT:
            return data
        return self._load(values, _octets(data))

    def _chance(self) -> bool:
        self.chanced = True
        return self.place.chance

    def _translate(self, kind: str, values: _Values) -> _Answer:
        """What was translated is accepted; what cannot be is dropped."""
        packet, place = self.packet, self.place
        port = self._register(values, "reg_proto_min", 2)
        if kind == "masq":
            translated = masquerade(packet, place, port)
        elif kind == "redir":
            translated = redirect(packet, place, port)
        else:
            size = 4 if packet.version == 4 else 16
            lowest = self._register(values, "reg_addr_min", size)
            highest = self._register(values, "reg_addr_max", size) or lowest
            translated = translate(packet, values, lowest, highest, port)
            if translated is None:
                self.unmodelled.append("nat to one of several")
                return "accept"
        if translated is None:
            return "drop"
        self.packet = translated
        return "accept"

    def _register(self, values: _Values, name: str, length: int) -> Octets:
        return self.registers.read(int(values[name]), length) if name in values else ()


def _octets(data: int | str) -> Octets:
    return tuple(bytes.fromhex(str(data)[2:]))


def _negated(answer: bool | None, negate: bool) -> bool | None:
    return answer if answer is None else answer is not negate


def _words(expression: NftExpression) -> str:
    """The expression by its kind, and what it reads."""
    key = dict(expression.values).get("key")
    return expression.kind if key is None else f"{expression.kind} {key}"
