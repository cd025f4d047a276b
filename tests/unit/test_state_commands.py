"""Changes of the kernel's tables in the words of ip, tc and sysctl, as these read them."""

from __future__ import annotations

from msgspec.structs import replace

from vnetlab.state.commands import commands
from vnetlab.state.diff import Change
from vnetlab.state.objects import Kind, Link, Qdisc, Sysctl

LINK = Link(netns="h", name="up", kind=Kind.VETH, role=None, label="", mac="", mtu=1500)
LOSS_U32 = 2**31
NETEM = Qdisc(
    netns="h",
    link="up",
    handle=0x10000,
    parent=0xFFFFFFFF,
    kind="netem",
    options=(("delay_ns", 200_500), ("limit_packets", 1000)),
)


def test_a_delay_is_in_microseconds() -> None:
    """Nanoseconds are not read by every tc(8)."""
    assert commands(Change(old=None, new=NETEM)) == (
        "tc qdisc replace dev up root handle 1: netem limit 1000 delay 200.5us",
    )


def test_what_netem_is_no_longer_to_do_is_set_to_nothing() -> None:
    """It keeps what a command does not mention."""
    lossy = replace(NETEM, options=(*NETEM.options, ("loss_u32", LOSS_U32)))
    (line,) = commands(Change(old=lossy, new=NETEM))
    assert line.endswith("delay 200.5us loss 0%")


def test_a_setting_of_a_link_whose_name_has_a_dot() -> None:
    """sysctl(8) tells it from the others where these are slashes."""
    plain = Sysctl(netns="h", key="net/ipv4/conf/up/rp_filter", value="0")
    dotted = Sysctl(netns="h", key="net/ipv4/conf/up.10/rp_filter", value="0")
    assert commands(Change(old=None, new=plain)) == ("sysctl -w net.ipv4.conf.up.rp_filter=0",)
    assert commands(Change(old=None, new=dotted)) == ("sysctl -w net/ipv4/conf/up.10/rp_filter=0",)


def test_a_link_that_gets_ipv6_again_gets_its_mode_again() -> None:
    """The kernel forgets it while the MTU is below the least of IPv6, and only then."""
    assert commands(Change(old=replace(LINK, mtu=1000), new=LINK)) == (
        "ip link set up mtu 1500",
        "ip link set up addrgenmode none",
    )
    assert commands(Change(old=replace(LINK, mtu=1400), new=LINK)) == ("ip link set up mtu 1500",)


def test_flags_of_a_link_are_turned_back() -> None:
    """In the words that ip-link(8) reads, as they are told."""
    odd = replace(LINK, flags=("arp off", "promisc on"))
    back = ("ip link set up arp on", "ip link set up promisc off")
    assert commands(Change(old=odd, new=LINK)) == back
    assert commands(Change(old=LINK, new=odd)) == (
        "ip link set up arp off",
        "ip link set up promisc on",
    )
