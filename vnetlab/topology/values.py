"""The single values of the topology language: text, VLAN ids, addresses, MACs (pure).

Each `parse_*` takes what YAML gave and returns the value, or raises InvalidValueError.
"""

from __future__ import annotations

import re
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    NetmaskValueError,
    ip_address,
)
from typing import TypeVar

from vnetlab.topology.topology import Address
from vnetlab.topology.wording import InvalidValueError, got

MOST_COPIES = 10_000
LOWEST_PORT, HIGHEST_PORT = 1, 65535
LOWEST_VLAN, HIGHEST_VLAN = 1, 4094
_RESERVED_VLANS = (0, 4095)  # IEEE 802.1Q: priority tags, and not for use
LOWEST_MTU, LOWEST_IPV6_MTU, HIGHEST_MTU = 68, 1280, 65535  # RFC 791, RFC 8200, veth(4)

_MAC = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}", re.ASCII)
_GROUP_BIT = 0x01

_NetworkT = TypeVar("_NetworkT", IPv4Network, IPv6Network)
_AddressT = TypeVar("_AddressT", IPv4Address, IPv6Address)

_NO_LAB_PREFIXES = (
    (IPv4Network("0.0.0.0/8"), "'this network'"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("224.0.0.0/3"), "multicast or reserved"),
    (IPv6Network("::/127"), "unspecified or loopback"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)


def parse_text(value: object) -> str:
    """A name, or another text."""
    if isinstance(value, str) and value:
        return value
    scalar = isinstance(value, bool | int | float)
    raise got(value, "text", fix="put it in quotes" if scalar else "")


def parse_vlan(value: object) -> int:
    """A VLAN id."""
    try:
        return parse_integer(value, LOWEST_VLAN, HIGHEST_VLAN)
    except InvalidValueError as error:
        if value in _RESERVED_VLANS and not isinstance(value, bool):
            raise InvalidValueError(error.text, fix="VLANs 0 and 4095 are reserved") from None
        raise


def parse_mtu(value: object) -> int:
    """The size of the largest packet, in bytes."""
    return parse_integer(value, LOWEST_MTU, HIGHEST_MTU)


def parse_count(value: object) -> int:
    """How many objects there are to be of one that is written."""
    return parse_integer(value, 1, MOST_COPIES)


def parse_port(value: object) -> int:
    """A port of TCP or UDP."""
    return parse_integer(value, LOWEST_PORT, HIGHEST_PORT)


def parse_flag(value: object) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise got(value, "true or false")
    return value


def parse_ipv4_prefix(value: object) -> IPv4Network:
    """An IPv4 prefix: `10.0.0.0/24`."""
    return _parse_prefix(value, IPv4Network, "an IPv4 prefix such as 10.0.0.0/24")


def parse_ipv6_prefix(value: object) -> IPv6Network:
    """An IPv6 prefix: `fd00::/64`."""
    return _parse_prefix(value, IPv6Network, "an IPv6 prefix such as fd00::/64")


def parse_ipv4_address(value: object) -> IPv4Address:
    """An IPv4 address: `10.0.0.5`."""
    return _parse_address(value, IPv4Address, "an IPv4 address such as 10.0.0.5")


def parse_ipv6_address(value: object) -> IPv6Address:
    """An IPv6 address: `fd00::5`."""
    return _parse_address(value, IPv6Address, "an IPv6 address such as fd00::5")


def parse_address(value: object) -> Address:
    """An address of either family."""
    expected = "an address such as 10.0.0.1 or fd00::1"
    if isinstance(value, str) and ":" in value:
        return _parse_address(value, IPv6Address, expected)
    return _parse_address(value, IPv4Address, expected)


def parse_mac(value: object) -> str:
    """A unicast MAC address, in lower case with colons."""
    expected = "a MAC address such as 02:00:00:00:00:01"
    if not isinstance(value, str) or not _MAC.fullmatch(value.lower()):
        raise got(value, expected)
    mac = value.lower().replace("-", ":")
    if int(mac[:2], 16) & _GROUP_BIT or mac == "00:00:00:00:00:00":
        raise got(value, "a unicast MAC address", fix="the first byte must be even, such as 02")
    return mac


def parse_integer(value: object, lowest: int, highest: int) -> int:
    """A whole number, from `lowest` to `highest`."""
    expected = f"{lowest}-{highest}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise got(value, f"a whole number, {expected}")
    if not lowest <= value <= highest:
        raise got(value, expected)
    return value


def _parse_prefix(value: object, kind: type[_NetworkT], expected: str) -> _NetworkT:
    if not isinstance(value, str) or "/" not in value:
        raise got(value, expected)
    try:
        prefix = kind(value, strict=False)
    except (AddressValueError, NetmaskValueError):
        raise got(value, expected) from None
    if str(prefix.network_address) != str(ip_address(value.partition("/")[0])):
        raise got(value, "a prefix without host bits", fix=f"write '{prefix}'")
    for unusable, why in _NO_LAB_PREFIXES:
        if unusable.version == prefix.version and prefix.overlaps(unusable):
            raise got(value, "a prefix for hosts", fix=f"{unusable} is {why}")
    return prefix


def _parse_address(value: object, kind: type[_AddressT], expected: str) -> _AddressT:
    if isinstance(value, str) and "/" in value:
        fix = f"write '{value.partition('/')[0]}': the prefix length is the network's"
        raise got(value, expected, fix=fix)
    try:
        if not isinstance(value, str) or "%" in value:
            raise got(value, expected)
        return kind(value)
    except AddressValueError:
        raise got(value, expected) from None
