"""Rules as text, and what they are made of: protocols, ports, peers (pure).

`[allow|deny|reject] PROTO[/PORTS] [from PEER] [to PEER]`. Each `parse_*` takes what YAML gave and
returns the value, or raises InvalidValueError.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from vnetlab.topology.policies import ANYWHERE, Network, PortRange
from vnetlab.topology.values import parse_port
from vnetlab.topology.wording import InvalidValueError, got

ACTIONS = ("allow", "deny", "reject")
PROTOCOLS = ("tcp", "udp", "icmp", "any")
EXPECTED_RULE = "a rule such as 'tcp/80,443 from web' or 'deny icmp from any to db'"

_PORTS = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*", re.ASCII)
_MOST_RANGES = 1000


def parse_rule(text: str) -> dict[str, object]:
    """The keys of the rule that `text` says. Raises InvalidValueError."""
    words = text.split()
    keys: dict[str, object] = {}
    if words and words[0] in ACTIONS:
        keys["action"] = words.pop(0)
    if not words:
        raise got(text, EXPECTED_RULE)
    keys["proto"], slash, ports = words.pop(0).partition("/")
    if slash:
        keys["ports"] = ports
    while words:
        word, *names = words[:2]
        if word not in ("from", "to") or word in keys or not names:
            raise got(text, EXPECTED_RULE)
        keys[word] = names[0]
        words = words[2:]
    return keys


def parse_choice(value: object, choices: tuple[str, ...]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise got(value, f"{', '.join(choices[:-1])} or {choices[-1]}")
    return value


def parse_ports(value: object) -> tuple[PortRange, ...]:
    """Ports: a number, a text such as `80,443,8000-8080`, or a list of both; sorted and joined."""
    items = value if isinstance(value, list) else [value]
    found = sorted(part for item in items for part in _parse_some_ports(item))
    if not found or len(found) > _MOST_RANGES:
        raise got(value, "ports such as 80, '80,443' or '8000-8080'")
    joined = [found[0]]
    for first, last in found[1:]:
        if first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def parse_peer(value: object) -> str:
    """Who a rule is about: a name, an address or a prefix."""
    if not isinstance(value, str) or not value:
        raise got(value, "any, a prefix, an address, or the name of a network, node or group")
    if "/" in value or ":" in value or value.replace(".", "").isdigit():
        try:
            prefix = ip_network(value, strict=False)
        except ValueError:
            raise got(value, "an address or prefix such as 10.0.0.0/8") from None
        if "/" in value and prefix.network_address != ip_address(value.partition("/")[0]):
            raise got(value, "a prefix without host bits", fix=f"write '{prefix}'")
    return value


def literal_prefix(peer: str) -> tuple[Network, ...]:
    """What an address, a prefix or `any` is; nothing for a name."""
    if peer == "any":
        return ANYWHERE
    try:
        return (ip_network(peer),)
    except ValueError:
        return ()


def show_ports(ports: tuple[PortRange, ...]) -> str:
    """Ports as their user writes them: `80,443,8000-8080`."""
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ports)


def _parse_some_ports(value: object) -> list[PortRange]:
    if isinstance(value, int) and not isinstance(value, bool):
        number = parse_port(value)
        return [(number, number)]
    if not isinstance(value, str) or not _PORTS.fullmatch(value):
        raise got(value, "ports such as 80, '80,443' or '8000-8080'")
    ranges = []
    for part in value.split(","):
        first, _, last = part.partition("-")
        low, high = parse_port(int(first)), parse_port(int(last or first))
        if high < low:
            raise InvalidValueError(f"got the range {part}, expected the lower port first")
        ranges.append((low, high))
    return ranges
