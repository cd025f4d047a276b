"""Who may send what to whom: rules, security groups, firewalls and NAT, resolved (pure)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
PortRange = tuple[int, int]

ANYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


class PolicyRule(Struct, frozen=True, kw_only=True):
    """What happens to packets of a protocol, between sources and destinations.

    `text` is the rule as its user would write it. `ports` are those of the destination, as ranges,
    none for all. Sources and destinations are prefixes; one of length 0 is everybody of its family.
    """

    text: str
    action: str
    protocol: str
    ports: tuple[PortRange, ...]
    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]


class SecurityGroup(Struct, frozen=True, kw_only=True):
    """What may come in to a vNIC and go out from it; replies may always. All other stays out."""

    name: str
    ingress: tuple[PolicyRule, ...]
    egress: tuple[PolicyRule, ...]


class Firewall(Struct, frozen=True, kw_only=True):
    """A node's own packet filter, which lets replies pass: rules for each direction, and the rest.

    A direction without rules whose rest is allowed has no filter at all.
    """

    input: tuple[PolicyRule, ...] = ()
    output: tuple[PolicyRule, ...] = ()
    input_default: str = "allow"
    output_default: str = "allow"


class PortForward(Struct, frozen=True, kw_only=True):
    """What arrives from `segment` for the router's address there goes on to another node."""

    segment: str
    protocol: str
    port: int
    to: tuple[Address, ...]
    to_port: int


class RouterPolicy(Struct, frozen=True, kw_only=True):
    """What a router lets through (and the replies to it), and whose addresses it translates.

    `masquerade` are the segments into which it sends with its own address.
    """

    acl: tuple[PolicyRule, ...] = ()
    default: str = "allow"
    masquerade: tuple[str, ...] = ()
    forwards: tuple[PortForward, ...] = ()
