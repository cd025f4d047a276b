"""EFFECT: the sockets of the namespace that the thread is in that wait for packets.

sock_diag(7) is asked; where the kernel has none, /proc/net, which does not say of a socket of IPv6
whether it takes IPv4 too (nearly all do), nor which link it is bound to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.netlink import Channel
from vnetlab.state.tables import Listener

_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_CLOSE, _LISTEN = 7, 10  # a UDP socket without a peer is closed, in the kernel's words
_SKV6ONLY = 11
_REQUEST = struct.Struct("=BBBxI48x")  # struct inet_diag_req_v2
_REPLY_BYTES = 72  # struct inet_diag_msg
_PROTOCOLS = {"tcp": (IPPROTO_TCP, _LISTEN), "udp": (IPPROTO_UDP, _CLOSE)}

_Found = tuple[int, bytes, bool, int]
"""Port, address, whether one of IPv6 takes IPv4 too, and the index of the link it is bound to."""


def read_listeners(netns: str, names: Mapping[int, str]) -> Iterator[Listener]:
    """Those of TCP and UDP."""
    channel = Channel(_SOCK_DIAG)
    try:
        for protocol in _PROTOCOLS:
            for version in (4, 6):
                for port, packed, both, index in _sockets(channel, protocol, version):
                    address = _address(packed)
                    yield Listener(
                        netns=netns,
                        protocol=protocol,
                        port=port,
                        address=address,
                        version=address.version if address else version,
                        both_versions=both and address is None,
                        link=names.get(index),
                    )
    finally:
        channel.close()


def _sockets(channel: Channel, protocol: str, version: int) -> Iterator[_Found]:
    number, state = _PROTOCOLS[protocol]
    family = AF_INET if version == 4 else AF_INET6
    try:
        bodies = channel.dump_bodies(
            _SOCK_DIAG_BY_FAMILY, _REQUEST.pack(family, number, 0, 1 << state)
        )
    except KernelRefusedError:
        yield from _listed(protocol, version, state)
        return
    for body in bodies:
        (port,) = struct.unpack_from(">H", body, 4)
        (index,) = struct.unpack_from("=I", body, 40)
        only = dict(attributes(body[_REPLY_BYTES:])).get(_SKV6ONLY, b"\0") != b"\0"
        yield port, body[8 : 12 if version == 4 else 24], version == 6 and not only, index


def _listed(protocol: str, version: int, state: int) -> Iterator[_Found]:
    """What /proc/net lists: addresses in words of 32 bits, as they are in memory."""
    path = Path(f"/proc/thread-self/net/{protocol}{'6' if version == 6 else ''}")
    for line in path.read_text().splitlines()[1:] if path.exists() else ():
        _, local, _, its_state, *_ = line.split()
        if int(its_state, 16) == state:
            text, _, port = local.partition(":")
            words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
            yield int(port, 16), struct.pack(f"={len(words)}I", *words), version == 6, 0


def _address(packed: bytes) -> IPv4Address | IPv6Address | None:
    """None for any; one of IPv4 that a socket of IPv6 has as that of IPv4."""
    address = ip_address(packed)
    if address.is_unspecified:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
