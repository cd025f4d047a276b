"""EFFECT: the floor: the least that the kernel must be asked for a star of N guests on a bridge.

    python benchmarks/floor.py up DIRECTORY N
    python benchmarks/floor.py look PATH
    python benchmarks/floor.py down DIRECTORY

Nothing but the standard library, and of that as little as goes: no checks, no model, nothing read
back. Each guest is a network namespace with a veth, an IPv4 and an IPv6 address, both ends up.
What makes it fast: phases instead of guest by guest; namespaces without a fork, kept by bind mounts
in a tmpfs; a socket in each, opened on the way; veths made across namespaces with one queue per
direction; the bridge up last. down is one umount.

look is the least that it takes to see that all is as it should be: the tables and settings of each
guest read (of each namespace whose path begins with PATH), by as many processes as there are CPUs,
and nothing made of them.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Sequence

CLONE_NEWNET, MS_BIND, MS_PRIVATE, MNT_DETACH = 0x4000_0000, 4096, 1 << 18, 2
REQUEST, ACK, CREATE = 1, 4, 0x400
RTM_NEWLINK, RTM_NEWADDR = 16, 20
IFF_UP = 1
ADDRESS, IFNAME, MASTER, LINKINFO, NET_NS_FD, TXQ, RXQ = 1, 3, 10, 18, 28, 31, 32
ETH0, BRIDGE = 100, 10
OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def attribute(kind: int, content: bytes) -> bytes:
    """One attribute, padded: netlink(7)."""
    return struct.pack("=HH", len(content) + 4, kind) + content + bytes(-len(content) % 4)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """One message to the kernel: struct nlmsghdr."""
    return struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, 1, 0) + body


def link(index: int, *attributes: bytes, up: bool = False) -> bytes:
    """The body of a link's message: struct ifinfomsg."""
    return struct.pack("=BBHiII", 0, 0, 0, index, IFF_UP * up, IFF_UP) + b"".join(attributes)


def word(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def send(channel: socket.socket, messages: Sequence[bytes]) -> None:
    """Send messages and wait until the kernel has done the last; raises OSError for the first."""
    *most, last = messages
    length, kind, flags, *rest = struct.unpack_from("=IHHII", last)
    last = struct.pack("=IHHII", length, kind, flags | ACK, *rest) + last[16:]
    channel.send(b"".join([*most, last]))
    (error,) = struct.unpack_from("=i", channel.recv(65536), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


class Space:
    """A new namespace, kept at `path`; the thread stays in it."""

    def __init__(self, path: str) -> None:
        _check(_libc.unshare(CLONE_NEWNET))
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY))
        _check(_libc.mount(OWN.encode(), path.encode(), None, MS_BIND, None))
        self.fd = os.open(OWN, os.O_RDONLY)
        self.channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


_QUEUES = word(TXQ, 1) + word(RXQ, 1)


def new_bridge() -> bytes:
    """A bridge without multicast snooping, down."""
    kind = attribute(1, b"bridge\0") + attribute(2, attribute(23, b"\0"))
    body = link(BRIDGE, attribute(IFNAME, b"br0\0"), attribute(LINKINFO, kind))
    return message(RTM_NEWLINK, CREATE, body)


def new_veth(number: int, fd: int) -> bytes:
    """A port of the bridge, up, and its peer in the namespace `fd`, which cannot be made up.

    The kernel takes the index of a peer only where that of the link is given too.
    """
    mac = bytes([2, 0, 0, 0, *number.to_bytes(2, "big")])
    peer = link(
        ETH0,
        attribute(IFNAME, b"eth0\0"),
        attribute(ADDRESS, mac),
        word(NET_NS_FD, fd),
        _QUEUES,
    )
    kind = attribute(1, b"veth\0") + attribute(2, attribute(1, peer))
    name = attribute(IFNAME, f"p{number}".encode() + b"\0")
    attributes = (name, word(MASTER, BRIDGE), _QUEUES, attribute(LINKINFO, kind))
    return message(RTM_NEWLINK, CREATE, link(BRIDGE + number, *attributes, up=True))


def guest(number: int) -> list[bytes]:
    """What a guest sets up in itself."""
    ipv4 = socket.inet_aton(f"10.0.{number >> 8}.{number & 255}")
    ipv6 = socket.inet_pton(socket.AF_INET6, f"fd00::{number:x}")
    nodad = 2
    return [
        message(RTM_NEWLINK, 0, link(1, up=True)),
        message(RTM_NEWLINK, 0, link(ETH0, up=True)),
        message(
            RTM_NEWADDR,
            CREATE,
            struct.pack("=BBBBI", socket.AF_INET, 16, 0, 0, ETH0)
            + attribute(1, ipv4)
            + attribute(2, ipv4),
        ),
        message(
            RTM_NEWADDR,
            CREATE,
            struct.pack("=BBBBI", socket.AF_INET6, 64, nodad, 0, ETH0) + attribute(1, ipv6),
        ),
    ]


def up(directory: str, guests: int) -> None:
    """Build the star."""
    os.makedirs(directory)
    _check(_libc.mount(b"floor", directory.encode(), b"tmpfs", 0, None))
    _check(_libc.mount(b"none", directory.encode(), None, MS_PRIVATE, None))
    switch = Space(f"{directory}/switch")
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as setting:
        setting.write("1")  # ports speak no IP
    spaces = [Space(f"{directory}/{number}") for number in range(1, guests + 1)]
    send(switch.channel, [new_bridge()])
    for number, space in enumerate(spaces, 1):
        send(switch.channel, [new_veth(number, space.fd)])
    for number, space in enumerate(spaces, 1):
        send(space.channel, guest(number))
    send(switch.channel, [message(RTM_NEWLINK, 0, link(BRIDGE, up=True))])


TABLES = {
    18: struct.pack("=BxHiII", 0, 0, 0, 0, 0),  # RTM_GETLINK
    22: struct.pack("=4BI", 0, 0, 0, 0, 0),  # RTM_GETADDR
    26: struct.pack("=8BI", *[0] * 9),  # RTM_GETROUTE
    30: struct.pack("=BxxxiHBB", 0, 0, 0, 0, 0),  # RTM_GETNEIGH
    34: struct.pack("=8BI", *[0] * 9),  # RTM_GETRULE
    38: struct.pack("=BxxxiIII", 0, 0, 0, 0, 0),  # RTM_GETQDISC
}
DUMP, DONE = 0x300, 3
_IPV4 = """icmp_echo_ignore_all icmp_echo_ignore_broadcasts ip_default_ttl ip_forward
ip_no_pmtu_disc neigh/eth0/mcast_solicit conf/default/rp_filter conf/all/accept_local
conf/all/accept_source_route conf/all/arp_accept conf/all/arp_announce conf/all/arp_filter
conf/all/arp_ignore conf/all/bc_forwarding conf/all/drop_gratuitous_arp
conf/all/drop_unicast_in_l2_multicast conf/all/ignore_routes_with_linkdown conf/all/proxy_arp
conf/all/route_localnet conf/all/rp_filter conf/all/send_redirects conf/all/src_valid_mark"""
_IPV6 = """conf/all/disable_ipv6 conf/all/forwarding conf/default/accept_dad
conf/default/accept_ra conf/default/router_solicitations icmp/echo_ignore_all
neigh/eth0/mcast_solicit"""
SETTINGS = {"ipv4": _IPV4.split(), "ipv6": _IPV6.split()}
"""What decides where a guest's packets go."""


def look(path: str) -> None:
    """Read all guests."""
    cpus = len(os.sched_getaffinity(0))
    directory, _, start = path.rpartition("/")
    guests = [name for name in os.listdir(directory) if name.startswith(start)]
    for share in range(cpus):
        if not os.fork():
            for name in guests[share::cpus]:
                look_at(f"{directory}/{name}")
            os._exit(0)
    for _ in range(cpus):
        os.wait()


def look_at(path: str) -> None:
    """Read one guest."""
    space = os.open(path, os.O_RDONLY)
    _check(_libc.setns(space, CLONE_NEWNET))
    os.close(space)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as channel:
        for kind, body in TABLES.items():
            channel.send(message(kind, DUMP, body))
            while last_kind(channel.recv(65536)) != DONE:
                pass
    for protocol, names in SETTINGS.items():
        settings = os.open(f"/proc/sys/net/{protocol}", os.O_PATH)
        for name in names:
            setting = os.open(name, os.O_RDONLY, dir_fd=settings)
            os.read(setting, 4096)
            os.close(setting)
        os.close(settings)


def last_kind(received: bytes) -> int:
    """The type of the last message."""
    at = kind = 0
    while at < len(received):
        length, kind = struct.unpack_from("=IH", received, at)
        at += (length + 3) & ~3
    return kind


def down(directory: str) -> None:
    """Drop it all."""
    _check(_libc.umount2(directory.encode(), MNT_DETACH))
    os.rmdir(directory)


if __name__ == "__main__":
    if sys.argv[1] == "up":
        up(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "look":
        look(sys.argv[2])
    else:
        down(sys.argv[2])
