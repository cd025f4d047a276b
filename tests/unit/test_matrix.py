"""A matrix of probes: its pairs, what failed pairs have in common, and how it is shown."""

from __future__ import annotations

import json
from ipaddress import ip_address
from itertools import permutations
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from vnetlab.diagnosis.common_cause import (
    Failure,
    Matrix,
    describe_end,
    group_failures,
    refutes,
)
from vnetlab.diagnosis.verdict import Cause, Confidence, Fix, Layer
from vnetlab.errors import UsageError
from vnetlab.state.objects import Namespace, Role, State
from vnetlab.trace.forwarding.packet import Packet
from vnetlab.trace.forwarding.reasons import Reason
from vnetlab.trace.forwarding.walk import Finding, Walk, WalkStep
from vnetlab.trace.icmp import IcmpError
from vnetlab.trace.matrix import PairResult, choose_nodes, order_pairs
from vnetlab.trace.request import Endpoints, ProbeRequest
from vnetlab.trace.sighting import Direction, PacketKind
from vnetlab.views.matrix_json import render_matrix_json
from vnetlab.views.matrix_svg import render_matrix_svg
from vnetlab.views.matrix_text import latency_text, render_matrix
from vnetlab.views.terminal import Terminal

NODES = ("a", "b", "c")
STATE = State(
    namespaces=frozenset(
        {
            Namespace(name="web2", role=Role.VM),
            Namespace(name="web1", role=Role.VM),
            Namespace(name="db1", role=Role.HOST),
            Namespace(name="gw", role=Role.ROUTER),
            Namespace(name="hv1", role=Role.HYPERVISOR),
        }
    )
)


def result(source: str, destination: str, round_trip_ns: int | None = None) -> PairResult:
    ends = Endpoints(
        source=source,
        destination=destination,
        source_address=ip_address("10.0.0.1"),
        destination_address=ip_address("10.0.0.2"),
    )
    return PairResult(request=ProbeRequest(endpoints=ends), round_trip_ns=round_trip_ns)


def cause(code: str, thing: str, command: str = "mend") -> Cause:
    return Cause(
        code=code,
        layer=Layer.PHYSICAL_NETWORK,
        object=thing,
        summary=f"{thing} does not carry the VLAN.",
        row="a row",
        confidence=Confidence.LIKELY,
        fix=Fix(node="tor1", commands=(command,), line="", advice="", drifted=False),
    )


def failure(source: str, destination: str, *causes: Cause, end: str = "It ended.") -> Failure:
    return Failure(result=result(source, destination), causes=causes, end=end)


def matrix(*failures: Failure, nodes: tuple[str, ...] = NODES) -> Matrix:
    """All pairs of `nodes`, reached in 0.25 ms but for those that failed."""
    failed = {it.result.names: it.result for it in failures}
    return Matrix(
        sources=nodes,
        destinations=nodes,
        results=tuple(failed.get(pair, result(*pair, 250_000)) for pair in permutations(nodes, 2)),
        failures=failures,
        groups=group_failures(failures),
    )


def test_all_guests_are_meant_if_nobody_is_named() -> None:
    """VMs and bare-metal hosts, sorted; switches, hypervisors and routers only by name."""
    assert choose_nodes(STATE, None) == ("db1", "web1", "web2")
    assert choose_nodes(STATE, "gw, web*,web1") == ("gw", "web1", "web2")


def test_a_name_that_no_node_has_is_refused() -> None:
    """With the name that was meant, likely."""
    with pytest.raises(UsageError, match=r"no node 'wbe1'.*web1"):
        choose_nodes(STATE, "db1,wbe1")


@pytest.mark.parametrize("count", [2, 3, 10])
def test_pairs_that_follow_each_other_share_no_node_in_one_role(count: int) -> None:
    """Every pair comes once; as many of them as there are nodes have each source once."""
    nodes = [f"n{number}" for number in range(count)]
    pairs = list(order_pairs(nodes, nodes))
    assert sorted(pairs) == sorted(permutations(nodes, 2))
    for start in range(0, len(pairs), count):
        for role in (0, 1):
            assert len({pair[role] for pair in pairs[start : start + count]}) == count


def test_pairs_of_two_sets_of_nodes_are_all_of_both() -> None:
    """More sources than destinations, and one that is both."""
    pairs = list(order_pairs(["a", "b", "c"], ["c", "d"]))
    assert sorted(pairs) == [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]


def test_pairs_are_grouped_by_their_first_cause() -> None:
    """The largest group first; the same code at another object, or mended otherwise, is another."""
    trunk, other = cause("switch.vlan", "tor1.hv2"), cause("switch.vlan", "tor1.hv3")
    vlan = cause("switch.vlan", "tor1.hv2", "mend another VLAN")
    groups = group_failures(
        [
            failure("a", "c", other, trunk),
            failure("b", "a", trunk, other),
            failure("a", "b", replace(trunk, row="said otherwise")),
            failure("b", "c", vlan),
        ]
    )
    assert [(group.cause and group.cause.object, group.pairs) for group in groups] == [
        ("tor1.hv2", (("a", "b"), ("b", "a"))),
        ("tor1.hv3", (("a", "c"),)),
        ("tor1.hv2", (("b", "c"),)),
    ]


def test_pairs_without_a_cause_are_grouped_by_where_they_ended() -> None:
    """Unknown is a code of its own, and its summary the place."""
    found = group_failures(
        [failure("a", "b", end="X."), failure("b", "a", end="Y."), failure("c", "b", end="X.")]
    )
    assert [(group.code, group.summary, len(group.pairs)) for group in found] == [
        ("unknown", "X.", 2),
        ("unknown", "Y.", 1),
    ]


def walk(*links: str, stop: int | None = None) -> tuple[Walk, Finding]:
    """In by each link of namespace `n`; the link at `stop` has the finding."""
    packet = Packet(
        source_mac="02:00:00:00:00:01",
        destination_mac="02:00:00:00:00:02",
        source=ip_address("10.0.0.1"),
        destination=ip_address("10.0.0.2"),
    )
    finding = Finding(reason=Reason.VLAN_NOT_ALLOWED, netns="n", row="no VLAN 20", link="x")
    steps: list[WalkStep] = []
    for number, link in enumerate(links):
        step = WalkStep(netns="n", link=link, packet=packet, direction=Direction.IN)
        steps.append(step)
        if number == stop:
            steps.append(replace(step, direction=None, finding=finding))
    return Walk(steps=tuple(steps), arrived=True, packet=packet), finding


def test_a_sighting_behind_a_stop_refutes_it() -> None:
    """What the model says is no cause where the packets got past it; what came before it may be."""
    forward, stop = walk("x", "y", stop=0)
    at = {link: ("n", link, Direction.IN) for link in ("x", "y")}
    assert not refutes([(at["x"], PacketKind.REQUEST)], forward, None, stop)
    assert refutes([(at["y"], PacketKind.REQUEST)], forward, None, stop)
    assert not refutes([(at["y"], PacketKind.REPLY)], forward, None, stop)
    back, _ = walk("y")
    assert refutes([(at["y"], PacketKind.REPLY)], forward, back, stop)


def test_the_end_of_a_failed_pair_is_what_was_seen_last() -> None:
    """Or what came instead of an answer, or why the guest would not send."""
    lost = result("a", "b")
    seen = ((("hv1", "p0", Direction.OUT), PacketKind.REPLY),)
    labels = {("hv1", "p0"): "hv1.eno1"}
    said = "The reply went out of hv1.eno1 and was not seen any further."
    assert describe_end(replace(lost, seen=seen), labels) == said
    assert describe_end(lost, labels) == "The probe never left a."
    refusal = IcmpError(version=4, type=3, code=13)
    assert "3/13" in describe_end(replace(lost, seen=seen, refusal=refusal), labels)
    assert "ENETUNREACH" in describe_end(replace(lost, send_error="ENETUNREACH"), labels)


def test_the_table_has_latencies_and_the_letters_of_groups() -> None:
    """Rows are sources; below it each letter is explained, with its pairs."""
    trunk = cause("switch.vlan-not-allowed", "tor1.hv2.eno1")
    shown = render_matrix(
        matrix(failure("a", "b", trunk), failure("c", "b", trunk), failure("b", "a")),
        Terminal(width=100),
    )
    assert shown.splitlines()[:4] == [
        "ms     a     b     c",
        "a      -     A  0.25",
        "b      B     -  0.25",
        "c   0.25     A     -",
    ]
    assert "FAULT 3 of 6 pairs fail, for 2 causes" in shown
    assert "A  2 pairs: switch.vlan-not-allowed (likely) tor1.hv2.eno1 does not" in shown
    assert "pairs: a → b, c → b" in shown
    assert "B  1 pair: unknown It ended." in shown


def test_a_wide_table_is_cut_into_blocks_of_single_letters() -> None:
    """No line is wider than the terminal, and every cell is there."""
    nodes = tuple(f"node{number:02}" for number in range(40))
    trunk = cause("switch.vlan-not-allowed", "tor1.hv2.eno1")
    shown = render_matrix(
        matrix(failure("node03", "node39", trunk), nodes=nodes), Terminal(width=40)
    )
    table = shown.split("\n\n")[0].splitlines()
    assert max(map(len, shown.splitlines())) <= 40
    rows = [line.split()[-1] for line in table if "node03" in line]
    assert "".join(rows) == "..." + "-" + "." * 35 + "A"


def test_what_is_left_out_and_what_limits_it_is_said() -> None:
    """A pair without addresses, a pair that lost a packet, a tap that could not keep up."""
    whole = matrix()
    some = replace(
        whole,
        results=(replace(whole.results[0], lost=1), *whole.results[2:]),
        left_out=((("a", "c"), "c has no IP address"),),
        cautions=("the tap in hv1 lost 3 packets",),
    )
    shown = render_matrix(some, Terminal(width=100))
    assert "0.25*" in shown
    assert "answered at the second attempt only" in shown
    assert "c has no IP address (1 pair)" in shown
    assert "the tap in hv1 lost 3 packets" in shown
    nothing = Matrix(sources=("a",), destinations=("a",), results=())
    assert render_matrix(nothing, Terminal(width=100)) == "NOTHING TO PROBE"


@pytest.mark.parametrize(
    ("time_ns", "text"), [(8_000, "0.01"), (250_000, "0.25"), (2_700_000, "2.7"), (1_2e6, "12")]
)
def test_a_latency_is_short(time_ns: float, text: str) -> None:
    """Three characters or four, in milliseconds."""
    assert latency_text(int(time_ns)) == text


def test_json_has_every_pair_and_every_group() -> None:
    """A failed pair has its code, a reached one its latency."""
    trunk = cause("switch.vlan-not-allowed", "tor1.hv2.eno1")
    said = json.loads(render_matrix_json(matrix(failure("a", "b", trunk), failure("b", "c"))))
    pairs = {(pair["source"], pair["destination"]): pair for pair in said["pairs"]}
    assert len(pairs) == 6
    assert not said["healthy"]
    assert pairs["a", "b"]["code"] == "switch.vlan-not-allowed"
    assert pairs["b", "c"]["code"] == "unknown"
    assert (pairs["c", "a"]["reached"], pairs["c", "a"]["round_trip_ns"]) == (True, 250_000)
    assert said["groups"][0]["pairs"] == [{"source": "a", "destination": "b"}]


def test_the_picture_has_a_cell_for_each_pair() -> None:
    """Each says in a title what it is; the legend names the groups."""
    trunk = cause("switch.vlan-not-allowed", "tor1.hv2.eno1 & <more>")
    drawn = ET.fromstring(render_matrix_svg(matrix(failure("a", "b", trunk))))
    titles = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 9
    assert {"a to b: A", "a to a: not probed", "b to a: 0.25 ms"} <= set(titles)
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert any("tor1.hv2.eno1 & <more> does not carry" in (text or "") for text in texts)
