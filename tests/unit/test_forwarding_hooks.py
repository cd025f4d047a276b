"""Which hooks of nftables a frame meets on its way over layer 2, and with which links."""

from __future__ import annotations

import pytest

from tests.unit.forwarding_tables import Change, all_of, having, network, packet, vlan, walk
from vnetlab.state.nft_rules import link_name, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftTable
from vnetlab.trace.forwarding.reasons import Reason

IIF, OIF = "iifname", "oifname"


def _drops(netns: str, family: str, point: str, *keys: tuple[str, str], device: str = "") -> Change:
    """A chain that drops what comes in or goes out by links."""
    wanted = tuple(link_name(key, name) for key, name in keys)
    hook = NftHook(kind="filter", point=point, priority=0, devices=(device,) if device else ())
    drop = rule("", *wanted, verdict("drop"))
    return having(
        NftTable(netns=netns, family=family, name="t"),
        NftChain(netns=netns, family=family, table="t", name="c", rules=(drop,), hook=hook),
    )


ON_THE_WAY = {
    "bridge prerouting": _drops("hv1", "bridge", "prerouting", (IIF, "p1")),
    "bridge forward": _drops("hv1", "bridge", "forward", (IIF, "p1"), (OIF, "up")),
    "bridge postrouting": _drops("hv1", "bridge", "postrouting", (OIF, "up")),
    "netdev ingress": _drops("hv1", "netdev", "ingress", (IIF, "p1"), device="p1"),
    "netdev egress": _drops("hv1", "netdev", "egress", (OIF, "up"), device="up"),
}
BESIDE_IT = {
    "bridge input": _drops("hv1", "bridge", "input", (IIF, "p1")),
    "bridge output": _drops("hv1", "bridge", "output", (OIF, "up")),
    "bridge forward the other way": _drops("hv1", "bridge", "forward", (IIF, "up"), (OIF, "p1")),
    "bridge prerouting of the port that it leaves by": _drops(
        "hv1", "bridge", "prerouting", (IIF, "up")
    ),
    "netdev ingress of the link that it leaves by": _drops("hv1", "netdev", "ingress", device="up"),
    "netdev egress of the link that it comes in by": _drops("hv1", "netdev", "egress", device="p1"),
}
OWN = having(vlan("hv1.vs", 10, access=True))


@pytest.mark.parametrize("name", ON_THE_WAY)
def test_it_meets_the_hook(name: str) -> None:
    """A rule there stops it, and is the one finding."""
    found = walk(ON_THE_WAY[name](network()), packet())
    assert [(it.reason, it.netns) for it in found.stops] == [(Reason.FIREWALL_DROP, "hv1")]
    assert found.arrived


@pytest.mark.parametrize("name", BESIDE_IT)
def test_it_does_not_meet_the_hook(name: str) -> None:
    """A rule there does not see it."""
    assert walk(BESIDE_IT[name](network()), packet()).passes


def test_the_bridge_itself_sends_by_output_and_receives_by_input() -> None:
    """Forward and prerouting are for what comes in by a port."""
    mac = next(it.mac for it in network().state.links if (it.netns, it.name) == ("hv1", "vs"))
    to_it, from_it = packet(destination_mac=mac), packet(source_mac=mac)
    for change in (OWN, all_of(OWN, _drops("hv1", "bridge", "forward"))):
        assert walk(change(network()), to_it, target="hv1.vs").passes
        assert walk(change(network()), from_it, start="hv1.vs").passes
    taken = all_of(OWN, _drops("hv1", "bridge", "input", (IIF, "p1")))(network())
    assert [it.reason for it in walk(taken, to_it, target="hv1.vs").stops] == [Reason.FIREWALL_DROP]
    sent = all_of(OWN, _drops("hv1", "bridge", "output", (OIF, "up")))(network())
    assert [it.reason for it in walk(sent, from_it, start="hv1.vs").stops] == [Reason.FIREWALL_DROP]
