"""A probe as its user reads it: text in any width, JSON, a capture file."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from scapy.utils import RawPcapNgReader

from vnetlab.diagnosis.locate import locate
from vnetlab.errors import UsageError
from vnetlab.state.compile import compile_topology
from vnetlab.state.objects import State
from vnetlab.topology.load import load
from vnetlab.trace.endpoints import choose_endpoints
from vnetlab.trace.path import expected_path
from vnetlab.trace.request import ProbeRequest
from vnetlab.trace.sighting import Observation, PacketKind, Sighting
from vnetlab.trace.trace import Trace, trace_probe
from vnetlab.views.columns import Column, lay_out
from vnetlab.views.probe_json import render_probe_json
from vnetlab.views.probe_pcapng import render_pcapng
from vnetlab.views.probe_text import render_probe
from vnetlab.views.terminal import Terminal
from vnetlab.wire.capture_file import write_capture

SHIPPED = Path(__file__).parents[2] / "topologies" / "two-hypervisors.yaml"
START_NS = 1_700_000_000_123_456_789
FRAME = bytes.fromhex("020000000002 020000000001 8100000a 0800") + bytes(61)


@pytest.fixture(scope="module")
def state() -> State:
    return compile_topology(load(SHIPPED))


def make_trace(state: State, *, hops: int = 99, count: int = 1) -> Trace:
    """A probe from web1 to db1 whose packets got over `hops` hops, there and then back."""
    ends = choose_endpoints(state, "web1", "db1")
    forward = expected_path(state, "web1", ends.destination_address)
    back = expected_path(state, "db1", ends.source_address)
    legs = [(PacketKind.REQUEST, hop) for hop in forward.hops]
    legs += [(PacketKind.REPLY, hop) for hop in back.hops]
    seen = tuple(
        Sighting(
            time_ns=START_NS + sequence * 10_000_000 + number * 1500,
            netns=hop.netns,
            ifname=hop.ifname,
            direction=hop.direction,
            kind=kind,
            source_mac="02:00:00:00:00:01",
            destination_mac="02:00:00:00:00:02",
            source=ends.source_address,
            destination=ends.destination_address,
            sequence=sequence,
            vlan=10 if hop.netns == "tor1" else None,
            ttl=64,
            frame=FRAME,
        )
        for sequence in range(count)
        for number, (kind, hop) in enumerate(legs[:hops])
    )
    request = ProbeRequest(endpoints=ends, count=count)
    return trace_probe(request, Observation(sightings=seen, sent=count), state, forward, back)


def text(trace: Trace, width: int, **terminal: bool) -> str:
    return render_probe(trace, locate(trace), Terminal(width=width, **terminal))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("hops", [0, 5, 99])
@pytest.mark.parametrize("count", [1, 3])
def test_no_line_is_wider_than_the_terminal(
    state: State, width: int, hops: int, count: int
) -> None:
    """Columns are left out rather than wrapped."""
    lines = text(make_trace(state, hops=hops, count=count), width).splitlines()
    assert max(map(len, lines)) <= width


def test_there_is_a_row_for_every_sighting(state: State) -> None:
    """The table has each hop there and back, in order, with VLAN, TTL and MAC addresses."""
    trace = make_trace(state)
    rows = [line.split() for line in text(trace, 140).splitlines() if line.strip()[:1].isdigit()]
    assert len(rows) == len(trace.packets[0].steps) == 28
    assert [int(row[0]) for row in rows] == list(range(1, 29))
    hop = "4 4.5 1.5 tor1 hv1.eno1 physical port in 10 64 02:00:00:00:00:01 02:00:00:00:00:02"
    assert rows[3] == hop.split()


def test_in_a_narrow_terminal_mac_addresses_stand_between_the_rows(state: State) -> None:
    """They are written once for all rows that share them."""
    shown = text(make_trace(state), 80)
    assert shown.count("02:00:00:00:00:01 → 02:00:00:00:00:02") == 1


def test_a_lost_probe_says_after_which_hop(state: State) -> None:
    """The verdict names the last place, the next one, the layer and the object."""
    shown = text(make_trace(state, hops=5), 200)
    assert "LOST  On the way there, the probe went out of tor1.gw.eth0 (physical port)" in shown
    assert "layer: physical network" in shown
    assert "object: tor1.gw.eth0 - gw.eth0" in shown


def test_several_packets_are_timed_per_hop(state: State) -> None:
    """Least, middle and greatest time since the hop before, and how many were seen."""
    shown = text(make_trace(state, count=3), 120)
    row = next(line for line in shown.splitlines() if line.startswith(" 4"))
    assert " ".join(row.split()) == "4 4.5 1.5 1.5 1.5 tor1 hv1.eno1 physical port in 3/3"
    assert "round trip: min 40.5, median 40.5, max 40.5 µs" in shown


def test_plain_text_is_ascii(state: State) -> None:
    """Where the terminal shows neither colours nor other letters, there are none."""
    assert text(make_trace(state), 80, unicode=False).isascii()
    assert "\033" not in text(make_trace(state), 80)
    assert "\033" in text(make_trace(state), 80, color=True)


def test_the_least_important_columns_go_first() -> None:
    """Narrower gaps before fewer columns, and at last a cut."""
    columns = [
        Column(title="a", cells=("11111",)),
        Column(title="b", cells=("22222",), importance=2),
        Column(title="c", cells=("33333",), importance=1),
        Column(title="empty", cells=("",)),
    ]
    assert lay_out(columns, 19)[1] == "11111  22222  33333"
    assert lay_out(columns, 17)[1] == "11111 22222 33333"
    assert lay_out(columns, 16)[1] == "11111  22222"
    assert lay_out(columns, 5)[1] == "11111"
    assert lay_out(columns, 4)[1] == "1..."


def test_json_has_every_sighting_with_its_units(state: State) -> None:
    """Field names say what and in which unit."""
    trace = make_trace(state)
    shown = json.loads(render_probe_json(trace, locate(trace)))
    assert set(shown) == {"probe", "packets", "resolution", "hops", "segments", "taps", "verdict"}
    fourth = shown["packets"][0]["sightings"][3]
    assert fourth["time_ns"] == START_NS + 4500
    assert fourth["since_previous_ns"] == 1500
    assert (fourth["node"], fourth["interface"], fourth["vlan"]) == ("tor1", "hv1.eno1", 10)
    assert (fourth["leg"], fourth["role"], fourth["on_path"]) == ("there", "physical-port", True)
    assert shown["verdict"]["healthy"] is True


def test_json_of_a_loss_names_both_hops(state: State) -> None:
    """The last hop seen and the next one."""
    trace = make_trace(state, hops=5)
    shown = json.loads(render_probe_json(trace, locate(trace)))
    lost = shown["packets"][0]["lost"]
    assert (lost["after"]["label"], lost["before"]["label"]) == ("tor1.gw.eth0", "gw.eth0")
    assert shown["verdict"]["layer"] == "physical network"


def read_pcapng(content: bytes) -> list[tuple[bytes, Any]]:
    return list(RawPcapNgReader(io.BytesIO(content)))


def test_the_capture_file_has_an_interface_per_tap(state: State) -> None:
    """Every frame is there, in order, to the nanosecond, with its interface and direction."""
    trace = make_trace(state)
    packets = read_pcapng(render_pcapng(trace))
    steps = trace.packets[0].steps
    assert [frame for frame, _ in packets] == [FRAME] * 28
    assert [meta.ifname.decode() for _, meta in packets] == [
        f"{step.hop.netns}.{step.hop.ifname}" for step in steps
    ]
    times_ns = [((meta.tshigh << 32) + meta.tslow) for _, meta in packets]
    assert times_ns == [step.sighting.time_ns for step in steps]
    assert {meta.tsresol for _, meta in packets} == {1_000_000_000}
    assert [meta.direction for _, meta in packets[:2]] == [2, 1]


def test_each_captured_packet_says_where_it_was_seen(state: State) -> None:
    """The comment is what the table's row says."""
    content = render_pcapng(make_trace(state))
    assert b"step 4: tor1 physical port hv1.eno1 in, VLAN 10" in content


def test_of_nothing_seen_an_empty_capture_file_is_made(state: State) -> None:
    """Its interfaces are those of the path."""
    content = render_pcapng(make_trace(state, hops=0))
    assert read_pcapng(content) == []
    assert b"hv1.web1.eth0" in content


def test_a_capture_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """An older file of that name is replaced, through a link too; nothing else is left there."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_capture(tmp_path / "link", b"new")
    assert (tmp_path / "real").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_capture_can_be_written_to_a_device() -> None:
    """It stays a device."""
    write_capture(Path(os.devnull), b"new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing/x.pcapng", "no such file or directory"),
        (".", "is a directory"),
        ("/dev/full", "no space left on device"),
    ],
)
def test_a_capture_that_cannot_be_written_is_one_message(
    tmp_path: Path, path: str, reason: str
) -> None:
    """A missing directory, a directory's name, a full disk."""
    target = tmp_path / path
    with pytest.raises(UsageError) as raised:
        write_capture(target, b"new")
    assert raised.value.message == f"{target}: cannot write the capture: {reason}"
    assert list(tmp_path.iterdir()) == []


def test_a_step_off_the_path_stands_in_a_part_of_its_own(state: State) -> None:
    """Flooded copies do not interrupt the path."""
    trace = make_trace(state, hops=5)
    packet = trace.packets[0]
    stray = replace(packet.forward[2], index=None)
    strayed = replace(packet, forward=(*packet.forward[:2], stray, *packet.forward[3:]))
    lines = text(replace(trace, packets=(strayed,)), 120).splitlines()
    assert lines.index("elsewhere") > lines.index("there") + 4
