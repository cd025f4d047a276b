"""Overlay networks: what is filled in where the file says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from vnetlab.topology.load import load
from vnetlab.topology.overlays import Overlay
from vnetlab.topology.store import dump, parse
from vnetlab.topology.topology import Topology

FILE = """\
networks:
  under: {vlan: 100, mtu: 1600, ipv4: 10.100.0.0/24}
  a: {vxlan: 5001}
  b: {vxlan: {id: 5002, port: 99}, vlan: 4094, mtu: 1400}
hypervisors:
  hv1:
  hv2: {pnics: {eno1: }, vswitches: {vs0: {pnics: [eno1]}, inner: {pnics: []}}}
  hv3:
vms:
  x: {on: hv1, nics: [a]}
  y: {on: hv2, nics: [{network: b, vswitch: inner}]}
  z: {on: hv3, nics: [under]}
"""


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    """The topology of FILE."""
    path = tmp_path / "lab.yaml"
    path.write_text(FILE)
    return load(path)


def test_an_overlay_takes_the_only_underlay_its_mtu_and_a_free_vlan(topology: Topology) -> None:
    """A VXLAN header has room in the underlay; no two networks have one VLAN."""
    _, a, b = topology.segments
    assert (a.overlay, a.mtu, a.vlan) == (
        Overlay(vni=5001, port=4789, underlay="under"),
        1550,
        4093,
    )
    assert (b.overlay, b.mtu, b.vlan) == (Overlay(vni=5002, port=99, underlay="under"), 1400, 4094)


def test_a_hypervisor_has_a_nic_where_its_vms_need_an_underlay(topology: Topology) -> None:
    """It is on the vSwitch with the uplinks; who has no VM in an overlay has none."""
    nics = [
        [(nic.name, nic.vswitch, nic.segment) for nic in it.nics] for it in topology.hypervisors
    ]
    assert nics == [[("vmk0", "vs0", "under")], [("vmk0", "vs0", "under")], []]


def test_no_uplink_carries_the_vlan_of_an_overlay(topology: Topology) -> None:
    """What goes over the uplinks are the underlay's packets."""
    assert {pnic.vlans for it in topology.hypervisors for pnic in it.pnics} == {(100,)}


def test_a_topology_with_overlays_is_stored_and_read_back(topology: Topology) -> None:
    """A segment with an overlay and one without are the same after a round through JSON."""
    assert parse(dump(topology)) == topology
