"""VXLAN and VRF links and static forwarding entries as messages, and back (pure).

Layouts: include/uapi/linux/if_link.h, neighbour.h. Forwarding entries are read without pyroute2:
a large bridge lists thousands, nearly all of them learned, which are passed over by their header.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_BRIDGE
from typing import Any

from pyroute2.netlink import NLM_F_APPEND, NLM_F_CREATE
from pyroute2.netlink.rtnl import RTM_DELNEIGH, RTM_NEWNEIGH
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.messages import Indexes, new_link
from vnetlab.state.objects import Link, LinkId
from vnetlab.state.overlays import FdbEntry, Vxlan

_NUD_NOARP, _NUD_PERMANENT = 0x40, 0x80
_NTF_SELF, _NTF_MASTER = 2, 4
_NDA_DST, _NDA_LLADDR, _NDA_VLAN, _NDA_PORT = 1, 2, 5, 6
_NDA_VNI, _NDA_IFINDEX, _NDA_MASTER = 7, 8, 9
_NDMSG = struct.Struct("=BBHiHBB")
_JOINED = ("01:00:5e:", "33:33:", "01:80:c2:")
"""How the MACs of groups begin that the kernel joins by itself: of IP, and of IEEE 802.1."""


def create_vxlan(link: Link, index: int) -> Any:
    """A VXLAN link, down."""
    assert link.vxlan is not None
    vxlan = link.vxlan
    data: list[tuple[str, Any]] = [
        ("IFLA_VXLAN_ID", vxlan.vni),
        ("IFLA_VXLAN_PORT", vxlan.port),
        ("IFLA_VXLAN_LEARNING", int(vxlan.learning)),
        ("IFLA_VXLAN_AGEING", vxlan.ageing_s),
        ("IFLA_VXLAN_TTL", vxlan.ttl),
    ]
    for name, address in (("LOCAL", vxlan.local), ("GROUP", vxlan.remote)):
        if address is not None:
            suffix = "" if address.version == 4 else "6"
            data.append((f"IFLA_VXLAN_{name}{suffix}", str(address)))
    return new_link(link, index, "vxlan", {"attrs": data})


def create_vrf(link: Link, index: int) -> Any:
    """A VRF, down."""
    return new_link(link, index, "vrf", {"attrs": [("IFLA_VRF_TABLE", link.table)]})


def read_vxlan(data: Any) -> Vxlan:
    """The settings of a VXLAN link, from its IFLA_INFO_DATA."""
    local = data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6")
    remote = data.get_attr("IFLA_VXLAN_GROUP") or data.get_attr("IFLA_VXLAN_GROUP6")
    return Vxlan(
        vni=data.get_attr("IFLA_VXLAN_ID"),
        local=ip_address(local) if local else None,
        port=data.get_attr("IFLA_VXLAN_PORT"),
        learning=bool(data.get_attr("IFLA_VXLAN_LEARNING")),
        ageing_s=data.get_attr("IFLA_VXLAN_AGEING"),
        ttl=data.get_attr("IFLA_VXLAN_TTL") or 0,
        remote=ip_address(remote) if remote else None,
    )


def fdb_entry(entry: FdbEntry, indexes: Indexes, *, is_port: bool, remove: bool = False) -> Any:
    """A static forwarding entry; `is_port` says that it is the bridge's that the link is in.

    One of a VXLAN link is added beside those for the same MAC: frames go to all of them.
    """
    message = ndmsg()
    message["header"]["type"] = RTM_DELNEIGH if remove else RTM_NEWNEIGH
    message["header"]["flags"] = 0 if remove else NLM_F_CREATE | NLM_F_APPEND
    message["family"] = AF_BRIDGE
    message["ifindex"] = indexes[LinkId(netns=entry.netns, name=entry.link)]
    message["state"] = _NUD_PERMANENT if entry.remote or entry.received else _NUD_NOARP
    message["flags"] = _NTF_MASTER if is_port else _NTF_SELF
    attrs: list[tuple[str, Any]] = [("NDA_LLADDR", entry.mac)]
    if entry.remote is not None:
        attrs.append(("NDA_DST", str(entry.remote)))
    for name, value in (
        ("NDA_VLAN", entry.vlan),
        ("NDA_PORT", entry.port),
        ("NDA_VNI", entry.vni),
        ("NDA_IFINDEX", entry.out and indexes[LinkId(netns=entry.netns, name=entry.out)]),
    ):
        if value is not None:
            attrs.append((name, value))
    message["attrs"] = attrs
    return message


def read_fdb(
    netns: str, replies: list[bytes], names: dict[int, str], *, own: Collection[str]
) -> Iterator[FdbEntry]:
    """The static entries that somebody configured.

    `own` are the MACs of the namespace's links: a bridge has an entry for each by itself, and a
    link receives also what those above it have.
    """
    for reply in replies:
        _, _, _, index, state, flags, _ = _NDMSG.unpack_from(reply)
        if not state & (_NUD_PERMANENT | _NUD_NOARP):
            continue
        found = dict(attributes(reply[_NDMSG.size :]))
        mac = found[_NDA_LLADDR].hex(":")
        remote = _address(found.get(_NDA_DST))
        of_bridge = _NDA_MASTER in found and not (state & _NUD_PERMANENT and mac in own)
        received = remote is None and bool(flags & _NTF_SELF) and _NDA_MASTER not in found
        if received and (mac in own or mac.startswith(_JOINED)):
            continue
        if remote is None and not of_bridge and not received:
            continue
        yield FdbEntry(
            netns=netns,
            link=names[index],
            mac=mac,
            remote=remote,
            vlan=_number(found.get(_NDA_VLAN)),
            port=_number(found.get(_NDA_PORT), order="big"),
            vni=_number(found.get(_NDA_VNI)),
            out=names.get(_number(found.get(_NDA_IFINDEX)) or 0),
            received=received,
        )


def _address(packed: bytes | None) -> IPv4Address | IPv6Address | None:
    return ip_address(packed) if packed else None


def _number(packed: bytes | None, order: Any = sys.byteorder) -> int | None:
    return int.from_bytes(packed, order) if packed else None
