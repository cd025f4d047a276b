"""EFFECT: whether a namespace has any nftables: what reads and makes them takes long to import."""

from __future__ import annotations

from socket import AF_UNSPEC
from struct import pack

from pyroute2.netlink import NETLINK_NETFILTER
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.netlink import Channel

_GET_TABLE = NFNL_SUBSYS_NFTABLES << 8 | 1  # NFT_MSG_GETTABLE of linux/netfilter/nf_tables.h


def open_netfilter() -> Channel | None:
    """A netfilter socket of the present namespace; None where the kernel has no such thing."""
    try:
        return Channel(NETLINK_NETFILTER)
    except OSError:
        return None


def has_tables(channel: Channel) -> bool:
    """Whether there is any table of nftables; none where netfilter is without them."""
    anything = pack("=BBH", AF_UNSPEC, 0, 0)  # struct nfgenmsg: family, version, resource
    try:
        return bool(channel.dump_bodies(_GET_TABLE, anything))
    except KernelRefusedError:
        return False
