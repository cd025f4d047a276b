"""Rows of dumps as pyroute2 reads the messages, and settings of links as their files have them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from vnetlab.kernel import namespaces, sysctls
from vnetlab.kernel.link_settings import PLACES, LinkSettings
from vnetlab.kernel.netlink import Channel
from vnetlab.kernel.rows import ADDRESSES, LINKS, NEIGHBOURS, QDISCS, ROUTES, RULES, Layout, Row

_SET_UP = """\
ip link set lo up
ip link add left address 02:00:00:00:00:01 type veth peer name right
ip link add bridge type bridge
ip link set left alias somewhere
ip link set left up
ip link set right master bridge
ip link set right up
ip address add 10.0.0.1/24 dev left
ip address add 10.0.0.7 peer 10.0.0.8 dev left
ip address add fd00::1/64 dev left nodad
ip route add default via 10.0.0.2
ip route add 10.9.0.0/16 nexthop via 10.0.0.3 nexthop via 10.0.0.4 weight 3
ip route add 10.8.0.0/16 via inet6 fd00::9 dev left
ip route add blackhole 10.7.0.0/16 metric 7 table 300
ip -6 route add fd01::/64 via fd00::2 mtu 1400 src fd00::1
ip rule add pref 7 not from 10.0.0.0/8 iif left fwmark 1/0xff ipproto udp dport 5-6 lookup 300
ip -6 rule add pref 8 to fd00::/64 oif left uidrange 1-2 lookup 9 suppress_prefixlength 0
ip neighbour add 10.0.0.3 lladdr 02:00:00:00:00:03 dev left
ip neighbour add fd00::3 lladdr 02:00:00:00:00:03 dev left router
tc qdisc add dev left root handle 9: tbf rate 8mbit burst 5000 limit 9000
sysctl -qw net.ipv4.conf.left.arp_ignore=8 net.ipv4.conf.left.route_localnet=1
sysctl -qw net.ipv4.conf.left.rp_filter=2 net.ipv6.conf.left.hop_limit=9
"""


@pytest.fixture
def channel() -> Iterator[Channel]:
    """One in a namespace of its own that has one of each."""
    with namespaces.away():
        namespaces.leave()
        for line in _SET_UP.splitlines():
            subprocess.run(line.split(), check=True)
        opened = Channel()
        yield opened
        opened.close()


def whole(row: Row) -> Any:
    """What pyroute2 makes of a row."""
    (message,) = MarshalRtnl().parse(row.raw)
    return message


@pytest.mark.parametrize(
    ("layout", "least"),
    [(LINKS, 4), (QDISCS, 1), (ROUTES, 10), (ADDRESSES, 4), (RULES, 7), (NEIGHBOURS, 2)],
)
@pytest.mark.needs("tbf")
def test_a_row_says_what_pyroute2_says(channel: Channel, layout: Layout, least: int) -> None:
    """Each field and each attribute of each row; each plain attribute is in some row."""
    rows = channel.dump_rows(layout)
    assert len(rows) >= least
    for row in rows:
        message = whole(row)
        for field in set(layout.fields) & set(dict(message.fields)):
            assert row[field] == message[field], field
        for name, (path, _) in layout.attributes.items():
            if len(path) == 1:
                assert row.get_attr(name) == message.get_attr(name), name


def test_what_is_nested_in_a_link(channel: Channel) -> None:
    """Its kind, and how it makes its IPv6 address."""
    for row in channel.dump_rows(LINKS):
        message = whole(row)
        path = ("IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_ADDR_GEN_MODE")
        assert row.get_attr("IFLA_INET6_ADDR_GEN_MODE") == message.get_nested(*path)
        kind = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND")
        assert row.get_attr("IFLA_INFO_KIND") == kind


def test_settings_that_come_with_a_link_are_those_of_its_files(channel: Channel) -> None:
    """Every one that is known, of every link; others are not made up."""
    settings = LinkSettings()
    rows = channel.dump_rows(LINKS)
    for row in rows:
        settings.add("here", row)
    names = [row.get_attr("IFLA_IFNAME") for row in rows]
    for version, known in PLACES.items():
        for key in (f"net/{version}/conf/{link}/{name}" for link in names for name in known):
            assert settings.get("here", key) == sysctls.read(key), key
    assert settings.get("here", "net/ipv4/conf/left/arp_ignore") == "8"
    assert settings.get("here", "net/ipv4/conf/all/arp_ignore") is None
    assert settings.get("elsewhere", "net/ipv4/conf/left/arp_ignore") is None
    assert settings.get("here", "net/ipv4/neigh/left/mcast_solicit") is None
