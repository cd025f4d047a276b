"""EFFECT: the kernel's own reports of the packets that it drops: NET_DM of generic netlink.

It reports the drops of all namespaces, to the initial one alone, and only some kernels have it
(CONFIG_NET_DROP_MONITOR): elsewhere there is nothing to watch. Where somebody watches already, the
reports go to both, as long as the other watches.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from vnetlab.errors import MissingFeatureError
from vnetlab.kernel.attributes import attributes
from vnetlab.kernel.link_tables import number
from vnetlab.kernel.netlink import SOL_NETLINK
from vnetlab.trace.drops import Drop

_GENERIC, _CONTROLLER = 16, 16
_GETFAMILY, _FAMILY_ID, _FAMILY_NAME, _MCAST_GROUPS = 3, 1, 2, 7
_GROUP_NAME, _GROUP_ID = 1, 2
_CONFIG, _START, _STOP, _PACKET_ALERT = 2, 3, 4, 5
_ALERT_MODE, _SYMBOL, _IN_PORT, _TIMESTAMP, _PAYLOAD, _SW_DROPS, _REASON = 1, 3, 4, 5, 7, 20, 23
_PACKET_MODE = b"\x01"
_PORT_INDEX = 0
_HEADER = struct.Struct("=IHHII")
_NLMSG_ERROR = 2
_REQUEST, _ACK = 1, 4
_ADD_MEMBERSHIP = 1
_BUFFER_BYTES = 4 << 20
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h


class DropMonitor:
    """A running watch; `overran` says that reports were lost, since nobody read them in time."""

    def __init__(self, reports: socket.socket, family: int) -> None:
        self.overran = False
        self._socket = reports
        self._family = family

    def read(self, quiet_s: float) -> Iterator[Drop]:
        """Yield the drops reported so far, until none has come for `quiet_s` seconds."""
        self._socket.settimeout(quiet_s)
        while True:
            try:
                received = self._socket.recv(1 << 17)
            except TimeoutError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overran = True
                continue
            _, kind, *_ = _HEADER.unpack_from(received)
            if kind == self._family and received[_HEADER.size] == _PACKET_ALERT:
                yield _drop(dict(attributes(received[_HEADER.size + 4 :])))


@contextmanager
def watched_drops() -> Iterator[DropMonitor]:
    """Have the kernel report the packets that it drops, as long as the context lasts.

    Raises MissingFeatureError where the kernel has no such reports, or not for this namespace.
    """
    with _generic() as requests, _generic() as reports:
        try:
            family, group = _find(requests)
            starts = _start(requests, family)
        except OSError as error:
            raise MissingFeatureError(
                f"no reports of dropped packets: {os.strerror(error.errno or 0)}",
                fix="it takes CONFIG_NET_DROP_MONITOR, and root in the initial namespace",
            ) from None
        try:
            reports.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            reports.setsockopt(SOL_NETLINK, _ADD_MEMBERSHIP, group)
            yield DropMonitor(reports, family)
        finally:
            if starts:
                _ask(requests, family, _STOP, _attribute(_SW_DROPS, b""))


def _generic() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
    made.bind((0, 0))
    return made


def _find(requests: socket.socket) -> tuple[int, int]:
    """The number of the family, and of its group that reports go to."""
    asked = _attribute(_FAMILY_NAME, b"NET_DM\0")
    found = dict(attributes(_ask(requests, _CONTROLLER, _GETFAMILY, asked, version=1)))
    for _, content in attributes(found[_MCAST_GROUPS]):
        group = dict(attributes(content))
        if group[_GROUP_NAME] == b"events\0":
            return number(found[_FAMILY_ID]), number(group[_GROUP_ID])
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def _start(requests: socket.socket, family: int) -> bool:
    """Have packets reported; whether it was not so already."""
    try:
        _ask(requests, family, _CONFIG, _attribute(_ALERT_MODE, _PACKET_MODE))
        _ask(requests, family, _START, _attribute(_SW_DROPS, b""))
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EAGAIN):
            raise
        return False
    return True


def _ask(
    requests: socket.socket, family: int, command: int, body: bytes, version: int = 2
) -> bytes:
    """Send a request and return the attributes of its answer, or raise its failure as OSError."""
    content = struct.pack("=BBH", command, version, 0) + body
    flags = _REQUEST | (_ACK if family != _CONTROLLER else 0)
    requests.send(_HEADER.pack(_HEADER.size + len(content), family, flags, 1, 0) + content)
    reply = requests.recv(1 << 16)
    _, kind, *_ = _HEADER.unpack_from(reply)
    if kind != _NLMSG_ERROR:
        return reply[_HEADER.size + 4 :]
    (code,) = struct.unpack_from("=i", reply, _HEADER.size)
    if code:
        raise OSError(-code, os.strerror(-code))
    return b""


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _drop(found: dict[int, bytes]) -> Drop:
    port = dict(attributes(found.get(_IN_PORT, b"")))
    return Drop(
        symbol=found.get(_SYMBOL, b"").rstrip(b"\0").decode(),
        reason=found.get(_REASON, b"").rstrip(b"\0").decode(),
        index=number(port.get(_PORT_INDEX, b"")),
        time_ns=number(found.get(_TIMESTAMP, b"")),
        payload=found.get(_PAYLOAD, b""),
    )
