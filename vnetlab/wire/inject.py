"""Sending a probe's packets through the guest's own stack, or past it (effect).

The sockets are opened in the source's namespace and leave all the rest to its kernel: routing,
neighbour resolution, nftables, fragmentation, the IP header. What that kernel refuses is a result
of the probe, not an error of ours. A raw frame leaves by a packet socket (packet(7)) at the vNIC:
traffic control and the driver are all that it meets there.
"""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import Self

from vnetlab.errors import MissingFeatureError
from vnetlab.trace.request import ProbeRequest, Protocol, RawFrame
from vnetlab.wire.marker import Marker
from vnetlab.wire.messages import build_message
from vnetlab.wire.taps import Enter

_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = 10, 23  # ip(7), ipv6(7): Python does not name them
_PMTUDISC_DONT, _PMTUDISC_DO = 0, 2
_FIRST_RAW_PORT = 40000
_PORTS = 64
"""How many source ports the SYNs of a probe take turns in.

A SYN from the port of one that was answered just now, and not yet reset, would be a packet of
that connection to the destination.
"""


class Injector:
    """Sends the packets of one probe, or of several from one address with one protocol.

    Use it as a context manager: leaving it closes its sockets. Raises MissingFeatureError where
    the kernel refuses a raw socket.
    """

    def __init__(self, request: ProbeRequest, marker: Marker, enter: Enter) -> None:
        self._request = request
        self._marker = marker
        self._sockets = ExitStack()
        self._refused = ""
        self._source_ports = [0]
        with ExitStack() as opening, enter(request.endpoints.source):
            opening.enter_context(self._sockets)
            self._socket = self._open()
            if request.raw is None:
                self._bind()
                self._shape()
            else:
                self._bind_to(request.raw)
            opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()

    def send(self, sequence: int, request: ProbeRequest | None = None) -> str:
        """Send packet `sequence`; return the errno's name if the guest refused it, else nothing.

        `request` is another one with the same source address and protocol.
        """
        request = request or self._request
        if self._refused:
            return self._refused
        from_port = self._source_ports[sequence % len(self._source_ports)]
        if request.raw is not None:
            from vnetlab.wire.raw_frames import build_frame  # slow to import

            frame = build_frame(request, request.raw, self._marker, sequence, from_port)
            return self._send(frame, None)
        message = build_message(request, self._marker, sequence, from_port)
        to_port = request.port if request.protocol is Protocol.UDP else 0
        return self._send(message, (str(request.endpoints.destination_address), to_port))

    def _send(self, message: bytes, address: tuple[str, int] | None) -> str:
        try:
            if address is None:
                self._socket.send(message, socket.MSG_DONTWAIT)
            else:
                self._socket.sendto(message, socket.MSG_DONTWAIT, address)
        except OSError as error:
            return _name(error)
        return ""

    def _open(self) -> socket.socket:
        """A UDP socket, or a raw one: no other can send a SYN or an echo of our own making."""
        if self._request.raw is not None:
            return self._open_raw(socket.AF_PACKET, 0)  # receives nothing
        is_ipv4 = self._request.endpoints.version == 4
        family = socket.AF_INET if is_ipv4 else socket.AF_INET6
        if self._request.protocol is Protocol.UDP:
            return self._sockets.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        if self._request.protocol is Protocol.TCP:
            number = socket.IPPROTO_TCP
        else:
            number = socket.IPPROTO_ICMP if is_ipv4 else socket.IPPROTO_ICMPV6
        return self._open_raw(family, number)

    def _open_raw(self, family: int, number: int) -> socket.socket:
        try:
            return self._sockets.enter_context(socket.socket(family, socket.SOCK_RAW, number))
        except PermissionError as error:
            raise MissingFeatureError(
                f"probe: the kernel refused a raw socket in {self._request.endpoints.source}",
                fix="it takes CAP_NET_RAW there: be root, or use another realm",
            ) from error

    def _bind(self) -> None:
        """Take the source address, and free ports of it; a refusal is that of every packet."""
        source = str(self._request.endpoints.source_address)
        try:
            self._socket.bind((source, 0))
            if self._request.protocol is Protocol.TCP:
                count = min(self._request.count, _PORTS)
                self._source_ports = [self._hold_port(source) for _ in range(count)]
        except OSError as error:
            self._refused = _name(error)

    def _bind_to(self, frame: RawFrame) -> None:
        """To the link that the frames leave by."""
        try:
            self._socket.bind((frame.link.name, 0))
        except OSError as error:
            self._refused = _name(error)
        self._source_ports = list(range(_FIRST_RAW_PORT, _FIRST_RAW_PORT + _PORTS))

    def _shape(self) -> None:
        """Have the kernel make the IP header that is asked for."""
        request, is_ipv4 = self._request, self._request.endpoints.version == 4
        level = socket.IPPROTO_IP if is_ipv4 else socket.IPPROTO_IPV6
        if request.dscp:
            option = socket.IP_TOS if is_ipv4 else socket.IPV6_TCLASS
            self._socket.setsockopt(level, option, request.dscp << 2)
        if request.ttl is not None:
            option = socket.IP_TTL if is_ipv4 else socket.IPV6_UNICAST_HOPS
            self._socket.setsockopt(level, option, request.ttl)
        if request.dont_fragment is not None:
            option = _IP_MTU_DISCOVER if is_ipv4 else _IPV6_MTU_DISCOVER
            value = _PMTUDISC_DO if request.dont_fragment else _PMTUDISC_DONT
            self._socket.setsockopt(level, option, value)

    def _hold_port(self, source: str) -> int:
        holder = socket.socket(self._socket.family, socket.SOCK_STREAM)
        self._sockets.enter_context(holder).bind((source, 0))
        return int(holder.getsockname()[1])


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.errno))
