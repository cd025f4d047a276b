"""Whether a port is an application's, so that a probe must not answer there itself (pure).

It is where a socket waits on it, at whichever address, and where a command of the node's `run:`
reads as one that listens on it. What a service listens on is written nowhere else, so that the
command is read as its user would: it speaks of listening and has the number in it. It is taken for
TCP unless it speaks of UDP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from vnetlab.state.running import Service
from vnetlab.state.tables import Listener
from vnetlab.trace.request import ProbeRequest, Protocol

_LISTENS = re.compile(r"listen|bind|serve|httpd|nginx|sshd|(?<!\S)-[a-z]*l", re.IGNORECASE)
_UDP = re.compile(r"udp|dgram|(?<!\S)-[a-z]*u", re.IGNORECASE)


def is_for_application(
    request: ProbeRequest, listeners: Iterable[Listener], services: Iterable[Service]
) -> bool:
    """Say whether an application is meant to answer a probe; `services` are those of the file."""
    if not request.protocol.has_ports:
        return False
    wanted = (request.endpoints.destination, request.protocol.value, request.port)
    if any((it.netns, it.protocol, it.port) == wanted for it in listeners):
        return True
    own = (it for it in services if it.netns == request.endpoints.destination)
    return any(_listens(it.command, request.protocol, request.port) for it in own)


def listening_port(command: str) -> int | None:
    """The only port of TCP that a command reads as listening on; None if there is not just one."""
    numbers = {int(it) for it in re.findall(r"(?<![\w./])[0-9]{1,5}(?![\w./])", command)}
    found = [port for port in numbers if _listens(command, Protocol.TCP, port)]
    return found[0] if len(found) == 1 else None


def _listens(command: str, protocol: Protocol, port: int) -> bool:
    spoken = Protocol.UDP if _UDP.search(command) else Protocol.TCP
    names_port = re.search(rf"(?<![\w./]){port}(?![\w./])", command)
    return bool(spoken is protocol and names_port and _LISTENS.search(command))
