"""Expectations as text: `web1 -> db1 tcp/5432 via gw`, `db1 -x- web1 tcp/22` (pure)."""

from __future__ import annotations

import re

from vnetlab.topology.values import HIGHEST_PORT, LOWEST_PORT
from vnetlab.topology.wording import InvalidValueError, got

PROTOCOLS = ("icmp", "tcp", "udp")
_BLOCKED = "-x-"
_NAME = r"[^\s,/>]+"
_ARROW = rf"({_NAME})\s+(->|{_BLOCKED})\s+({_NAME})"
_PACKET = r"(?:\s+([a-z]+)(?:/([0-9]{1,9}))?)?"
_VIA = rf"(?:\s+via\s+({_NAME}(?:\s*,\s*{_NAME})*))?"
_TEXT = re.compile(rf"\s*{_ARROW}{_PACKET}{_VIA}\s*")
_FORM = "'A -> B [tcp/80] [via C]', or 'A -x- B' for what must not arrive"

SCHEMA_PATTERN = rf"^\s*{_NAME}\s+(->|-x-)\s+{_NAME}(\s.*)?$"


def parse_expectation(text: str) -> dict[str, object]:
    """The keys of the long form that the text stands for. Raises InvalidValueError."""
    match = _TEXT.fullmatch(text)
    if not match:
        fix = "put a space on both sides of the arrow" if "-" in text and " " not in text else ""
        raise got(text, _FORM, fix=fix)
    source, arrow, destination, protocol, port, via = match.groups()
    keys: dict[str, object] = {"from": source, "to": destination, "blocked": arrow == _BLOCKED}
    if protocol is not None:
        keys["proto"] = protocol
    if port is not None:
        keys["port"] = int(port)
    if via is not None:
        keys["via"] = re.split(r"\s*,\s*", via)
    _check_keys(protocol, keys.get("port"))
    return keys


def parse_protocol(value: object) -> str:
    """What a probe can be made of."""
    if value not in PROTOCOLS:
        raise got(value, " or ".join((", ".join(PROTOCOLS[:-1]), PROTOCOLS[-1])))
    return str(value)


def format_expectation(
    source: str, destination: str, *, protocol: str, port: int | None, via: str, blocked: bool
) -> str:
    """The short form, with what is a default left out."""
    words = [source, _BLOCKED if blocked else "->", destination]
    if port is not None:
        words.append(f"{protocol}/{port}")
    elif protocol != PROTOCOLS[0]:
        words.append(protocol)
    return " ".join([*words, *(["via", via] if via else [])])


def _check_keys(protocol: str | None, port: object) -> None:
    """Raise InvalidValueError for what the long form would tell of a key that is not there."""
    if protocol is not None:
        parse_protocol(protocol)
    if isinstance(port, int) and not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise InvalidValueError(f"got port {port}, expected {LOWEST_PORT}-{HIGHEST_PORT}")
