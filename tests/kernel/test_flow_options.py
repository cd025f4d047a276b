"""The packet that is asked for is the one that is sent, and the model says what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import ROUTED
from vnetlab.errors import UsageError
from vnetlab.investigation import Investigation, explain, investigate
from vnetlab.lab import ProbeOptions
from vnetlab.trace.request import Protocol
from vnetlab.trace.sighting import Direction, Sighting

InNode = Callable[..., str]
pytestmark = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")


def both(bench: Bench, source: str, destination: str, **options: object) -> Investigation:
    """What a probe says; the model alone says the same."""
    chosen = ProbeOptions(**options)  # type: ignore[arg-type] # the tests name them right
    found = investigate("bench", source, destination, bench.root, options=chosen)
    foretold = explain("bench", source, destination, bench.root, options=chosen)
    assert found.verdict.contradiction == ""
    assert foretold.passes == found.verdict.healthy, found.verdict.summary
    assert [it.code for it in foretold.causes][:1] == [it.code for it in found.verdict.causes][:1]
    return found


def arrival(found: Investigation, node: str) -> Sighting:
    """The probe as it came in at a node."""
    (packet,) = found.trace.packets
    steps = (it.sighting for it in packet.forward)
    return next(it for it in steps if it.netns == node and it.direction is Direction.IN)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.UDP, Protocol.TCP])
def test_dscp_and_ttl_are_those_asked_for(
    bench: Bench, protocol: Protocol, version: int, *, raw: bool
) -> None:
    """Through the stack and past it; the router takes one off the TTL."""
    bench.up(ROUTED)
    found = both(bench, "web1", "db1", protocol=protocol, version=version, dscp=46, ttl=9, raw=raw)
    assert found.verdict.healthy
    came = arrival(found, "db1")
    assert came.ttl == 8
    header = came.frame[14:]
    assert (header[1] if version == 4 else int.from_bytes(header[:2]) >> 4 & 0xFF) == 46 << 2


@pytest.mark.parametrize("raw", [False, True])
def test_a_ttl_that_runs_out_at_the_router(bench: Bench, *, raw: bool) -> None:
    """The router says so."""
    bench.up(ROUTED)
    found = both(bench, "web1", "db1", ttl=1, raw=raw)
    assert (found.verdict.cause, found.verdict.object) == ("router.ttl-expired", "gw")


def test_what_may_not_be_fragmented(bench: Bench) -> None:
    """The sender cuts what is too big, a router what it may; neither with the flag."""
    bench.up(ROUTED.replace("db: {vlan: 20,", "db: {vlan: 20, mtu: 1400,"))
    assert both(bench, "web1", "db1", size=1450, dont_fragment=False).verdict.healthy
    kept = both(bench, "web1", "db1", size=1450, dont_fragment=True).verdict
    assert (kept.cause, kept.object) == ("router.packet-too-big", "gw.db")
    at_home = both(bench, "web1", "db1", size=1501, dont_fragment=True).verdict
    assert (at_home.cause, at_home.object) == ("vnic.packet-too-big", "web1.eth0")


@pytest.mark.parametrize(("vlan", "healthy"), [(None, True), (10, True), (20, False)])
def test_a_tag_of_the_guests_own(bench: Bench, vlan: int | None, *, healthy: bool) -> None:
    """An access port takes the tag of its VLAN, and none of another one."""
    bench.up(ROUTED)
    found = both(bench, "web1", "web2", raw=True, vlan=vlan)
    assert found.verdict.healthy is healthy
    (packet,) = found.trace.packets
    assert packet.forward[0].sighting.vlan == vlan


def test_a_raw_frame_passes_what_the_guest_forbids_itself(bench: Bench) -> None:
    """Its firewall's rules for what it sends are not asked."""
    firewall = "firewall: {output: [deny udp/4242], default: allow}"
    web1 = "web1: {on: hv1, nics: [web]"
    bench.up(ROUTED.replace(web1, f"{web1}, {firewall}"))
    assert not both(bench, "web1", "web2", protocol=Protocol.UDP, port=4242).verdict.healthy
    assert both(bench, "web1", "web2", protocol=Protocol.UDP, port=4242, raw=True).verdict.healthy


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vlan": 10}, "add --raw"),
        ({"vlan": 5000, "raw": True}, "expected 1-4094"),
        ({"dscp": 64}, "expected 0-63"),
        ({"ttl": 0}, "expected 1-255"),
        ({"dont_fragment": False, "version": 6}, "expected IPv4"),
    ],
)
def test_what_cannot_be_asked_for(bench: Bench, options: dict[str, object], said: str) -> None:
    """One message, before anything is sent."""
    bench.up(ROUTED)
    with pytest.raises(UsageError) as caught:
        both(bench, "web1", "db1", **options)
    assert said in f"{caught.value} {caught.value.fix}"
