"""How the values of rules may be written (pure)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from vnetlab.topology.forms import PORT_FORM, Sentence
from vnetlab.topology.policies import PortRange
from vnetlab.topology.rule_text import (
    ACTIONS,
    PROTOCOLS,
    parse_choice,
    parse_peer,
    parse_ports,
    parse_rule,
)

_PORTS_TEXT: dict[str, Any] = {
    "title": "ports",
    "description": "Ports and ranges of them.",
    "examples": ["80,443", "8000-8080"],
    "type": "string",
    "pattern": r"^[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*$",
}
_PORTS: dict[str, Any] = {"anyOf": [PORT_FORM, _PORTS_TEXT]}
_PEER: dict[str, Any] = {
    "title": "peer",
    "description": "`any`, a prefix, an address, or the name of a network, of a node (all its "
    "addresses) or of a group.",
    "examples": ["any", "10.0.0.0/8", "web", "db1"],
    "type": "string",
    "pattern": ".",
}
_RULE: dict[str, Any] = {
    "title": "rule in words",
    "description": "`[ACTION] PROTO[/PORTS] [from PEER] [to PEER]`.",
    "examples": ["tcp/80,443", "deny icmp from any to db"],
    "type": "string",
    "pattern": ".",
}


def _word(title: str, description: str, choices: tuple[str, ...]) -> Any:
    told = {"title": title, "description": description, "examples": [*choices]}
    schema = {**told, "type": "string", "pattern": f"^({'|'.join(choices)})$"}
    parse = BeforeValidator(lambda value: parse_choice(value, choices))
    return parse, WithJsonSchema({"anyOf": [schema]})


_ACTION = _word("action", "Let it pass, drop it, or drop it and tell its sender.", ACTIONS)
_REST = _word("rest", "Let it pass, or drop it.", ACTIONS[:2])
_PROTOCOL = _word("traffic", "Of IPv4 and IPv6; `icmp` is both.", PROTOCOLS)
_TRANSPORT = _word("transport", "A protocol with ports.", PROTOCOLS[:2])

Action = Annotated[str, *_ACTION]
Rest = Annotated[str, *_REST]
Protocol = Annotated[str, *_PROTOCOL]
Transport = Annotated[str, *_TRANSPORT]
Ports = Annotated[
    tuple[PortRange, ...],
    BeforeValidator(parse_ports),
    WithJsonSchema({"anyOf": [*_PORTS["anyOf"], {"type": "array", "items": _PORTS}]}),
]
Peer = Annotated[str, BeforeValidator(parse_peer), WithJsonSchema({"anyOf": [_PEER]})]
RULE = Sentence(_RULE, parse_rule)
