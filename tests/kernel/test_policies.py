"""Security groups, firewalls, ACLs and NAT with real traffic: what is allowed passes, no more."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWOBJ

from tests.kernel.conftest import INSIDE, Bench
from vnetlab import lab as verbs
from vnetlab.kernel import namespaces
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nft_apply import change_nftables
from vnetlab.kernel.nft_messages import batch_begin, batch_end, nft_object_msg, request
from vnetlab.kernel.nodes import Nodes
from vnetlab.kernel.observe import observe
from vnetlab.realm.rootless.user_namespace import call_in_new
from vnetlab.state.diff import Change
from vnetlab.state.nft_rules import counter, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftTable
from vnetlab.state.show import describe_change
from vnetlab.topology.topology import Topology

_PATIENCE_S = 1.0  # how long a dropped connection is waited for
_ROUTED = ("bridge-vlan-filtering", "802.1q", "nftables-inet", "conntrack")

_GROUPS = """
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
groups: {front: [web]}
security_groups:
  web: {ingress: ["tcp/80,8000-8099", icmp]}
  db: {ingress: [tcp/5432 from front], egress: [udp/53 to web]}
vms:
  client:
  web: {nics: [{security_groups: web}]}
  db: {nics: [{security_groups: db}]}
"""

_ROUTER = """
networks:
  home: {vlan: 10, ipv4: 10.1.0.0/24, ipv6: "fd00:1::/64"}
  wan: {vlan: 20, ipv4: 192.0.2.0/24, ipv6: "2001:db8::/64"}
vms: {laptop: {nics: [home]}, server: {nics: [home]}, website: {nics: [wan]}}
routers:
  gw:
    acl: [any from home to wan, tcp/80 from wan to server, reject tcp/22]
    acl_default: deny
    nat:
      masquerade: wan
      forward: [{network: wan, port: 8080, to: server, to_port: 80}]
"""


class Wire:
    """Connections between the nodes of the lab `bench`."""

    def __init__(self, bench: Bench, topology: Topology) -> None:
        self._lab = bench.lab()
        self._addresses: dict[tuple[str, int], str] = {
            (vm.name, address.version): str(address.ip)
            for vm in topology.vms
            for address in vm.nics[0].addresses
        }
        for router in topology.routers:
            for interface in router.interfaces:
                for address in interface.addresses:
                    name = f"{router.name}.{interface.segment}"
                    self._addresses[name, address.version] = str(address.ip)

    def address(self, node: str, version: int) -> str:
        """The address of a node, or of `ROUTER.NETWORK`."""
        return self._addresses[node, version]

    def tcp(self, source: str, to: str, port: int, *, at: str = "", at_port: int = 0) -> str:
        """Connect from `source` to port `port` of `to`: who the other end says that we are.

        The listener is on `at` and `at_port`, `to` and `port` where they are not given. `dropped`
        or `rejected` where there is no connection. IPv4 and IPv6 must agree.
        """
        said = {
            self._tcp(source, to, port, at or to, at_port or port, version) for version in (4, 6)
        }
        names = {name for name, _ in self._addresses}
        assert len(said) == 1, f"{source} -> {to}:{port}: {said}, of {names}"
        return said.pop()

    def _tcp(self, source: str, to: str, port: int, at: str, at_port: int, version: int) -> str:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with self._listening(at, at_port, family) as listener:
            with namespaces.entered(self._lab.namespace(source)):
                client = socket.socket(family, socket.SOCK_STREAM)
            client.settimeout(_PATIENCE_S)
            try:
                client.connect((self.address(to, version), port))
            except TimeoutError:
                return "dropped"
            except OSError:
                return "rejected"
            finally:
                client.close()
            accepted, peer = listener.accept()
            accepted.close()
        return next(n for (n, _), address in self._addresses.items() if address == peer[0])

    @contextmanager
    def _listening(
        self, node: str, port: int, family: socket.AddressFamily
    ) -> Iterator[socket.socket]:
        with namespaces.entered(self._lab.namespace(node)):
            listener = socket.socket(family, socket.SOCK_STREAM)
        with listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", port))
            listener.listen()
            listener.settimeout(_PATIENCE_S)
            yield listener

    def udp(self, source: str, to: str, port: int) -> bool:
        """Whether a datagram arrives, over IPv4 and IPv6 alike."""
        arrived = set()
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            with namespaces.entered(self._lab.namespace(to)):
                receiver = socket.socket(family, socket.SOCK_DGRAM)
            with namespaces.entered(self._lab.namespace(source)):
                sender = socket.socket(family, socket.SOCK_DGRAM)
            with receiver, sender:
                receiver.bind(("", port))
                receiver.settimeout(_PATIENCE_S)
                try:
                    sender.sendto(b"hello", (self.address(to, version), port))
                    arrived.add(receiver.recv(9) == b"hello")
                except OSError:
                    arrived.add(False)
        assert len(arrived) == 1
        return arrived.pop()


def _nested(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(content), kind) + content


def _make_named(channel: Channel | None, table: NftTable, kind: int, data: bytes) -> None:
    """An object called `named` in a table."""
    assert channel is not None
    attrs = {"TABLE": table.name, "NAME": "named", "TYPE": kind, "DATA": data}
    message = request(nft_object_msg, NFT_MSG_NEWOBJ, table.family, **attrs)
    message["header"]["flags"] = NLM_F_CREATE
    made = [Request(message=message, purpose="make an object")]
    channel.change_at_once(batch_begin(), made, batch_end())


def _drift(bench: Bench) -> list[str]:
    return [describe_change(change) for change in verbs.status("bench", bench.root).drift]


def _echoes(bench: Bench, source: str, to: str, version: int) -> bool:
    options = verbs.ProbeOptions(version=version)
    return bool(verbs.probe("bench", source, to, bench.root, options=options).replied)


def _hold_open(wire: Wire, bench: Bench) -> tuple[socket.socket, socket.socket]:
    """A connection from `client` to port 80 of `web`."""
    with namespaces.entered(bench.lab().namespace("web")):
        listener = socket.create_server(("", 80))
    with namespaces.entered(bench.lab().namespace("client")):
        client = socket.socket()
    client.settimeout(_PATIENCE_S)
    client.connect((wire.address("web", 4), 80))
    server, _ = listener.accept()
    server.settimeout(_PATIENCE_S)
    listener.close()
    return client, server


@pytest.mark.needs("veth", "bridge", "nftables-bridge", "bridge-conntrack")
def test_a_security_group_lets_pass_what_it_names(bench: Bench) -> None:
    """Ports, ranges, peers and directions, over IPv4 and IPv6; replies always pass."""
    topology = bench.load(_GROUPS)
    bench.up(_GROUPS)
    wire = Wire(bench, topology)
    assert wire.tcp("client", "web", 80) == "client"
    assert wire.tcp("client", "web", 8050) == "client"
    assert wire.tcp("client", "web", 443) == "dropped"
    assert wire.tcp("web", "db", 5432) == "web"
    assert wire.tcp("client", "db", 5432) == "dropped"
    assert wire.tcp("web", "db", 22) == "dropped"
    assert wire.tcp("web", "client", 22) == "web"
    assert wire.tcp("db", "client", 80) == "dropped"
    assert not wire.udp("db", "web", 53)  # db may send it, web does not let it in
    for version in (4, 6):
        assert _echoes(bench, "client", "web", version)
        assert not _echoes(bench, "client", "db", version)


@pytest.mark.needs("veth", "bridge", "nftables-bridge", "bridge-conntrack")
def test_a_security_groups_edit_spares_connections_and_counts(bench: Bench) -> None:
    """One rule edited is one rule made anew: open connections go on, and `up` again is empty."""
    bench.up(_GROUPS)
    wire = Wire(bench, bench.load(_GROUPS))
    client, server = _hold_open(wire, bench)
    with client, server:
        done = bench.up(_GROUPS.replace("8000-8099", "8000-8001"))
        (change,) = done.changes
        assert describe_change(change) == (
            "~ nftables chain bridge vnetlab web.eth0-ingress in hv1: "
            "- rule 'web ingress 1: tcp/80,8000-8099', + rule 'web ingress 1: tcp/80,8000-8001'"
        )
        client.sendall(b"still here")
        assert server.recv(99) == b"still here"
    assert wire.tcp("client", "web", 8050) == "dropped"
    assert wire.tcp("client", "web", 8001) == "client"
    assert not bench.up(_GROUPS.replace("8000-8099", "8000-8001")).changes


@pytest.mark.needs("veth", "bridge", "nftables-inet", "conntrack", "nftables-reject")
def test_a_guests_firewall_filters_both_directions(bench: Bench) -> None:
    """Allowed, denied and rejected, in and out; the guest reaches itself and gets its replies."""
    text = """
networks: {lan: {ipv4: 10.0.0.0/24, ipv6: "fd00::/64"}}
vms:
  a:
  b:
    firewall: {input: [reject tcp/22, tcp/80 from a, reject udp/53], output: [deny tcp/443],
               default: allow}
  c: {firewall: {input: [icmp, tcp/80], default: deny}}
"""
    bench.up(text)
    wire = Wire(bench, bench.load(text))
    assert wire.tcp("a", "b", 22) == "rejected"
    assert wire.tcp("a", "b", 80) == "a"
    assert wire.tcp("b", "a", 443) == "dropped"
    assert wire.tcp("b", "a", 80) == "b"
    assert wire.tcp("a", "c", 80) == "a"
    assert wire.tcp("a", "c", 22) == "dropped"
    assert wire.tcp("c", "a", 22) == "c"
    assert wire.tcp("c", "c", 22) == "c"
    assert not wire.udp("a", "b", 53)
    assert not wire.udp("a", "c", 5000)
    assert wire.udp("c", "a", 5000)


@pytest.mark.needs(*_ROUTED, "nftables-nat", "nftables-reject")
def test_a_router_filters_and_translates(bench: Bench) -> None:
    """Its ACL decides in order; a masqueraded sender is the router, a forwarded port a node."""
    topology = bench.load(_ROUTER)
    bench.up(_ROUTER)
    wire = Wire(bench, topology)
    assert wire.tcp("laptop", "website", 80) == "gw.wan"
    assert wire.tcp("website", "gw.wan", 8080, at="server", at_port=80) == "website"
    assert wire.tcp("website", "server", 80) == "website"
    assert wire.tcp("website", "laptop", 80) == "dropped"
    assert wire.tcp("website", "laptop", 22) == "rejected"
    for version in (4, 6):
        assert _echoes(bench, "laptop", "website", version)
    edited = _ROUTER.replace("      masquerade: wan\n", "")
    words = [describe_change(change) for change in bench.up(edited).changes]
    assert words == ["- nftables chain inet vnetlab postrouting in gw"]
    assert wire.tcp("laptop", "website", 80) == "laptop"


@pytest.mark.needs("veth", "bridge", "nftables-bridge", "bridge-conntrack", "nftables-inet")
def test_what_somebody_does_to_nftables_is_told_and_undone(bench: Bench) -> None:
    """Foreign tables, rules put into ours, rules and chains taken away: in words, then repaired."""
    bench.up(_GROUPS)
    with Nodes(bench.lab()) as nodes:
        observed = observe(nodes)
        state = observed.state
        chain = next(it for it in state.nft_chains if it.name == "web.eth0-ingress")
        added = rule("", counter(), verdict("accept"))
        edited = replace(chain, rules=(added, *chain.rules[:3], *chain.rules[4:]))
        table = NftTable(netns="client", family="inet", name="mine")
        block = NftChain(
            netns="client",
            family="inet",
            table="mine",
            name="block",
            rules=(rule("no", verdict("drop")),),
            hook=NftHook(kind="filter", point="input", priority=0),
        )
        handles = observed.rule_handles
        change_nftables(nodes.netfilter("hv1"), [Change(old=chain, new=edited)], handles)
        new = [Change(old=None, new=it) for it in (table, block)]
        change_nftables(nodes.netfilter("client"), new, handles)
        own = NftTable(netns="hv1", family=chain.family, name=chain.table)
        for channel_of, held, kind, data in (
            ("client", table, 1, _nested(1, bytes(8))),
            ("hv1", own, 4, _nested(1, struct.pack(">Q", 5)) + _nested(2, struct.pack(">Q", 1))),
            ("hv1", own, 2, _nested(1, struct.pack(">Q", 500))),
        ):
            _make_named(nodes.netfilter(channel_of), held, kind, data)
    table_told, limit_told, quota_told, chain_told = _drift(bench)
    assert quota_told == f"- nftables quota {own.family} {own.name} named in hv1"
    assert limit_told == f"- nftables limit {own.family} {own.name} named in hv1"
    assert table_told == "- nftables table inet mine in client"
    assert chain_told == (
        "~ nftables chain bridge vnetlab web.eth0-ingress in hv1: - rule counter accept, "
        "+ rule 'web ingress 1: tcp/80,8000-8099'"
    )
    assert len(bench.up(_GROUPS).changes) == 4
    assert not _drift(bench)


@pytest.mark.needs("veth", "bridge", "nftables-bridge", "bridge-conntrack", "nftables-inet")
def test_every_single_value_of_a_policy_can_be_edited(bench: Bench) -> None:
    """Whatever is said otherwise converges at once, and back again, and touches nothing else."""
    edits = {
        "tcp/80,8000-8099": "tcp/80",
        "icmp]": "udp]",
        "from front": "from client",
        ", egress: [udp/53 to web]": "",
        "to web": "to 10.0.0.0/24",
        "{security_groups: web}": "{security_groups: [web, db]}",
        "groups: {front: [web]}": "groups: {front: [web, client]}",
        "  client:\n": "  client: {firewall: {input: [tcp], default: deny}}\n",
    }
    bench.up(_GROUPS)
    for old, new in edits.items():
        assert old in _GROUPS
        for text in (_GROUPS.replace(old, new, 1), _GROUPS):
            changes = bench.up(text).changes
            kinds = {type(change.subject) for change in changes}
            assert kinds <= {NftChain, NftTable}
            assert changes, f"{old} -> {new}"
            assert not bench.up(text).changes


@pytest.mark.needs("veth", "bridge", "nftables-inet", "conntrack")
def test_a_node_that_is_made_anew_has_its_firewall_again(bench: Bench) -> None:
    """`restart` leaves nothing out, and nothing differs afterwards."""
    bench.up("vms: {a: , b: {firewall: {input: [tcp/80], default: deny}}}\n")
    verbs.restart("bench", "b", bench.root)
    assert not _drift(bench)
    assert not _echoes(bench, "a", "b", 4)
    assert _echoes(bench, "b", "a", 4)


@pytest.mark.skipif(not INSIDE, reason="once more only in the lab kernel")
def test_all_of_it_holds_for_root_of_a_user_namespace(tmp_path: Path) -> None:
    """Realm `rootless` has the same policies: the tests above, in a user namespace."""
    words = [__file__, "-q", "-k", "not user_namespace", f"--basetemp={tmp_path / 'inner'}"]
    done = call_in_new(lambda: int(pytest.main([*words, "-p", "no:cacheprovider"])))
    assert done == 0
