"""The probe on the wire: real namespaces, real packets, what the taps see of them."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from vnetlab.errors import UsageError
from vnetlab.state.objects import Address, Kind, Link, LinkId, Namespace, Role, State
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.path import expected_path, watched_namespaces
from vnetlab.trace.request import ProbeRequest, Protocol
from vnetlab.trace.sighting import Answerer, Direction
from vnetlab.trace.trace import Carrier, Outcome, Trace, trace_probe
from vnetlab.wire.bpf import marker_filter
from vnetlab.wire.marker import Marker
from vnetlab.wire.probe import run_probe
from vnetlab.wire.taps import Taps, wait_for_timestamps

needs_vlans = pytest.mark.needs("bridge-vlan-filtering", "802.1q")

CLONE_NEWNET = 0x40000000
PREFIX = f"probe-test-{os.getpid()}-"
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(command: str, *, tool: str = "ip") -> None:
    subprocess.run([tool, *shlex.split(command)], check=True, capture_output=True, text=True)


class Wires:
    """Namespaces and links made with ip(8), and the state that says how they hang together."""

    def __init__(self) -> None:
        self.namespaces: dict[str, Role] = {}
        self.links: list[Link] = []
        self.addresses: list[Address] = []

    def node(self, name: str, role: Role = Role.VM) -> None:
        """Make a namespace."""
        ip(f"netns add {PREFIX}{name}")
        self.namespaces[name] = role
        self.ip(name, "link set lo up")

    def ip(self, node: str, command: str, *, tool: str = "ip") -> None:
        """Run a command of ip(8) or bridge(8) in a node."""
        ip(f"-n {PREFIX}{node} {command}", tool=tool)

    def sysctl(self, node: str, key: str, value: str) -> None:
        """Write a setting below /proc/sys/net."""
        with self.enter(node):
            Path("/proc/sys/net", key).write_text(value)

    def bridge(self, node: str, *, vlans: bool = False) -> None:
        """Make the switch vs0."""
        filtering = " vlan_filtering 1 vlan_default_pvid 0" if vlans else ""
        settings = f"stp_state 0 forward_delay 0 mcast_snooping 0{filtering}"
        self.ip(node, f"link add vs0 type bridge {settings}")
        self.ip(node, "link set vs0 up")
        self.link(node, "vs0", Kind.BRIDGE, Role.VSWITCH)

    def cable(self, guest: str, switch: str) -> None:
        """From eth0 of a guest to a port of a switch, named after the guest."""
        name = f"{PREFIX}{switch}"
        self.ip(guest, f"link add eth0 type veth peer name {guest} netns {name}")
        self.ip(switch, f"link set {guest} master vs0 up")
        self.ip(guest, "link set eth0 up")
        ends = (LinkId(netns=guest, name="eth0"), LinkId(netns=switch, name=guest))
        self.link(guest, "eth0", Kind.VETH, Role.VNIC, peer=ends[1])
        self.link(switch, guest, Kind.VETH, Role.VSWITCH_PORT, peer=ends[0], master="vs0")

    def link(
        self,
        node: str,
        name: str,
        kind: Kind,
        role: Role,
        *,
        peer: LinkId | None = None,
        master: str | None = None,
        parent: str | None = None,
    ) -> None:
        """Take down what a link is: its MAC address is the kernel's."""
        with self.enter(node):
            mac = _mac(name)
        self.links.append(
            Link(
                netns=node,
                name=name,
                kind=kind,
                role=role,
                label=f"{node}.{name}",
                mac=mac,
                mtu=1500,
                peer=peer,
                master=master,
                parent=parent,
            )
        )

    def address(self, node: str, name: str, address: str) -> None:
        """Give a link an address."""
        self.ip(node, f"address add {address} dev {name}{' nodad' if ':' in address else ''}")
        self.addresses.append(Address(netns=node, link=name, interface=ip_interface(address)))

    @property
    def state(self) -> State:
        """What was built."""
        return State(
            namespaces=frozenset(Namespace(name=n, role=r) for n, r in self.namespaces.items()),
            links=frozenset(self.links),
            addresses=frozenset(self.addresses),
        )

    @contextmanager
    def enter(self, node: str) -> Iterator[None]:
        """Be in a node's namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{PREFIX}{node}", os.O_RDONLY)
        try:
            assert LIBC.setns(there, CLONE_NEWNET) == 0
            yield
        finally:
            assert LIBC.setns(home, CLONE_NEWNET) == 0
            os.close(there)
            os.close(home)

    def probe(self, destination: str = "web2", version: int = 4, **options: object) -> Trace:
        """Probe from web1, and trace it."""
        ends = choose_endpoints(self.state, "web1", destination, version=version)
        forward = expected_path(self.state, ends.source, ends.destination_address)
        back = expected_path(self.state, ends.destination, ends.source_address)
        request = ProbeRequest(endpoints=ends, **options)  # type: ignore[arg-type] # by name
        watched = watched_namespaces(self.state, forward, back)
        observation = run_probe(request, watched, self.enter)
        return trace_probe(request, observation, self.state, forward, back)

    def remove(self) -> None:
        """Take the namespaces away, and all in them."""
        for name in self.namespaces:
            ip(f"netns delete {PREFIX}{name}")


def _mac(name: str) -> str:
    """From the kernel, by SIOCGIFHWADDR: /sys shows the namespace that it was mounted in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as any_socket:
        any_socket.bind((name, 0))
        return ":".join(f"{byte:02x}" for byte in any_socket.getsockname()[4])


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Two guests, web1 and web2, on the virtual switch of hv1."""
    built = Wires()
    try:
        built.node("hv1", Role.HYPERVISOR)
        built.bridge("hv1")
        for number, guest in enumerate(("web1", "web2"), 1):
            built.node(guest)
            built.cable(guest, "hv1")
            built.address(guest, "eth0", f"10.0.0.{number}/24")
            built.address(guest, "eth0", f"fd00::{number}/64")
        yield built
    finally:
        built.remove()


THERE = ["web1.eth0 out", "hv1.web1 in", "hv1.web2 out", "web2.eth0 in"]
BACK = ["web2.eth0 out", "hv1.web2 in", "hv1.web1 out", "web1.eth0 in"]


def on_path(trace: Trace, packet: int = 0) -> list[str]:
    return [str(step.hop) for step in trace.packets[packet].steps if step.index is not None]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [Protocol.ICMP, Protocol.UDP, Protocol.TCP])
def test_a_probe_is_seen_at_every_hop(wires: Wires, protocol: Protocol, version: int) -> None:
    """There and back, each hop once, in the order of the kernel's time stamps."""
    begun_ns = time.time_ns()
    trace = wires.probe(version=version, protocol=protocol, count=10)
    assert [packet.outcome for packet in trace.packets] == [Outcome.REPLIED] * 10
    assert [on_path(trace, packet) for packet in range(10)] == [THERE + BACK] * 10
    times_ns = [step.sighting.time_ns for step in trace.packets[0].steps]
    assert times_ns == sorted(times_ns)
    assert begun_ns < times_ns[0] < times_ns[-1] < time.time_ns()
    assert trace.observation.lost_by_tap == ()


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_that_must_be_fragmented_is_seen(wires: Wires, version: int) -> None:
    """The first fragment carries the marker; the guests put the rest together."""
    trace = wires.probe(version=version, size=4000)
    assert trace.packets[0].outcome is Outcome.REPLIED
    assert on_path(trace) == THERE + BACK


def test_an_unanswered_question_tells_where_the_path_ends(wires: Wires) -> None:
    """The destination's link is down: the ARP request comes to the switch, and no further."""
    wires.ip("web2", "link set eth0 down")
    trace = wires.probe(timeout_ns=200_000_000)
    loss = trace.packets[0].loss
    assert loss is not None
    assert loss.carrier is Carrier.WHO_HAS
    assert (str(loss.after), str(loss.target)) in {
        ("hv1.web1 in", "10.0.0.2"),
        ("hv1.web2 out", "10.0.0.2"),  # until the switch notices that the cable is dead
    }


def test_a_known_neighbour_s_silence_shows_the_probe_itself(wires: Wires) -> None:
    """With the MAC address known, the probe is sent, and lost on the same way."""
    assert wires.probe().packets[0].outcome is Outcome.REPLIED
    wires.ip("hv1", "link set web2 down")
    trace = wires.probe(timeout_ns=200_000_000)
    assert trace.packets[0].outcome is Outcome.LOST_FORWARD
    assert on_path(trace) == THERE[:2]


def test_a_destination_that_answers_nothing_is_seen_to_get_the_probe(wires: Wires) -> None:
    """The guest ignores echoes: the probe arrives, and no reply leaves."""
    wires.sysctl("web2", "ipv4/icmp_echo_ignore_all", "1")
    trace = wires.probe(timeout_ns=200_000_000)
    assert trace.packets[0].outcome is Outcome.LOST_RETURN
    assert on_path(trace) == THERE


@pytest.mark.parametrize(
    ("route", "errno"), [("unreachable", "EHOSTUNREACH"), ("blackhole", "EINVAL")]
)
def test_what_the_guest_refuses_is_a_result(wires: Wires, route: str, errno: str) -> None:
    """The kernel's error is told by name; nothing is seen, and nobody waits."""
    wires.ip("web1", f"route add {route} 10.0.0.2/32")
    trace = wires.probe(count=2)
    assert [packet.send_error for packet in trace.packets] == [errno, errno]
    assert trace.packets[0].outcome is Outcome.NOT_SENT


def test_a_source_address_that_was_taken_away_is_a_result(wires: Wires) -> None:
    """Between looking and sending, the guest lost its address."""
    wires.ip("web1", "address delete 10.0.0.1/24 dev eth0")
    trace = wires.probe()
    assert trace.packets[0].send_error == "EADDRNOTAVAIL"


def test_a_neighbour_given_up_before_the_probe_is_asked_for_again(wires: Wires) -> None:
    """The guest's kernel refuses at once what waits for an old question: it is sent once more."""
    wires.ip("hv1", "link set web2 down")
    wires.sysctl("web1", "ipv4/neigh/eth0/mcast_solicit", "1")  # gives up after a second
    with wires.enter("web1"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"asks", ("10.0.0.2", 9))
    loss = wires.probe(timeout_ns=1_500_000_000).packets[0].loss
    assert loss is not None
    assert loss.carrier is Carrier.WHO_HAS


def test_a_taken_port_is_the_application_s(wires: Wires) -> None:
    """Something listens there already and says nothing: the probe does not speak for it."""
    with wires.enter("web2"):
        application = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with application:
        application.bind(("10.0.0.2", 5353))
        trace = wires.probe(protocol=Protocol.UDP, port=5353, timeout_ns=200_000_000)
        application.settimeout(1)
        assert application.recv(100)
    assert trace.observation.answerer is Answerer.APPLICATION
    assert trace.packets[0].outcome is Outcome.LOST_RETURN


def test_a_free_port_is_held_for_the_probe_and_given_back(wires: Wires) -> None:
    """The probe answers itself, and leaves the port as it was."""
    for protocol in (Protocol.UDP, Protocol.TCP):
        for _ in range(2):
            trace = wires.probe(protocol=protocol, port=5353)
            assert trace.observation.answerer is Answerer.PROBE
            assert trace.packets[0].outcome is Outcome.REPLIED


def test_other_traffic_is_not_seen(wires: Wires) -> None:
    """The filter keeps everything else out, from the first packet on."""
    with wires.enter("web1"):
        noise = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with noise, Taps() as taps:
        noise.sendto(b"before", ("10.0.0.2", 9))
        for node in ("web1", "hv1", "web2"):
            taps.open(node, wires.enter, marker_filter(Marker(1)))
        for _ in range(100):
            noise.sendto(b"meanwhile", ("10.0.0.2", 9))
        noise.sendto(Marker(1).word(0).to_bytes(4, "big"), ("10.0.0.2", 9))
        captures = [c for c in taps.drain() if c.frame[12:14] == b"\x08\x00"]
        requests = [c for c in captures if c.frame[23] == socket.IPPROTO_UDP]
    assert [f"{c.netns}.{c.ifname} {c.direction.value}" for c in requests] == [
        "web1.eth0 out",
        "hv1.web1 in",
        "hv1.web2 out",
        "web2.eth0 in",
    ]
    assert not [c for c in captures if b"before" in c.frame or b"meanwhile" in c.frame]


def test_a_tap_counts_what_it_lost(wires: Wires) -> None:
    """Its buffer is full: packets pass unseen, and it says how many."""
    payload = Marker(1).word(0).to_bytes(4, "big") + bytes(1400)
    with wires.enter("web1"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, Taps() as taps:
        taps.open("web1", wires.enter, marker_filter(Marker(1)))
        for _ in range(20_000):
            sender.sendto(payload, ("10.0.0.2", 9))
        assert dict(taps.lost())["web1"] > 0
        assert any(capture.direction is Direction.OUT for capture in taps.drain())


def test_time_stamps_are_those_of_the_passage(wires: Wires) -> None:
    """A packet that waits in a tap's buffer keeps the time at which it passed."""
    with wires.enter("web1"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, Taps() as taps:
        taps.open("web1", wires.enter, marker_filter(Marker(1)))
        wait_for_timestamps("web1", wires.enter)
        sender.sendto(Marker(1).word(0).to_bytes(4, "big"), ("10.0.0.2", 9))
        sent_ns = time.time_ns()
        stamps_ns = [capture.time_ns for capture in taps.drain()]
    assert stamps_ns
    assert max(stamps_ns) <= sent_ns


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_an_interrupt_leaves_nothing_open(wires: Wires) -> None:
    """Ctrl-C while it waits for a reply that never comes: every socket is closed."""
    wires.sysctl("web2", "ipv4/icmp_echo_ignore_all", "1")
    before = open_files()
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            wires.probe(timeout_ns=60_000_000_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert open_files() == before


@pytest.fixture
def trunk() -> Iterator[Wires]:
    """web1 in VLAN 10 and a router on a stick behind a trunk port of the same switch."""
    built = Wires()
    try:
        built.node("hv1", Role.HYPERVISOR)
        built.bridge("hv1", vlans=True)
        built.node("web1")
        built.cable("web1", "hv1")
        built.address("web1", "eth0", "10.0.0.1/24")
        built.node("gw", Role.ROUTER)
        built.cable("gw", "hv1")
        built.ip("gw", "link add link eth0 name eth0.10 type vlan id 10")
        built.ip("gw", "link set eth0.10 up")
        built.link("gw", "eth0.10", Kind.VLAN, Role.ROUTER_INTERFACE, parent="eth0")
        built.address("gw", "eth0.10", "10.0.0.254/24")
        built.ip("hv1", "vlan add dev web1 vid 10 pvid untagged", tool="bridge")
        built.ip("hv1", "vlan add dev gw vid 10", tool="bridge")
        yield built
    finally:
        built.remove()


@needs_vlans
def test_a_trunk_shows_the_tag_and_the_sub_interface_does_not(trunk: Wires) -> None:
    """The kernel takes the tag off the packet; the tap puts it back, where there was one."""
    trace = trunk.probe("gw")
    steps = trace.packets[0].steps
    assert [(str(step.hop), step.sighting.vlan) for step in steps] == [
        ("web1.eth0 out", None),
        ("hv1.web1 in", None),
        ("hv1.gw out", 10),
        ("gw.eth0 in", 10),
        ("gw.eth0.10 in", None),
        ("gw.eth0.10 out", None),
        ("gw.eth0 out", 10),
        ("hv1.gw in", 10),
        ("hv1.web1 out", None),
        ("web1.eth0 in", None),
    ]
    tagged = steps[2].sighting.frame
    assert tagged[12:18] == bytes.fromhex("8100 000a 0800")


@needs_vlans
def test_a_vlan_that_the_trunk_lacks_stops_the_question(trunk: Wires) -> None:
    """The switch does not send it to that port."""
    trunk.ip("hv1", "vlan delete dev gw vid 10", tool="bridge")
    loss = trunk.probe("gw", timeout_ns=200_000_000).packets[0].loss
    assert loss is not None
    assert (str(loss.after), str(loss.before)) == ("hv1.web1 in", "hv1.gw out")


def test_an_address_that_nobody_holds_is_refused(wires: Wires) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=r"no node of the lab holds 10\.0\.0\.9"):
        wires.probe(str(ip_address("10.0.0.9")))
