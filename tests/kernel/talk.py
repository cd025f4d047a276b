"""Real packets between nodes: one UDP datagram there and one back."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from tests.kernel.conftest import Bench
from vnetlab.kernel.namespaces import entered

_PORT = 7777
_TRIES, _TIMEOUT_S = 8, 0.5
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DO = 10, 23, 2
_HEADERS = {4: 28, 6: 48}


def reaches(
    bench: Bench, source: str, node: str, address: str, *, size: int = 100, tries: int = _TRIES
) -> bool:
    """Whether a packet of `size` bytes from `source` to `address` of `node` gets there and back.

    It may not be fragmented. One of several `tries` has to.
    """
    version = ip_address(address).version
    text = b"x" * (size - _HEADERS[version])
    with _socket(bench, node, version) as server, _socket(bench, source, version) as client:
        server.bind((address, _PORT))
        return any(_answers(client, server, (address, _PORT), text) for _ in range(tries))


def _answers(
    client: socket.socket, server: socket.socket, where: tuple[str, int], text: bytes
) -> bool:
    try:
        client.sendto(text, where)
        server.sendto(text, server.recvfrom(len(text) + 1)[1])
        return client.recv(len(text) + 1) == text
    except OSError:  # also that of neighbour resolution, which begins anew with the next try
        return False


def _socket(bench: Bench, node: str, version: int) -> socket.socket:
    with entered(bench.lab().namespace(node)):
        made = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    made.settimeout(_TIMEOUT_S)
    if version == 4:
        made.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
    else:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
    return made
