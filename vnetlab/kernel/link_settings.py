"""The settings of links that a dump of links has with it (pure).

Each link comes with an array of its own under net/ipv4/conf and of one under net/ipv6/conf
(IFLA_INET_CONF, IFLA_INET6_CONF of include/uapi/linux/if_link.h): to read them there saves opening
a file for each. Numbers: include/uapi/linux/ip.h, ipv6.h.
"""

from __future__ import annotations

import struct
from functools import cache

from vnetlab.kernel.rows import Row

_IPV4_DEVCONF = {  # which counts from 1
    "forwarding": 1,
    "proxy_arp": 3,
    "accept_redirects": 4,
    "send_redirects": 6,
    "rp_filter": 8,
    "accept_source_route": 9,
    "arp_filter": 13,
    "arp_announce": 18,
    "arp_ignore": 19,
    "arp_accept": 21,
    "accept_local": 23,
    "src_valid_mark": 24,
    "proxy_arp_pvlan": 25,
    "route_localnet": 26,
    "ignore_routes_with_linkdown": 29,
}
_IPV6_DEVCONF = {
    "forwarding": 0,
    "hop_limit": 1,
    "accept_ra": 3,
    "accept_redirects": 4,
    "disable_ipv6": 26,
}
PLACES = {
    "ipv4": {name: number - 1 for name, number in _IPV4_DEVCONF.items()},
    "ipv6": _IPV6_DEVCONF,
}
_NO_LINKS = ("all", "default")
_VALUE = struct.Struct("=i")
_PARTS = len(("net", "ipv4", "conf", "eth0", "forwarding"))


class LinkSettings:
    """The settings of the links of some namespaces."""

    def __init__(self) -> None:
        self._packed: dict[tuple[str, str, str], bytes] = {}

    def add(self, netns: str, link: Row) -> None:
        """Take in what came with a link."""
        name = link.get_attr("IFLA_IFNAME")
        for version, attribute in (("ipv4", "IFLA_INET_CONF"), ("ipv6", "IFLA_INET6_CONF")):
            packed = link.get_attr(attribute)
            if packed is not None:
                self._packed[netns, version, name] = packed

    def get(self, netns: str, key: str) -> str | None:
        """The value of a setting, as sysctl(8) has it; None for one that is not among these."""
        place = _place(key)
        if place is None:
            return None
        version, link, at = place
        packed = self._packed.get((netns, version, link), b"")
        if len(packed) < at + _VALUE.size:
            return None
        (value,) = _VALUE.unpack_from(packed, at)
        return str(value)


def comes_with_link(key: str) -> bool:
    """Whether a setting is one of those, if there is the link that it is of."""
    return _place(key) is not None


@cache  # the same for the same links of all namespaces
def _place(key: str) -> tuple[str, str, int] | None:
    """The protocol, link and place in its array, in bytes, of a setting that has one."""
    parts = key.split("/")
    if len(parts) != _PARTS or parts[2] != "conf":
        return None
    _, version, _, link, name = parts
    place = None if link in _NO_LINKS else PLACES[version].get(name)
    return None if place is None else (version, link, place * _VALUE.size)
