"""Objects, changes and quantities in words."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest
from msgspec.structs import replace

from vnetlab.state.diff import Change
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Namespace,
    Object,
    Role,
    Route,
    Sysctl,
)
from vnetlab.state.shaping import shape
from vnetlab.state.show import describe, describe_change
from vnetlab.state.switching import BridgeSettings
from vnetlab.state.switching_words import bridge_words
from vnetlab.state.units import show_rate, show_time
from vnetlab.topology.cables import Shaping

EVERYWHERE = ip_network("0.0.0.0/0")
PORT = Link(
    netns="hv1",
    name="web1.eth0",
    kind=Kind.VETH,
    role=Role.VSWITCH_PORT,
    label="hv1.web1.eth0",
    mac="02:00:00:00:00:01",
    mtu=1500,
    peer=LinkId(netns="web1", name="eth0"),
    master="vs0",
)
NAMED, SHAPED = "vSwitch port hv1.web1.eth0", "tbf on hv1.web1.eth0"
FASTER = (
    "rate 1gbit -> 2gbit, burst 125000 bytes -> 250000 bytes, queue 6250000 bytes -> 12500000 bytes"
)
TBF, NETEM = (
    shape(PORT.id, Shaping(rate_bit_s=1_500_000))[0],
    shape(PORT.id, Shaping(delay_ns=200_000))[0],
)
VLAN = BridgeVlan(netns="hv1", link="web1.eth0", vid=10, pvid=True, untagged=True)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Namespace(name="web1", role=Role.VM), "VM web1"),
        (Namespace(name="web1", role=None), "namespace web1"),
        (PORT, "vSwitch port hv1.web1.eth0"),
        (replace(PORT, role=None), "link hv1.web1.eth0"),
        (VLAN, "VLAN 10 on hv1.web1.eth0"),
        (
            Address(netns="a", link="eth0", interface=ip_interface("fd00::1/64")),
            "address fd00::1/64 on a.eth0",
        ),
        (
            Route(netns="a", destination=EVERYWHERE, via=ip_address("10.0.0.1"), link="eth0"),
            "route default via 10.0.0.1 dev eth0 in a",
        ),
        (
            Route(netns="a", destination=ip_network("::/0"), via=None, link=None),
            "route default in a",
        ),
        (
            Route(netns="a", destination=ip_network("10.9.0.0/16"), via=None, link="eth0"),
            "route 10.9.0.0/16 dev eth0 in a",
        ),
        (TBF, "tbf on hv1.web1.eth0"),
        (Sysctl(netns="a", key="net/ipv4/ip_forward", value="0"), "net.ipv4.ip_forward in a"),
    ],
)
def test_an_object_is_named_by_what_and_where_it_is(item: Object, words: str) -> None:
    """In the words of virtual networking where it has a role, else in the kernel's."""
    assert describe(item) == words


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (None, Namespace(name="a", role=Role.VM), "+ VM a"),
        (Namespace(name="a", role=Role.VM), None, "- VM a"),
        (
            None,
            PORT,
            f"+ {NAMED}: MTU 1500, MAC 02:00:00:00:00:01, bridge vs0, peer web1.eth0",
        ),
        (
            replace(PORT, up=False, mtu=1400),
            PORT,
            "~ vSwitch port hv1.web1.eth0: state down -> up, MTU 1400 -> 1500",
        ),
        (
            replace(PORT, master=None),
            PORT,
            "~ vSwitch port hv1.web1.eth0: bridge none -> vs0",
        ),
        (
            replace(VLAN, pvid=False),
            VLAN,
            "~ VLAN 10 on hv1.web1.eth0: PVID no -> yes",
        ),
        (None, NETEM, "+ netem on hv1.web1.eth0: delay 200us, queue limit 100000 packets"),
        (
            shape(PORT.id, Shaping(rate_bit_s=10**9))[0],
            shape(PORT.id, Shaping(rate_bit_s=2 * 10**9))[0],
            f"~ {SHAPED}: {FASTER}",
        ),
        (
            Namespace(name="a", role=None, lo_up=False),
            Namespace(name="a", role=Role.VM),
            "~ VM a: role none -> VM, loopback down -> up",
        ),
    ],
)
def test_a_change_is_one_line(old: Object | None, new: Object | None, line: str) -> None:
    """A sign, the object, and its settings: the new ones, or those that become others."""
    assert describe_change(Change(old=old, new=new)) == line


@pytest.mark.parametrize(
    ("rate_bit_s", "shown"),
    [
        (10**9, "1gbit"),
        (1_500_000, "1.5mbit"),
        (64_000, "64kbit"),
        (999, "999bit"),
        (0, "0bit"),
        (10**13, "10tbit"),
    ],
)
def test_a_rate_is_shown_as_the_topology_writes_it(rate_bit_s: int, shown: str) -> None:
    """In the largest unit that leaves at least 1."""
    assert show_rate(rate_bit_s) == shown


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [(200_000, "200us"), (1_311_000, "1.311ms"), (2 * 10**9, "2s"), (64, "64ns"), (0, "0ns")],
)
def test_a_time_is_shown_as_the_topology_writes_it(time_ns: int, shown: str) -> None:
    """In the largest unit that leaves at least 1, with four digits."""
    assert show_time(time_ns) == shown


@pytest.mark.parametrize(
    ("rate_bit_s", "shown"),
    [(999_999, "1000kbit"), (10**17, "100000tbit"), (9_999_999_999, "10gbit")],
)
def test_a_rate_is_never_shown_with_an_exponent(rate_bit_s: int, shown: str) -> None:
    """Rounding to four digits does not end in scientific notation."""
    assert show_rate(rate_bit_s) == shown


def test_a_time_of_a_bridge_that_cannot_be_known_is_shown_so() -> None:
    """The ageing time during a change of the spanning tree."""
    assert bridge_words(BridgeSettings(ageing_time_cs=None)) == {"ageing time": "unknown"}
    assert bridge_words(BridgeSettings(max_age_cs=600)) == {"max age": "6s"}
