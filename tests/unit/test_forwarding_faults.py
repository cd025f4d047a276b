"""The model over shipped topologies with a fault of the catalogue in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from vnetlab.diagnosis.codes import blame
from vnetlab.faults.catalogue import find_fault, find_place
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.edit import put
from vnetlab.state.guards import with_given_rules
from vnetlab.state.objects import BridgeVlan, LinkId, State
from vnetlab.state.shaping import shape
from vnetlab.state.tables import Carrier, Tables
from vnetlab.topology.cables import Shaping
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.forwarding.bonds import with_sightings
from vnetlab.trace.forwarding.ip import walk_flow
from vnetlab.trace.forwarding.packet import Packet, Payload, first_packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Walk
from vnetlab.trace.request import ProbeRequest
from vnetlab.trace.sighting import Direction, PacketKind, Sighting

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


def faulty_tables(topology: str, kind: str, place: str) -> Tables:
    """The tables of a lab with a fault, whose objects are suspect."""
    fault = find_fault(kind)
    return edited_tables(
        topology, lambda state: fault.change(state, find_place(fault, place, state))
    )


def edited_tables(topology: str, edit: Callable[[State], State]) -> Tables:
    """The tables of a lab after an edit, whose objects are suspect."""
    meant = with_given_rules(compile_topology(load(TOPOLOGIES / f"{topology}.yaml")))
    state = edit(meant)
    changed = [change.subject for change in diff_states(desired=meant, observed=state)]
    links = {link.id: link for link in state.links}
    carriers = {
        link.id: Carrier.DOWN
        if not link.up
        else Carrier.NO_CARRIER
        if link.peer in links and not links[link.peer].up
        else Carrier.UP
        for link in state.links
    }
    return Tables(
        state=state,
        carriers=carriers,
        sysctls={(it.netns, it.key): it.value for it in state.sysctls},
        suspects=frozenset((type(it), it.id) for it in changed),
    )


def walk(tables: Tables, source: str, destination: str) -> Walk:
    """The way of an echo request."""
    return walk_flow(tables, source, packet(tables, source, destination))


def packet(tables: Tables, source: str, destination: str) -> Packet:
    """An echo request."""
    ends = choose_endpoints(tables.state, source, destination)
    return first_packet(ProbeRequest(endpoints=ends))


def test_a_hypervisor_of_an_overlay_without_uplink() -> None:
    """The outer packets are not looked for in tunnels in their turn."""
    tables = faulty_tables("overlay", "pnic-down", "hv3.eno1")
    found = walk(tables, "a3", "a1").stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.LINK_DOWN, "hv3", "eno1")


def test_a_short_ttl_is_its_senders() -> None:
    """Not the router's, which ends the packet."""
    tables = faulty_tables("guest-tagging", "guest-short-ttl", "web1")
    accused = blame(walk(tables, "web1", "db1").stops[0], tables.state)
    assert (accused.code, accused.object) == ("guest.ttl-expired", "web1")


def test_a_tag_taken_off_at_a_team() -> None:
    """The switch at the other end of the cable expects it: the team is to blame."""
    team = BridgeVlan(netns="hv2", link="vs0.team", vid=10, pvid=False, untagged=True)
    found = walk(edited_tables("teaming", lambda state: put(state, team)), "web2", "web1").stops[0]
    assert (found.reason, found.netns, found.link) == (
        Reason.NATIVE_VLAN_MISMATCH,
        "hv2",
        "vs0.team",
    )


def test_a_team_without_pnics() -> None:
    """The team itself is still a port of the vSwitch."""

    def without(state: State) -> State:
        slaves = [x for x in state.links if (x.netns, x.master) == ("hv2", "vs0.team")]
        return put(state, *(replace(x, master=None, in_bond=False, up=False) for x in slaves))

    found = walk(edited_tables("teaming", without), "web2", "web1").stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.NO_ACTIVE_SLAVE, "hv2", "vs0.team")


def test_the_answer_to_a_twin_stays_at_the_port_that_it_comes_from() -> None:
    """A bridge learns from the answer before it looks for where it goes: to the sender's MAC."""
    tables = faulty_tables("guest-tagging", "vnic-duplicate-mac", "admin.eth0")
    assert not tables.learned
    found = walk(tables, "admin", "fw").stops[0]
    assert (found.reason, found.netns) == (Reason.DUPLICATE_MAC, "admin")


def test_a_lag_sends_by_the_slave_that_the_probe_was_seen_at() -> None:
    """A hash decides between slaves; what is behind one of them stops what it sends there."""
    tables = faulty_tables("teaming", "pnic-mtu", "hv1.eno1")
    large = replace(packet(tables, "web2", "web1"), length=1400)
    assert walk_flow(tables, "web2", large).passes
    seen = sighting("tor1", "hv1.eno1", large)
    found = walk_flow(with_sightings(tables, [seen]), "web2", large).stops[0]
    assert (found.reason, found.netns, found.link) == (Reason.MTU_TOO_SMALL, "hv1", "eno1")


def test_what_no_slave_of_a_lag_was_seen_to_send_is_lost_in_a_queue() -> None:
    """Taps are behind the queues: the other slave would have shown it."""
    tables = faulty_tables("teaming", "pnic-all-lost", "hv1.eno1")
    probe = packet(tables, "web1", "web2")
    assert walk_flow(tables, "web1", probe).passes
    known = with_sightings(tables, [sighting("hv1", "vs0.team", probe)])
    (loss,) = (it for it in walk_flow(known, "web1", probe).findings if it.reason is Reason.LOSS)
    assert (loss.netns, loss.link) == ("hv1", "eno1")


def sighting(netns: str, link: str, packet: Packet) -> Sighting:
    """The packet of a probe, going out of a link."""
    return Sighting(
        time_ns=0,
        netns=netns,
        ifname=link,
        direction=Direction.OUT,
        kind=PacketKind.REQUEST,
        source_mac="",
        destination_mac="",
        source=packet.source,
        destination=packet.destination,
    )


def test_taps_do_not_see_the_probe_in_a_tunnel() -> None:
    """No passage of the outer packets is one of the probe, which comes by untunnelled, too."""
    way = walk(edited_tables("virtual-router", lambda state: state), "web1", "app1")
    outer = [step for step in way.steps if step.within is not None]
    assert any(step.within is Payload.IP and step.link == "eno1" for step in outer)
    assert all(step.passage is None for step in outer)


@pytest.mark.parametrize("link", ["hv2.vmk0", "hv2.hv2.vmk0"])
def test_the_cable_of_a_hypervisors_own_nic_is_no_vnics(link: str) -> None:
    """Whichever end loses packets."""
    netns, _, name = link.partition(".")
    lossy = shape(LinkId(netns=netns, name=name), Shaping(loss_ppm=1_000_000))
    tables = edited_tables("overlay", lambda state: put(state, *lossy))
    (found, *_) = (it for it in walk(tables, "a2", "a1").findings if it.reason is Reason.LOSS)
    accused = blame(found, tables.state)
    assert (accused.code, accused.object) == ("hypervisor.loss", link)
