"""Carriers of which the kernel is told at once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kernel.built import Built
from tests.kernel.conftest import Bench
from vnetlab.kernel.carriers import tell_of_carriers
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.state.objects import Kind, Link, LinkId, Namespace, Role
from vnetlab.state.settling import unsettled_links

_LINUX = tuple(int(part) for part in os.uname().release.split(".")[:2])
_NODE = Namespace(name="node", role=Role.HYPERVISOR)


def _switch(number: int) -> Iterator[Link]:
    """A bridge, with a port that has a carrier."""
    p, q, bridge = f"p{number}", f"q{number}", f"br{number}"
    for name, peer, master in ((p, q, bridge), (q, p, None)):
        yield Link(
            netns="node",
            name=name,
            kind=Kind.VETH,
            role=Role.VSWITCH_PORT,
            label=f"node.{name}",
            mac=f"02:00:00:00:{number:02x}:{ord(name[0]):02x}",
            mtu=1500,
            peer=LinkId(netns="node", name=peer),
            master=master,
        )
    yield Link(
        netns="node",
        name=bridge,
        kind=Kind.BRIDGE,
        role=Role.VSWITCH,
        label=f"node.{bridge}",
        mac=f"02:00:00:00:{number:02x}:01",
        mtu=1500,
    )


@pytest.mark.skipif(_LINUX < (6, 8), reason="Linux before 6.8 tells of a carrier in its own time")
def test_nobody_waits_for_the_carrier_of_a_bridge(bench: Bench) -> None:
    """The kernel may let it wait for a second after another one."""
    links = [link for number in range(9) for link in _switch(number)]
    Built(bench, _NODE, *links)
    with Nodes(bench.lab()) as nodes:
        observed = observe(nodes)
        tell_of_carriers(nodes, unsettled_links(observed.state), observed.indexes)
        assert unsettled_links(observe(nodes).state) == ()


def test_a_link_that_has_gone_is_no_trouble(bench: Bench) -> None:
    """It may go at any time."""
    Built(bench, _NODE)
    with Nodes(bench.lab()) as nodes:
        gone = LinkId(netns="node", name="p0")
        tell_of_carriers(nodes, [gone], {gone: 12345})
