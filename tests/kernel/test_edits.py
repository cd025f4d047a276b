"""A running lab whose file is edited becomes what the file now says, in one go."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT, GATEWAY, ROUTED, TWO_VSWITCHES
from vnetlab.kernel.namespaces import entered

VLANS = pytest.mark.needs("bridge-vlan-filtering")
ROUTER = pytest.mark.needs("bridge-vlan-filtering", "802.1q", "netem")
NETEM = pytest.mark.needs("netem")
EDITS = [
    pytest.param(FLAT, FLAT.replace("hv1", "hv9"), id="a hypervisor is renamed"),
    pytest.param(FLAT, FLAT.replace("on: hv2", "on: hv1"), id="a VM moves"),
    pytest.param(
        FLAT + "  x: {on: hv1}\n",
        FLAT.replace("  hv2:", "  x: \n  hv2:"),
        id="a VM's name goes to a hypervisor",
    ),
    pytest.param(
        FLAT.replace("  hv2:", "  x: \n  hv2:"),
        FLAT + "  x: {on: hv1}\n",
        id="a hypervisor's name goes to a VM",
    ),
    pytest.param(GATEWAY, GATEWAY.replace("0.0.5", "0.0.6"), id="an address becomes another"),
    pytest.param(FLAT, FLAT.replace("rate: 1gbit", ""), id="a rate is taken away"),
    pytest.param(
        FLAT, FLAT.replace("1gbit", "1gbit, delay: 1ms"), id="a delay is added", marks=NETEM
    ),
    pytest.param(
        FLAT.replace("1gbit", "1gbit, delay: 1ms"), FLAT, id="a delay is taken away", marks=NETEM
    ),
    pytest.param(
        FLAT.replace("1gbit", "1gbit, delay: 1ms"),
        FLAT.replace("rate: 1gbit", "delay: 1ms"),
        id="a rate below a delay is taken away",
        marks=NETEM,
    ),
    pytest.param(
        FLAT, FLAT.replace("lan: {", "lan: {vlan: 10, "), id="a VLAN is given", marks=VLANS
    ),
    pytest.param(
        FLAT.replace("lan: {", "lan: {vlan: 10, "), FLAT, id="the VLANs are taken away", marks=VLANS
    ),
    pytest.param(
        TWO_VSWITCHES,
        TWO_VSWITCHES.replace("lan, vswitch: vs0", "lan, vswitch: vs1"),
        id="a vNIC is plugged into another vSwitch",
        marks=VLANS,
    ),
    pytest.param(
        ROUTED.replace("networks: [web, db]", "networks: [web]"),
        ROUTED.replace("db: {", "db: {mtu: 9000, "),
        id="a router gets a larger MTU",
        marks=ROUTER,
    ),
    pytest.param(
        ROUTED.replace("db: {", "db: {mtu: 9000, "),
        ROUTED,
        id="an MTU is made smaller",
        marks=ROUTER,
    ),
]


def test_what_runs_on_a_node_ends_with_it(bench: Bench) -> None:
    """A process on a VM that the file has no more does not keep its namespace alive."""
    bench.up(FLAT + "  c: {on: hv1}\n")
    with entered(bench.lab().namespace("c")):
        process = subprocess.Popen(["sleep", "1000"])
    bench.up(FLAT)
    assert process.wait(timeout=10) == -signal.SIGTERM


@pytest.mark.parametrize(("before", "after"), EDITS)
def test_an_edit_is_applied_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """The first plan has all there is to do: nothing is lost on the way and repaired later."""
    bench.up(before)
    monkeypatch.setattr("vnetlab.lab.convergence._ROUNDS", 1)  # apply once
    assert bench.up(after).changes
    assert bench.plan(after).changes == ()
