"""Routers with `external`: NAT into a namespace that plays the host, which ends as it began."""

from __future__ import annotations

import json
import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from tests.kernel.conftest import Bench, until
from tests.kernel.test_crash import down_if_there, duration, kill_after
from vnetlab import lab as verbs
from vnetlab.kernel import namespaces, sysctls
from vnetlab.kernel.netfilter import open_netfilter
from vnetlab.kernel.nft_apply import change_nftables
from vnetlab.kernel.nft_observe import read_nftables
from vnetlab.kernel.sysctls import PROC_SYS
from vnetlab.state.diff import Change
from vnetlab.state.nft_rules import counter, rule
from vnetlab.state.nftables import NftChain, NftHook, NftTable
from vnetlab.topology.external import POOL

SERVER = "203.0.113.1"
HOST_ADDRESS = "203.0.113.2"
FORWARDING = PROC_SYS / "net/ipv4/conf/eth0/forwarding"
TRANSLATION = ("vnetlab-bench", "postrouting")
_PORT = 7000
_WAIT_S = 10.0
MOMENTS = 8

LAB = """\
networks: {lan: {ipv4: 10.1.0.0/24}}
vms: {web1: }
routers: {gw: {external: true}}
"""
WITHOUT = LAB.replace("true", "false")
pytestmark = pytest.mark.needs("nftables-inet", "nftables-nat", "conntrack")


class Host(Struct, frozen=True, kw_only=True):
    """A namespace that plays the host, which the test is in, and one that plays the Internet."""

    internet: Path

    def run(self, *command: str) -> str:
        """Run a command on the host."""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def snapshot(self) -> dict[str, Any]:
        """Everything that is configured there."""
        channel = open_netfilter()
        assert channel is not None
        rules = sorted(str(it) for it, _ in read_nftables("host", channel))
        channel.close()
        return {
            "links": [_lasting(it) for it in json.loads(self.run("ip", "-d", "-j", "link"))],
            "addresses": json.loads(self.run("ip", "-j", "address")),
            "routes": self.run("ip", "route", "show", "table", "all"),
            "routes6": self.run("ip", "-6", "route", "show", "table", "all"),
            "policies": self.run("ip", "rule"),
            "nftables": rules,
            "settings": dict(_settings()),
        }

    def counts(self, link: str) -> tuple[int, int]:
        """How many packets the link has received, and sent."""
        (found,) = json.loads(self.run("ip", "-s", "-j", "link", "show", link))
        return found["stats64"]["rx"]["packets"], found["stats64"]["tx"]["packets"]


def _lasting(link: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in link.items() if "time" not in key}


def _settings() -> Iterator[tuple[str, str]]:
    for path in sorted(PROC_SYS.glob("net/ipv[46]/**/*")):
        if (value := sysctls.read(str(path.relative_to(PROC_SYS)))) is not None:
            yield str(path), value


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with a strict rp_filter and rules of its own that forwards nothing, and a server."""
    here, internet = tmp_path / "host", tmp_path / "internet"
    with ExitStack() as made:
        for path in (here, internet):
            namespaces.create(path)
            made.callback(namespaces.remove, path)
        made.enter_context(namespaces.entered(here))
        yield _play(Host(internet=internet))


def _play(host: Host) -> Host:
    cable = ("eth0", "type", "veth", "peer", "name", "eth0", "netns", str(host.internet))
    host.run("ip", "link", "add", *cable)
    _configure(host, f"{HOST_ADDRESS}/24")
    host.run("ip", "route", "add", "default", "via", SERVER, "metric", "100")
    (PROC_SYS / "net/ipv4/ip_forward").write_text("0")
    (PROC_SYS / "net/ipv4/conf/all/rp_filter").write_text("1")
    with namespaces.entered(host.internet):
        _configure(host, f"{SERVER}/24")
        host.run("ip", "route", "add", "default", "via", HOST_ADDRESS)
    make_own_rules()
    until(lambda: "NO-CARRIER" not in host.run("ip", "link"), lambda: host.run("ip", "link"))
    return host


def make_own_rules() -> None:
    """A table of somebody else."""
    table = NftTable(netns="host", family="inet", name="own")
    chain = NftChain(
        netns="host",
        family="inet",
        table="own",
        name="forward",
        rules=(rule("count", counter()),),
        hook=NftHook(kind="filter", point="forward", priority=0),
    )
    channel = open_netfilter()
    change_nftables(channel, [Change(old=None, new=it) for it in (table, chain)], {})
    assert channel is not None
    channel.close()


def _configure(host: Host, address: str) -> None:
    """No address that the kernel would still be trying out when it is first looked at."""
    for command in (
        "ip link set lo up",
        "ip link set eth0 addrgenmode none",
        f"ip address add {address} dev eth0",
        "ip link set eth0 up",
    ):
        host.run(*command.split())


def ask(bench: Bench, host: Host, lab: str = "bench", node: str = "web1") -> str:
    """Send a datagram from a VM to the server, which answers; the address that it came from."""
    with (
        _socket(host.internet) as server,
        _socket(bench.lab(lab).namespace(node)) as vm,
    ):
        server.bind((SERVER, _PORT))
        vm.sendto(b"question", (SERVER, _PORT))
        question, asker = server.recvfrom(100)
        server.sendto(b"answer", asker)
        answer, answerer = vm.recvfrom(100)
    assert (question, answer, answerer) == (b"question", b"answer", (SERVER, _PORT))
    return str(asker[0])


@contextmanager
def _socket(netns: Path) -> Iterator[socket.socket]:
    with namespaces.entered(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:
        made.settimeout(_WAIT_S)
        yield made


def host_end(host: Host, lab: str = "bench") -> tuple[str, str]:
    """The name and the address of the host's end of a lab's link."""
    alias = f"vnetlab-external {lab}.gw"
    links = json.loads(host.run("ip", "-j", "link"))
    (name,) = [it["ifname"] for it in links if it.get("ifalias") == alias]
    (end,) = json.loads(host.run("ip", "-j", "address", "show", name))
    (address,) = [it for it in end["addr_info"] if it["family"] == "inet"]
    return name, f"{address['local']}/{address['prefixlen']}"


def test_a_vm_reaches_the_world_through_its_host(bench: Bench, host: Host) -> None:
    """A datagram leaves with the host's address and is answered; `down` leaves no trace of it."""
    before = host.snapshot()
    planned = bench.plan(LAB)
    assert host.snapshot() == before
    assert bench.up(LAB) == planned
    assert ask(bench, host) == HOST_ADDRESS
    name, address = host_end(host)
    assert IPv4Interface(address).network.subnet_of(POOL)
    assert FORWARDING.read_text().strip() == "1"
    assert (PROC_SYS / f"net/ipv4/conf/{name}/forwarding").read_text().strip() == "1"
    assert bench.plan(LAB).changes == ()
    assert bench.up(LAB).changes == ()
    assert verbs.status("bench", bench.root).drift == ()
    bench.down()
    assert host.snapshot() == before
    assert bench.leftovers() == []


def test_only_what_was_planned_changes_on_the_host(bench: Bench, host: Host) -> None:
    """A link with its settings, a table, and one setting of another link: nothing else."""
    before = host.snapshot()
    bench.up(LAB)
    after = host.snapshot()
    name, _ = host_end(host)
    changed = {
        path
        for path, value in after["settings"].items()
        if before["settings"].get(path) != value and f"/{name}/" not in path
    }
    assert changed == {str(FORWARDING)}
    assert [it for it in after["links"] if it not in before["links"]] == [
        it for it in after["links"] if it["ifname"] == name
    ]
    new = [it for it in after["nftables"] if it not in before["nftables"]]
    assert new
    assert all("vnetlab-bench" in it for it in new)
    assert set(before["nftables"]) <= set(after["nftables"])


def test_nobody_comes_in_through_the_host(bench: Bench, host: Host) -> None:
    """Packets that nobody asked for reach the host, which forwards none of them."""
    bench.up(LAB)
    ask(bench, host)
    name, address = host_end(host)
    received, _ = host.counts("eth0")
    _, forwarded = host.counts(name)
    router = IPv4Interface(address).ip + 1
    with _socket(host.internet) as stranger:
        for _ in range(10):
            stranger.sendto(b"let me in", (str(router), _PORT))
    until(lambda: host.counts("eth0")[0] >= received + 10, lambda: host.counts("eth0"))
    assert host.counts(name)[1] == forwarded


def empty_postrouting() -> None:
    """Take the rules out of the lab's chain on the host."""
    channel = open_netfilter()
    assert channel is not None
    for item, handles in read_nftables("host", channel):
        if isinstance(item, NftChain) and (item.table, item.name) == TRANSLATION:
            change = Change(old=item, new=replace(item, rules=()))
            change_nftables(channel, [change], {item.id: handles})
    channel.close()


DRIFTS: dict[str, Callable[[Host, str, str], object]] = {
    "link-down": lambda host, name, _: host.run("ip", "link", "set", name, "down"),
    "link-gone": lambda host, name, _: host.run("ip", "link", "delete", name),
    "alias": lambda host, name, _: host.run("ip", "link", "set", name, "alias", "mine"),
    "name": lambda host, name, _: [
        host.run("ip", "link", "set", name, *words) for words in (("down",), ("name", "other"))
    ],
    "address-gone": lambda host, name, _: host.run("ip", "address", "flush", "dev", name),
    "address-more": lambda host, name, _: host.run(
        "ip", "address", "add", "198.18.0.1/30", "dev", name
    ),
    "route": lambda host, name, _: host.run("ip", "route", "add", "198.51.100.0/24", "dev", name),
    "qdisc": lambda host, name, _: host.run("tc", "qdisc", "add", "dev", name, "root", "pfifo"),
    "neighbour": lambda host, name, address: host.run(
        *("ip", "neigh", "add", str(IPv4Interface(address).ip + 2), "dev", name),
        *("lladdr", "02:00:00:00:00:77"),
    ),
    "MAC": lambda host, name, _: host.run(
        *("bridge", "fdb", "add", "02:00:00:00:00:77", "dev", name, "self"),
    ),
    "forwarding-of-the-end": lambda _, name, __: (
        PROC_SYS / f"net/ipv4/conf/{name}/forwarding"
    ).write_text("0"),
    "forwarding-of-the-way": lambda *_: FORWARDING.write_text("0"),
    "rules": lambda *_: empty_postrouting(),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_what_changes_on_the_host_is_seen_and_repaired(
    bench: Bench, host: Host, drift: Callable[[Host, str, str], object]
) -> None:
    """`status` tells of it, `up` repairs it with the same addresses, and `down` ends it all."""
    before = host.snapshot()
    bench.up(LAB)
    name, address = host_end(host)
    drift(host, name, address)
    assert verbs.status("bench", bench.root).drift
    bench.up(LAB)
    assert verbs.status("bench", bench.root).drift == ()
    assert host_end(host) == (name, address)
    assert ask(bench, host) == HOST_ADDRESS
    drift(host, name, address)
    bench.down()
    assert host.snapshot() == before


def test_it_goes_with_its_word_in_the_file(bench: Bench, host: Host) -> None:
    """Without `external` the host is as it was, and the lab is still up; with it, it is back."""
    before = host.snapshot()
    bench.up(WITHOUT)
    assert host.snapshot() == before
    bench.up(LAB)
    assert ask(bench, host) == HOST_ADDRESS
    bench.up(WITHOUT)
    assert host.snapshot() == before
    assert bench.plan(WITHOUT).changes == ()
    bench.up(LAB)
    assert ask(bench, host) == HOST_ADDRESS
    assert bench.plan(LAB).changes == ()


def test_a_restarted_router_is_connected_again(bench: Bench, host: Host) -> None:
    """With the same address on the host, and nothing left to do."""
    before = host.snapshot()
    bench.up(LAB)
    end = host_end(host)
    verbs.restart("bench", "gw", bench.root)
    assert host_end(host) == end
    assert ask(bench, host) == HOST_ADDRESS
    assert bench.plan(LAB).changes == ()
    bench.down()
    assert host.snapshot() == before


@pytest.mark.parametrize("first", [0, 1], ids=["older-goes-first", "younger-goes-first"])
def test_two_labs_share_a_host(bench: Bench, host: Host, first: int) -> None:
    """Each has its own prefix; one that goes leaves the other's way; the last restores the host."""
    before = host.snapshot()
    names = ["one", "two"]
    for name in names:
        bench.up(LAB, name)
    assert host_end(host, "one")[1] != host_end(host, "two")[1]
    for name in names:
        assert ask(bench, host, name) == HOST_ADDRESS
        assert bench.plan(LAB, name).changes == ()
    gone = names.pop(first)
    bench.down(gone)
    assert ask(bench, host, names[0]) == HOST_ADDRESS
    assert bench.plan(LAB, names[0]).changes == ()
    bench.down(names[0])
    assert host.snapshot() == before


def test_a_host_that_forwards_goes_on_forwarding(bench: Bench, host: Host) -> None:
    """What was on is on afterwards, and nothing is kept from coming in by this link."""
    FORWARDING.write_text("1")
    before = host.snapshot()
    bench.up(LAB)
    assert ask(bench, host) == HOST_ADDRESS
    chains = [it for it in host.snapshot()["nftables"] if "vnetlab-bench" in it]
    assert not any("name='forward'" in it for it in chains)
    bench.down()
    assert host.snapshot() == before


def test_a_prefix_that_the_host_uses_is_left_alone(bench: Bench, host: Host) -> None:
    """The next free one is taken instead, and kept when the first is free again."""
    bench.up(LAB)
    _, usual = host_end(host)
    bench.down()
    route = ("prohibit", str(IPv4Interface(usual).network))
    host.run("ip", "route", "add", *route)
    bench.up(LAB)
    _, other = host_end(host)
    assert IPv4Interface(other).network != IPv4Interface(usual).network
    assert ask(bench, host) == HOST_ADDRESS
    host.run("ip", "route", "delete", *route)
    assert bench.plan(LAB).changes == ()


def test_the_way_out_may_change(bench: Bench, host: Host) -> None:
    """Where the host's default route moves, `status` tells, and `up` opens the new way instead."""
    bench.up(LAB)
    host.run(
        *["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns"],
        str(host.internet),
    )
    host.run("ip", "link", "set", "eth1", "up")
    before = host.snapshot()
    host.run(*["ip", "route", "add", "default", "dev", "eth1", "metric", "50"])
    assert verbs.status("bench", bench.root).drift
    bench.up(LAB)
    assert FORWARDING.read_text().strip() == "0"
    assert (PROC_SYS / "net/ipv4/conf/eth1/forwarding").read_text().strip() == "1"
    host.run("ip", "link", "delete", "eth1")
    bench.up(LAB)
    assert ask(bench, host) == HOST_ADDRESS
    assert host.snapshot()["nftables"] == before["nftables"]


def test_a_route_of_its_own_stays_the_default(bench: Bench, host: Host) -> None:
    """A router that has a default route in its file gets no other one."""
    own = LAB.replace("external: true", "external: true, routes: [default via 10.1.0.9]")
    bench.up(own)
    with namespaces.entered(bench.lab().namespace("gw")):
        routes = json.loads(host.run("ip", "-j", "route", "show", "default"))
    assert [IPv4Address(it["gateway"]) for it in routes] == [IPv4Address("10.1.0.9")]


def test_down_finds_the_host_from_elsewhere(bench: Bench, host: Host) -> None:
    """A command in another namespace changes what the lab has on its own host."""
    before = host.snapshot()
    bench.up(LAB)
    with namespaces.entered(host.internet):
        assert bench.plan(LAB).changes == ()
        bench.down()
    assert host.snapshot() == before


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_killed_up_leaves_nothing_on_the_host(bench: Bench, host: Host, seed: int) -> None:
    """`up` is killed at a random moment: `down` finds what it made on the host, and restores it."""
    before = host.snapshot()
    topology = bench.load(LAB)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.down()
    kill_after(lambda: verbs.up(topology, bench.root), random.Random(seed).uniform(0, whole))
    down_if_there(bench)
    assert host.snapshot() == before
    assert bench.leftovers() == []


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_killed_down_leaves_nothing_on_the_host(bench: Bench, host: Host, seed: int) -> None:
    """`down` is killed at a random moment: the next one ends it."""
    before = host.snapshot()
    topology = bench.load(LAB)
    verbs.up(topology, bench.root)
    whole = duration(bench.down)
    verbs.up(topology, bench.root)
    kill_after(bench.down, random.Random(seed).uniform(0, whole))
    down_if_there(bench)
    assert host.snapshot() == before
    assert bench.leftovers() == []


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_killed_edit_leaves_nothing_on_the_host(bench: Bench, host: Host, seed: int) -> None:
    """`up` without `external` is killed at a random moment: the next one restores the host."""
    before = host.snapshot()
    bench.up(LAB)
    topology = bench.load(WITHOUT)
    whole = duration(lambda: verbs.up(topology, bench.root))
    bench.up(LAB)
    topology = bench.load(WITHOUT)
    kill_after(lambda: verbs.up(topology, bench.root), random.Random(seed).uniform(0, whole))
    verbs.up(topology, bench.root)
    assert host.snapshot() == before
