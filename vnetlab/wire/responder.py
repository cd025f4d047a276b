"""Who answers a UDP or TCP probe at its destination (effect).

Where the port is free, the probe holds it while it lasts: a UDP socket whose datagrams it sends
back, or a listening TCP socket, for which the kernel answers a SYN. Where the port is taken, the
guest's own application is what is probed; so it is where the port is meant for one that is gone.
"""

from __future__ import annotations

import errno
import socket
from typing import Self

from vnetlab.errors import ProbeError
from vnetlab.trace.request import ProbeRequest, Protocol
from vnetlab.trace.sighting import Answerer
from vnetlab.wire.taps import Enter

_LONGEST_DATAGRAM = 65535
_BATCH = 256
_WHO_ELSE = {
    errno.EADDRINUSE: Answerer.APPLICATION,
    errno.EADDRNOTAVAIL: Answerer.NOBODY,
}


class Responder:
    """Answers one probe, or knows who does. Use it as a context manager: leaving it frees the port.

    Raises ProbeError where the port cannot be had for another reason than that it is taken.
    """

    def __init__(self, request: ProbeRequest, enter: Enter) -> None:
        self.answerer = Answerer.GUEST_KERNEL
        self.socket: socket.socket | None = None
        if request.protocol.has_ports:
            with enter(request.endpoints.destination):
                self._hold_port(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.socket:
            self.socket.close()

    @property
    def serves(self) -> bool:
        """Whether it answers by itself. The kernel serves a TCP port."""
        return self.socket is not None and self.socket.type is socket.SOCK_DGRAM

    def serve(self) -> None:
        """Send back the datagrams that have come."""
        if self.socket is None or not self.serves:
            return
        for _ in range(_BATCH):
            try:
                datagram, sender = self.socket.recvfrom(_LONGEST_DATAGRAM)
                self.socket.sendto(datagram, sender)
            except OSError:  # nothing more to read, or the guest cannot send: the taps will tell
                return

    def _hold_port(self, request: ProbeRequest) -> None:
        is_udp = request.protocol is Protocol.UDP
        holder = socket.socket(
            socket.AF_INET if request.endpoints.version == 4 else socket.AF_INET6,
            socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM,
        )
        holder.setblocking(False)
        try:
            if not is_udp:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((str(request.endpoints.destination_address), request.port))
            if not is_udp and not request.to_application:
                holder.listen(request.count)
        except OSError as error:
            holder.close()
            if error.errno not in _WHO_ELSE:
                raise ProbeError(
                    f"probe: cannot answer on {request.endpoints.destination} port {request.port}: "
                    f"{error.strerror}"
                ) from error
            self.answerer = _WHO_ELSE[error.errno]
        else:
            if request.to_application:
                holder.close()
                self.answerer = Answerer.APPLICATION
            else:
                self.answerer, self.socket = Answerer.PROBE, holder
