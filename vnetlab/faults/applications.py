"""Faults of what listens on a port (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from vnetlab.faults.fault import Fault, Flow, Place, node_places
from vnetlab.state.edit import put, take
from vnetlab.state.objects import Role, State
from vnetlab.state.running import Service
from vnetlab.trace.applications import listening_port
from vnetlab.trace.request import ECHO_PORT, Protocol

_GUESTS = node_places(Role.VM, Role.HOST)
_NAME = "misplaced"
_KINDS = {Protocol.TCP: "SOCK_STREAM", Protocol.UDP: "SOCK_DGRAM"}


def application_faults() -> Iterator[Fault]:
    """Services that are gone, and sockets that wait in the wrong place or never answer."""
    for protocol in (Protocol.TCP, Protocol.UDP):
        yield Fault(
            kind=f"application-{protocol.value}-wrong-bind-address",
            code="application.wrong-bind-address",
            title=f"an application waits for {protocol.value} on the loopback address alone",
            places=_at_echo_port,
            change=_started(protocol, "127.0.0.1"),
            flow=Flow(protocol=protocol, version=4),
            listens=True,
        )
    yield Fault(
        kind="application-silent",
        code="application.no-answer",
        title="an application takes datagrams and never answers",
        places=_at_echo_port,
        change=_started(Protocol.UDP, "0.0.0.0"),  # noqa: S104 # in a namespace of the lab
        flow=Flow(protocol=Protocol.UDP, version=4),
        listens=True,
    )
    tcp = Flow(protocol=Protocol.TCP)
    yield Fault(
        kind="service-stopped",
        code="application.no-listener",
        title="a service of the topology is not started",
        places=_listening,
        change=lambda state, place: take(state, _service(place)),
        flow=tcp,
    )
    yield Fault(
        kind="service-failed",
        code="application.no-listener",
        title="a service of the topology fails at its start",
        places=_listening,
        change=lambda state, place: put(state, replace(_service(place), command="exit 1")),
        flow=tcp,
    )
    yield Fault(
        kind="service-wrong-port",
        code="application.no-listener",
        title="a service of the topology listens on another port",
        places=_listening,
        change=lambda state, place: put(state, _listener(place, "::", (place.port or 0) + 1)),
        flow=tcp,
    )
    yield Fault(
        kind="service-wrong-bind-address",
        code="application.wrong-bind-address",
        title="a service of the topology listens on the loopback address alone",
        places=_listening,
        change=lambda state, place: put(state, _listener(place, "127.0.0.1", place.port or 0)),
        flow=tcp,
        listens=True,
    )


def _at_echo_port(state: State) -> Iterator[Place]:
    return (replace(place, port=ECHO_PORT) for place in _GUESTS(state))


def _listening(state: State) -> Iterator[Place]:
    """The services whose command says which port of TCP they listen on."""
    for service in sorted(state.services, key=lambda it: it.id):
        port = listening_port(service.command)
        if port is not None:
            yield Place(object=service.netns, netns=service.netns, item=service, port=port)


def _service(place: Place) -> Service:
    assert isinstance(place.item, Service)
    return place.item


def _listener(place: Place, address: str, port: int) -> Service:
    return replace(_service(place), command=f"exec python3 -m http.server --bind {address} {port}")


def _started(protocol: Protocol, address: str) -> Callable[[State, Place], State]:
    """Start something that holds the port and does nothing else."""
    program = (
        f"import signal, socket; s = socket.socket(type=socket.{_KINDS[protocol]}); "
        f"s.bind(('{address}', {ECHO_PORT})); "
        f"{'s.listen(); ' if protocol is Protocol.TCP else ''}signal.pause()"
    )

    def change(state: State, place: Place) -> State:
        command = f'exec python3 -c "{program}"'
        return put(state, Service(netns=place.netns, name=_NAME, command=command, directory="/"))

    return change
