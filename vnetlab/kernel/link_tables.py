"""What a link dump says beside a link's settings: carrier, port state, settings of IP (pure).

Layouts: rtnetlink(7); include/uapi/linux/if_link.h, if_bridge.h. Read without pyroute2, which takes
its time over the hundreds of numbers of each link.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from vnetlab.kernel.attributes import attributes
from vnetlab.state.switching import BondMode, PortState
from vnetlab.state.tables import Carrier

RTM_GETLINK = 18
_IFINFO = struct.Struct("=BxHiII")  # family, device type, index, flags, change
_IFF_UP, _IFF_RUNNING, _IFF_NOARP, _IFF_LOWER_UP = 0x1, 0x40, 0x80, 0x10000
_IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_AF_SPEC = 3, 10, 18, 26
_IFLA_EXT_MASK, _IFLA_XDP = 29, 43
_RTEXT_FILTER_SKIP_STATS = 8
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_BOND_MODE, _BOND_ACTIVE_SLAVE = 1, 2
_SLAVE_STATE, _SLAVE_MII_STATUS = 1, 2
_BRPORT_STATE = 1
_XDP_ATTACHED = 2
_AF_INET, _AF_INET6 = 2, 10
_INET_CONF, _INET6_CONF = 1, 2

CONF_OF_IPV4 = {
    1: "forwarding",
    3: "proxy_arp",
    8: "rp_filter",
    9: "accept_source_route",
    13: "arp_filter",
    14: "medium_id",
    18: "arp_announce",
    19: "arp_ignore",
    21: "arp_accept",
    23: "accept_local",
    24: "src_valid_mark",
    25: "proxy_arp_pvlan",
    26: "route_localnet",
    29: "ignore_routes_with_linkdown",
    30: "drop_unicast_in_l2_multicast",
    31: "drop_gratuitous_arp",
    32: "bc_forwarding",
}
"""Settings of a link by their place in IFLA_INET_CONF, from 1: include/uapi/linux/ip.h."""

CONF_OF_IPV6 = {
    0: "forwarding",
    1: "hop_limit",
    2: "mtu",
    3: "accept_ra",
    22: "proxy_ndp",
    24: "accept_source_route",
    26: "disable_ipv6",
    27: "accept_dad",
}
"""Settings of a link by their place in IFLA_INET6_CONF, from 0: include/uapi/linux/ipv6.h."""


class LinkRow(Struct, frozen=True, kw_only=True):
    """One link. `active` are the indexes of slaves, of a bond that names the one in use.

    `sends` says of a bond's slave that the bond may use it; `state` is that of a bridge's port.
    `settings` by path below net/ (`ipv4/conf/eth0/rp_filter`).
    """

    index: int
    name: str
    kind: str
    master: int | None
    carrier: Carrier
    noarp: bool
    has_xdp: bool
    state: PortState | None
    sends: bool
    active: frozenset[int] | None
    settings: Mapping[str, str] = field(default_factory=dict)


def link_request() -> bytes:
    """The content of the request for all links, without their counters."""
    mask = struct.pack("=HHI", 8, _IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)
    return _IFINFO.pack(0, 0, 0, 0, 0) + mask


def read_link(body: bytes) -> LinkRow:
    """One link of the kernel's answer."""
    _, _, index, flags, _ = _IFINFO.unpack_from(body)
    found = dict(attributes(body[_IFINFO.size :]))
    name = _text(found[_IFLA_IFNAME])
    info = dict(attributes(found.get(_IFLA_LINKINFO, b"")))
    slave = dict(attributes(info.get(_INFO_SLAVE_DATA, b"")))
    slave_kind = _text(info.get(_INFO_SLAVE_KIND, b""))
    kind = _text(info.get(_INFO_KIND, b""))
    master = found.get(_IFLA_MASTER)
    xdp = dict(attributes(found.get(_IFLA_XDP, b"")))
    return LinkRow(
        index=index,
        name=name,
        kind=kind,
        master=number(master) if master else None,
        carrier=_carrier(flags),
        noarp=bool(flags & _IFF_NOARP),
        has_xdp=any(xdp.get(_XDP_ATTACHED, b"")),
        state=PortState(slave[_BRPORT_STATE][0]) if slave_kind == "bridge" else None,
        sends=slave_kind == "bond" and not (slave[_SLAVE_STATE][0] or slave[_SLAVE_MII_STATUS][0]),
        active=_active(info.get(_INFO_DATA, b"")) if kind == "bond" else None,
        settings=dict(_settings(name, found.get(_IFLA_AF_SPEC, b""))),
    )


def number(packed: bytes) -> int:
    """A number as the kernel has it in memory."""
    return int.from_bytes(packed, "little" if struct.pack("=H", 1)[0] else "big")


def _text(packed: bytes) -> str:
    return packed.rstrip(b"\0").decode(errors="replace")


def _carrier(flags: int) -> Carrier:
    if not flags & _IFF_UP:
        return Carrier.DOWN
    passes = flags & _IFF_LOWER_UP and flags & _IFF_RUNNING
    return Carrier.UP if passes else Carrier.NO_CARRIER


def _active(data: bytes) -> frozenset[int] | None:
    """The slave that a bond names as the one in use; None where it may use several."""
    found = dict(attributes(data))
    if BondMode(found[_BOND_MODE][0]) is not BondMode.ACTIVE_BACKUP:
        return None
    return frozenset((number(found[_BOND_ACTIVE_SLAVE]),) if _BOND_ACTIVE_SLAVE in found else ())


def _settings(name: str, families: bytes) -> Iterator[tuple[str, str]]:
    by_family = dict(attributes(families))
    for family, version, kind, first, names in (
        (_AF_INET, 4, _INET_CONF, 1, CONF_OF_IPV4),
        (_AF_INET6, 6, _INET6_CONF, 0, CONF_OF_IPV6),
    ):
        packed = dict(attributes(by_family.get(family, b""))).get(kind, b"")
        values = struct.unpack(f"={len(packed) // 4}i", packed)
        for place, setting in names.items():
            if place - first < len(values):
                yield f"ipv{version}/conf/{name}/{setting}", str(values[place - first])
