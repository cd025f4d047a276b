"""Which ports are left to the applications of a probe's destination."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from vnetlab.state.running import Service
from vnetlab.state.tables import Listener
from vnetlab.trace.applications import is_for_application
from vnetlab.trace.request import Endpoints, ProbeRequest, Protocol

ENDS = Endpoints(
    source="client",
    destination="web",
    source_address=ip_address("10.0.0.1"),
    destination_address=ip_address("10.0.0.2"),
)


def _request(protocol: Protocol, port: int) -> ProbeRequest:
    return ProbeRequest(endpoints=ENDS, protocol=protocol, port=port)


@pytest.mark.parametrize(
    ("command", "protocol", "port"),
    [
        ("exec python3 -m http.server --bind :: 80", Protocol.TCP, 80),
        ("nc -lk 5000", Protocol.TCP, 5000),
        ("nc -u -l -p 5000", Protocol.UDP, 5000),
        ("socat TCP-LISTEN:443,fork -", Protocol.TCP, 443),
        ("iperf3 --server --port=5201", Protocol.TCP, 5201),
    ],
)
def test_the_port_of_a_command_that_listens(command: str, protocol: Protocol, port: int) -> None:
    """A probe leaves it to the service, whether it runs or not, and no other port or protocol."""
    services = [Service(netns="web", name="run", command=command, directory="/")]
    other = Protocol.UDP if protocol is Protocol.TCP else Protocol.TCP
    assert is_for_application(_request(protocol, port), (), services)
    assert not is_for_application(_request(protocol, port + 1), (), services)
    assert not is_for_application(_request(other, port), (), services)
    assert not is_for_application(_request(Protocol.ICMP, port), (), services)


@pytest.mark.parametrize(
    "command",
    [
        "curl http://10.0.0.9:80/",
        "while sleep 80; do date; done",
        "python3 -m http.server --bind 10.0.0.80 8080",
        "ip route add 10.80.0.0/80; python3 -m http.server",
    ],
)
def test_a_number_that_is_no_port_to_listen_on(command: str) -> None:
    """A probe of port 80 answers itself there."""
    services = [Service(netns="web", name="run", command=command, directory="/")]
    assert not is_for_application(_request(Protocol.TCP, 80), (), services)


def test_a_socket_on_another_address_keeps_the_port() -> None:
    """What listens on the loopback address is what the user asks about; another node's is not."""
    bound = Listener(
        netns="web", protocol="tcp", port=80, address=ip_address("127.0.0.1"), version=4
    )
    service = Service(netns="client", name="run", command="nc -l 81", directory="/")
    assert is_for_application(_request(Protocol.TCP, 80), [bound], [service])
    assert not is_for_application(_request(Protocol.TCP, 81), [bound], [service])
