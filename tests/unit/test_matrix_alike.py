"""Which failed pairs of a matrix are walked, and which are like one that was."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest
from msgspec.structs import replace

from vnetlab.diagnosis.alike import Alike
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change
from vnetlab.state.objects import Address, State
from vnetlab.state.tables import Tables
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.index import build_index
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding
from vnetlab.trace.matrix import PairResult
from vnetlab.trace.request import ProbeRequest
from vnetlab.trace.sighting import Direction, PacketKind

LAB = """\
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/24}
  db: {vlan: 20, ipv4: 10.20.0.0/24}
physical_switches: {tor1: }
hypervisors:
  hv1: {pnics: {eno1: {to: tor1}}}
  hv2: {pnics: {eno1: {to: tor1}}}
vms:
  web1: {on: hv1, nics: [web]}
  web2: {on: hv1, nics: [web]}
  web3: {on: hv2, nics: [web]}
  web4: {on: hv2, nics: [web]}
  db1: {on: hv1, nics: [db]}
  db2: {on: hv2, nics: [db]}
routers:
  gw: {to: tor1, networks: [web, db]}
"""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    file = tmp_path_factory.mktemp("lab") / "lab.yaml"
    file.write_text(LAB)
    return compile_topology(load(file))


def pair(state: State, source: str, destination: str) -> PairResult:
    return PairResult(request=ProbeRequest(endpoints=choose_endpoints(state, source, destination)))


def alike(state: State, *changes: Change) -> Alike:
    tables = Tables(state=state)
    return Alike(tables, build_index(tables), changes)


def test_pairs_of_the_same_bridges_and_network_are_alike(state: State) -> None:
    """Other directions, bridges and VLANs are not; what goes through a router is always walked."""
    keys = alike(state)
    key = keys.key(pair(state, "web1", "web3"))
    assert key is not None
    assert key == keys.key(pair(state, "web2", "web4"))
    for other in (("web3", "web1"), ("web1", "web2"), ("db1", "db2")):
        assert key != keys.key(pair(state, *other)), other
    assert keys.key(pair(state, "web1", "db2")) is None


def test_what_the_taps_saw_between_the_ends_counts(state: State) -> None:
    """The uplink saw one pair and not the other: not alike. The ends' ports do not count."""
    keys = alike(state)
    result = pair(state, "web1", "web3")
    own = (("hv1", "web1.eth0", Direction.IN), PacketKind.REQUEST)
    uplink = (("hv1", "eno1", Direction.OUT), PacketKind.REQUEST)
    assert keys.key(replace(result, seen=(own,))) == keys.key(result)
    assert keys.key(replace(result, seen=(own, uplink))) != keys.key(result)


def test_a_pair_with_a_change_at_an_end_is_walked(state: State) -> None:
    """It may have a cause of its own: in the guest, or at the port that it is plugged into."""
    address = Address(netns="web1", link="eth0", interface=ip_interface("10.10.0.99/24"))
    port = next(link for link in state.links if link.label == "hv1.web1.eth0")
    for changed in (address, port):
        keys = alike(state, Change(old=None, new=changed))
        assert keys.key(pair(state, "web1", "web3")) is None
        assert keys.key(pair(state, "web2", "web3")) is not None


def test_only_what_asks_for_no_address_stops_all(state: State) -> None:
    """A link between the ends that is down does; one of an end, or a firewall's rule, does not."""
    keys, result = alike(state), pair(state, "web1", "web3")
    uplink = Finding(reason=Reason.LINK_DOWN, netns="hv1", link="eno1", row="down")
    assert keys.stops_all(result, uplink)
    assert not keys.stops_all(result, replace(uplink, link="web1.eth0"))
    assert not keys.stops_all(result, replace(uplink, netns="web3", link="eth0"))
    assert not keys.stops_all(result, replace(uplink, reason=Reason.FIREWALL_DROP))
