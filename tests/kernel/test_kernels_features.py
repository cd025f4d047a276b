from __future__ import annotations

import ctypes
import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyroute2.netlink import genlmsg
from pyroute2.netlink.generic import GenericNetlinkSocket
from pyroute2.nftables.main import NFTables

from vnetlab.kernel.features import missing_features
from vnetlab.realm.kernels.configuration import FRAGMENT, unmet_symbols
from vnetlab.state.features import Feature

pytestmark = pytest.mark.skipif(
    not os.uname().release.endswith("-vnetlab"), reason="says what our own lab kernel has"
)

CLONE_NEWNET = 0x40000000
EVENTS = Path("/sys/kernel/tracing/events")
FAMILIES = {"inet": 1, "ip": 2, "arp": 3, "netdev": 5, "bridge": 7, "ip6": 10}


def add_table(family: int) -> None:
    """Add an nftables table in a network namespace of this thread's own."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with NFTables(nfgen_family=family) as nftables:
        nftables.table("add", name="lab")


def test_the_running_kernel_has_every_symbol_asked_for() -> None:
    """What the kernel says of its own configuration has all that ours asks for."""
    running = gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    assert unmet_symbols(FRAGMENT.read_text(), running) == ()


def test_every_feature_is_found_beside_all_others() -> None:
    """A lab may need all of them at once."""
    assert missing_features(tuple(Feature)) == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_nftables_has_every_family(family: str) -> None:
    """A table of each family can be added."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(add_table, FAMILIES[family]).result()


def test_drops_are_reported_with_their_reason() -> None:
    """Both sources of drop reasons are there: drop_monitor and the kfree_skb event."""
    with GenericNetlinkSocket() as netlink:
        netlink.bind("NET_DM", genlmsg)
        assert netlink.prid > 0
    assert "reason" in (EVENTS / "skb" / "kfree_skb" / "format").read_text()


@pytest.mark.parametrize("group", ["skb", "net", "qdisc", "neigh", "fib", "fib6", "bridge"])
def test_the_events_of_a_packets_way_can_be_traced(group: str) -> None:
    """Every part of the network code that a packet passes has its trace events."""
    assert list((EVENTS / group).glob("*/format")) != []
