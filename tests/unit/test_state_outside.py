"""What a lab takes of its host, and what it gives back."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from vnetlab.errors import UsageError
from vnetlab.state.nftables import NftChain
from vnetlab.state.objects import Sysctl
from vnetlab.state.outside import (
    EARLIER,
    HOST,
    HOST_FAMILY,
    NOWHERE,
    Outside,
    choose_prefixes,
    forwarding_of,
    host_index,
    recall,
    remember,
    restored_settings,
    settings_to_remember,
)
from vnetlab.topology.external import POOL

ETH0 = forwarding_of("eth0")


def chosen(outside: Outside = NOWHERE, *inside: str) -> IPv4Network:
    """The prefix of router `gw` of lab `lab`."""
    return choose_prefixes("lab", ["gw"], outside, [IPv4Network(it) for it in inside])["gw"]


def test_a_router_has_the_same_prefix_on_every_host() -> None:
    """It comes from the names alone; another lab's is another one."""
    assert chosen() == chosen()
    assert chosen().subnet_of(POOL)
    assert chosen() != choose_prefixes("other", ["gw"], Outside(), [])["gw"]


@pytest.mark.parametrize("taken_by", ["host", "lab"])
def test_what_somebody_has_is_not_taken(taken_by: str) -> None:
    """Neither a prefix of the host nor one of the lab itself, nor a part of one."""
    (half, _) = chosen().subnets()
    outside = Outside(taken=frozenset([half] if taken_by == "host" else []))
    other = chosen(outside, *([str(half)] if taken_by == "lab" else []))
    assert not other.overlaps(chosen())
    assert other.subnet_of(POOL)


def test_routers_of_one_lab_share_no_prefix() -> None:
    """Not even where all the pool but two prefixes is taken."""
    free = IPv4Network("198.19.255.248/29")
    outside = Outside(taken=frozenset(POOL.address_exclude(free)))
    found = choose_prefixes("lab", ["a", "b"], outside, [])
    assert sorted(found.values()) == list(free.subnets(new_prefix=30))


def test_a_router_keeps_the_prefix_that_it_has() -> None:
    """Though an earlier one has become free; not one that its own lab uses elsewhere by now."""
    held = IPv4Network("198.18.7.4/30")
    outside = Outside(held={"lab.gw": (held,)})
    assert chosen(outside) == held
    assert chosen(outside, "198.18.7.0/24") != held


def test_a_full_pool_is_told_with_its_router() -> None:
    """Where the host has all of it, nothing is left to choose."""
    with pytest.raises(UsageError, match=r"routers\.gw\.external: no /30 of 198\.18\.0\.0/15"):
        chosen(Outside(taken=frozenset([IPv4Network("198.0.0.0/8")])))


@pytest.mark.parametrize(
    ("outside", "remembered"),
    [
        (Outside(ways=("eth0",), values={ETH0: "0"}), {ETH0: "0"}),
        (Outside(ways=("eth0",), values={ETH0: "1"}), {}),
        (Outside(ways=("eth0",), values={ETH0: "1"}, earlier={ETH0: "0"}), {ETH0: "0"}),
        (Outside(ways=("eth0",), values={ETH0: "1"}, shared={ETH0: "0"}), {ETH0: "0"}),
        (Outside(ways=(), values={ETH0: "1"}, earlier={ETH0: "0"}), {}),
    ],
    ids=["off", "on", "on-by-us", "on-by-another-lab", "no-way-any-more"],
)
def test_what_was_off_is_remembered(outside: Outside, remembered: dict[str, str]) -> None:
    """As long as the lab needs it on, whichever lab turned it on."""
    assert settings_to_remember(outside) == remembered


@pytest.mark.parametrize(
    ("outside", "restored"),
    [
        (Outside(values={ETH0: "1"}, earlier={ETH0: "0"}), True),
        (Outside(values={ETH0: "1"}, earlier={ETH0: "0"}, shared={ETH0: "0"}), False),
        (Outside(earlier={ETH0: "0"}), False),
    ],
    ids=["ours-alone", "another-lab-needs-it", "link-gone"],
)
def test_the_last_lab_restores_a_setting(outside: Outside, *, restored: bool) -> None:
    """One that another lab needs stays, and one whose link is gone is gone too."""
    wanted = [Sysctl(netns=HOST, key=ETH0, value="0")] if restored else []
    assert list(restored_settings(outside, ())) == wanted
    assert list(restored_settings(outside, [ETH0])) == []


def test_what_is_remembered_is_read_back() -> None:
    """Links with dots in their names too; what somebody else wrote there says nothing."""
    settings = {ETH0: "0", forwarding_of("eth0.10"): "0"}
    rules = (*remember(settings), *remember({"net/ipv4/ip_forward": "0"}))
    chain = NftChain(netns=HOST, family=HOST_FAMILY, table="t", name=EARLIER, rules=rules)
    assert recall(chain) == settings


def test_a_link_on_the_host_has_an_index_that_the_kernel_does_not_give() -> None:
    """Above all that it counts up to, and different for each."""
    indexes = {host_index(f"lab{number}.gw") for number in range(1000)}
    assert len(indexes) == 1000
    assert all(1 << 30 <= index < 1 << 31 for index in indexes)
