"""Rules of nftables in nft(8)'s own language, as far as vnetlab knows it (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from vnetlab.state.nft_rules import CT_STATES, FIELDS, META_KEYS
from vnetlab.state.nftables import NftChain, NftExpression, NftRule, edit_rules

_META = {number: name for name, number in META_KEYS.items()}
_FIELDS = {place: name for name, place in FIELDS.items()}
_OPERATORS = {0: "", 1: "!= ", 2: "< ", 3: "<= ", 4: "> ", 5: ">= "}
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp"}
_ETHERTYPES = {0x0800: "ip", 0x0806: "arp", 0x86DD: "ip6"}
_FAMILIES = {2: "ipv4", 10: "ipv6"}


def show_rule(rule: NftRule) -> str:
    """The rule's name in quotes; the rule itself where it has none."""
    return f"'{rule.name}'" if rule.name else show_expressions(rule)


def show_hook(chain: NftChain) -> str:
    """Where a base chain is hooked in: `filter forward, priority 0`."""
    if chain.hook is None:
        return "none"
    devices = f" on {', '.join(chain.hook.devices)}" if chain.hook.devices else ""
    return f"{chain.hook.kind} {chain.hook.point}{devices} at priority {chain.hook.priority}"


def show_edits(old: tuple[NftRule, ...], new: tuple[NftRule, ...]) -> Iterator[str]:
    """Each rule that goes or comes; what it does too where its name alone would not tell."""
    edits = list(edit_rules(old, new))
    gone = [old[place] for place, rule in edits if rule is None and place is not None]
    come = [rule for place, rule in edits if place is None and rule is not None]
    names = {rule.name for rule in gone} & {rule.name for rule in come}
    for sign, rules in (("-", gone), ("+", come)):
        for rule in rules:
            told = f" ({show_expressions(rule)})" if rule.name in names - {""} else ""
            yield f"{sign} rule {show_rule(rule)}{told}"


def show_expressions(rule: NftRule) -> str:
    """What the rule does, as nft would list it; an expression without such words by its kind."""
    words: list[str] = []
    held: dict[int | str, str] = {}  # what each register holds
    masks: dict[int | str, str] = {}
    for item in rule.expressions:
        values = dict(item.values)
        match item.kind:
            case "meta" | "payload" | "ct" if "dreg" in values:
                held[values["dreg"]] = _loaded(item)
                masks.pop(values["dreg"], None)
            case "bitwise" if "mask" in values:
                masks[values["dreg"]] = str(values["mask"])
            case "cmp":
                register = values["sreg"]
                words.append(_comparison(held.get(register, "?"), masks.get(register), values))
            case "lookup" if "elements" in values:
                name = held.get(values["sreg"], "?")
                keys = ", ".join(_range(name, key) for key in str(values["elements"]).split())
                inverted = "!= " if values.get("flags") else ""
                words.append(f"{name} {inverted}{{ {keys} }}")
            case "immediate" if values.get("dreg") == 0:
                words.append(str(values["data"]))
            case "immediate":
                held[values["dreg"]] = str(values["data"])
            case "nat":
                address, port = values.get("reg_addr_min", 0), values.get("reg_proto_min", 0)
                kind = "dnat to" if values.get("type") else "snat to"
                to = [_value("daddr", held[address])] if address in held else []
                to += [_value("dport", held[port])] if port in held else []
                words.append(" ".join([kind, " port ".join(to)]))
            case "masq":
                words.append("masquerade")
            case kind:
                words.append(kind)
    return " ".join(words)


def _loaded(item: NftExpression) -> str:
    values = dict(item.values)
    if item.kind == "meta":
        key = _META.get(int(values["key"]))
        return f"meta {key}" if key else f"meta {values['key']}"
    if item.kind == "ct":
        return "ct state" if values["key"] == 0 else f"ct {values['key']}"
    place = (int(values["base"]), int(values["offset"]), int(values["len"]))
    return _FIELDS.get(place, "@{},{},{}".format(*place))


def _comparison(name: str, mask: str | None, values: dict[str, int | str]) -> str:
    operator, data = _OPERATORS.get(int(values["op"]), "? "), str(values["data"])
    if mask is None:
        return f"{name} {operator}{_value(name, data)}"
    if name == "ct state" and operator == "!= " and not _number(data):
        bits = int.from_bytes(bytes.fromhex(mask[2:]), "little")
        return f"{name} {','.join(state for state, bit in CT_STATES.items() if bits & bit)}"
    if name.startswith("ip"):
        return f"{name} {operator}{_value(name, data)}/{_number(mask).bit_count()}"
    return f"{name} & {mask} {operator}{data}"


def _range(name: str, key: str) -> str:
    ends = dict.fromkeys(_value(name, f"0x{end}") for end in key.split("-"))
    return "-".join(ends)


def _value(name: str, data: str) -> str:
    """A value in the words of its field."""
    if not data.startswith("0x"):
        return data
    octets = bytes.fromhex(data[2:])
    if name.startswith("ether"):
        return ":".join(f"{octet:02x}" for octet in octets)
    if name.endswith("addr") and len(octets) in (4, 16):
        return str(ip_address(octets))
    if name.endswith("name"):
        return f'"{octets.rstrip(bytes(1)).decode(errors="replace")}"'
    if name.endswith(("port", "type")):
        return str(_number(data))
    words = {"meta l4proto": _PROTOCOLS, "meta protocol": _ETHERTYPES, "meta nfproto": _FAMILIES}
    return words.get(name, {}).get(_number(data), data)


def _number(data: str) -> int:
    return int(data, 16)
