"""Plans, status, doctor and JSON as their reader sees them."""

from __future__ import annotations

import json
import re
from ipaddress import ip_interface
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import diff_states
from vnetlab.state.objects import LinkId, Namespace, Role, State
from vnetlab.state.plan import Plan, order_changes
from vnetlab.state.show import describe_change
from vnetlab.state.status import Status, node_statuses
from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology
from vnetlab.views.doctor import Check, Report, render_reports
from vnetlab.views.json_text import to_json
from vnetlab.views.plan import render_plan, render_up
from vnetlab.views.status import render_status

TEXT = "vms:\n  a: {nics: [{ipv4: 10.0.0.2}]}\n  b: {nics: [{ipv4: 10.0.0.3}]}\n"


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    """Two VMs on a hypervisor."""
    path = tmp_path / "pair.yaml"
    path.write_text(TEXT)
    return load(path)


def plan_from(observed: State, topology: Topology) -> Plan:
    """What turns `observed` into the lab."""
    return order_changes(diff_states(desired=compile_topology(topology), observed=observed))


def without_vm(state: State, name: str) -> State:
    """The state when somebody has deleted a VM's namespace."""
    return replace(
        state,
        namespaces=frozenset(n for n in state.namespaces if n.name != name),
        links=frozenset(
            link
            for link in state.links
            if name not in (link.netns, link.peer.netns if link.peer else "")
        ),
        addresses=frozenset(a for a in state.addresses if a.netns != name),
        sysctls=frozenset(s for s in state.sysctls if s.netns != name),
    )


def test_an_empty_plan_says_so(topology: Topology) -> None:
    """`plan` on a lab that is as desired is one line."""
    assert render_plan(plan_from(compile_topology(topology), topology)) == "nothing to change"


def test_a_plan_counts_every_change_and_names_each_node_once(topology: Topology) -> None:
    """The settings of a new node's kernel are told by their number."""
    plan = plan_from(State(), topology)
    *lines, empty, count = render_plan(plan).splitlines()
    assert (empty, count) == ("", f"{len(plan.changes)} to add, 0 to change, 0 to remove")
    assert "+ VM a, 7 kernel settings" in lines
    assert not any("net.ipv4" in line for line in lines)


def test_a_node_that_is_made_anew_shows_its_settings_where_it_is_made(topology: Topology) -> None:
    """The line of its removal has no settings."""
    state = compile_topology(topology)
    router = Namespace(name="a", role=Role.ROUTER)
    nodes = frozenset(n for n in state.namespaces if n.name != "a") | {router}
    lines = render_plan(plan_from(replace(state, namespaces=nodes), topology)).splitlines()
    assert "- router a" in lines
    assert "+ VM a, 7 kernel settings" in lines


def test_a_setting_that_drifted_is_a_line_of_its_own(topology: Topology) -> None:
    """On a node that is not new there is nothing to count."""
    state = compile_topology(topology)
    drifted = frozenset(
        replace(s, value="1") if (s.netns, s.key) == ("a", "net/ipv4/ip_forward") else s
        for s in state.sysctls
    )
    text = render_plan(plan_from(replace(state, sysctls=drifted), topology))
    assert text.splitlines()[0] == "~ net.ipv4.ip_forward in a: value 1 -> 0"


def test_up_tells_what_a_new_lab_consists_of(topology: Topology) -> None:
    """One line, with one and many in good English."""
    told = render_up(topology, plan_from(State(), topology), seconds=0.123)
    assert told == "pair is up: 1 hypervisor, 2 VMs in 0.12 s"


def test_up_tells_that_there_was_nothing_to_do(topology: Topology) -> None:
    """A second `up` changes nothing and says so."""
    told = render_up(topology, Plan(phases=()), seconds=0.1)
    assert told == "pair is up already: nothing to change"


def test_up_lists_what_changed_in_a_running_lab(topology: Topology) -> None:
    """The first lines, and how many more there are."""
    running = without_vm(compile_topology(topology), "b")
    done = plan_from(running, topology)
    first, *lines = render_up(topology, done, seconds=1).splitlines()
    assert first == "pair is up, changed in 1.00 s:"
    assert lines == [
        "  + VM b, 7 kernel settings",
        *(f"  {describe_change(change)}" for change in done.changes[-3:]),
    ]


def test_up_lists_twenty_changes_at_most(tmp_path: Path) -> None:
    """A change of the whole lab does not fill the screen: the rest is a number."""
    path = tmp_path / "many.yaml"
    path.write_text("vms:\n" + "".join(f"  v{i}:\n" for i in range(30)))
    many = load(path)
    running = without_vm(compile_topology(many), "v0")
    slow = frozenset(replace(link, mtu=1400) for link in running.links)
    done = plan_from(replace(running, links=slow), many)
    _, *lines, last = render_up(many, done, seconds=1).splitlines()
    assert len(lines) == 20
    assert re.fullmatch(r"  \.\.\. and \d+ more", last)


def status_of(topology: Topology, observed: State) -> Status:
    """The lab's status where the kernel has `observed`."""
    return Status(
        name="pair",
        source="/labs/pair.yaml",
        nodes=node_statuses(observed),
        drift=plan_from(observed, topology).changes,
    )


def test_status_shows_nodes_with_their_addresses(topology: Topology) -> None:
    """A line per interface, in columns, then the verdict on drift."""
    assert render_status(status_of(topology, compile_topology(topology))) == (
        "pair  (/labs/pair.yaml)\n"
        "\n"
        "hv1  hypervisor  2 ports\n"
        "a    VM          eth0 10.0.0.2/24\n"
        "b    VM          eth0 10.0.0.3/24\n"
        "\n"
        "the kernel has it as the topology says"
    )


def test_status_shows_a_link_that_is_down_and_the_drift(topology: Topology) -> None:
    """What `up` would repair is listed; the interface itself is marked."""
    state = compile_topology(topology)
    where = LinkId(netns="a", name="eth0")
    links = frozenset(replace(x, up=False) if x.id == where else x for x in state.links)
    text = render_status(status_of(topology, replace(state, links=links)))
    assert "a    VM          eth0 DOWN 10.0.0.2/24" in text
    assert text.endswith(
        "differs from its topology; 'vnetlab up FILE' would make these changes:\n"
        "  ~ vNIC a.eth0: state down -> up"
    )


def test_status_shows_a_node_of_unknown_role(topology: Topology) -> None:
    """A namespace that lost its label is still listed."""
    nameless = State(namespaces=frozenset({Namespace(name="x", role=None)}))
    assert "x  unknown" in render_status(status_of(topology, nameless)).splitlines()


FEATURE = Check(name="veth", present=True, needed_for="vNICs", remedy="a kernel with CONFIG_VETH")


def test_doctor_says_how_to_get_what_is_missing() -> None:
    """What is there is one line, what is missing comes with its remedy."""
    missing = replace(FEATURE, name="bridge", present=False)
    text = render_reports([Report(realm="host", what="this kernel", checks=(FEATURE, missing))])
    assert text.splitlines() == [
        "host: this kernel",
        "  ok       veth    vNICs",
        "  MISSING  bridge  vNICs",
        "                   -> a kernel with CONFIG_VETH",
    ]


def test_a_report_without_checks_is_not_complete() -> None:
    """A realm about which nothing is known can hold nothing."""
    assert not Report(realm="uml", what="none", checks=()).complete
    assert Report(realm="uml", what="all", checks=(FEATURE,)).complete
    assert render_reports([]) == ""


class _Thing(Struct, frozen=True):
    role: Role
    where: LinkId
    delay_ns: int | None
    names: frozenset[str]


def test_json_has_the_fields_of_a_value() -> None:
    """Enums are their values, sets sorted lists, None null, addresses text."""
    thing = _Thing(Role.VM, LinkId(netns="a", name="eth0"), None, frozenset({"b", "a"}))
    assert json.loads(to_json(thing)) == {
        "role": "vm",
        "where": {"netns": "a", "name": "eth0"},
        "delay_ns": None,
        "names": ["a", "b"],
    }
    assert json.loads(to_json({"x": (ip_interface("10.0.0.1/24"), True)})) == {
        "x": ["10.0.0.1/24", True]
    }


def test_changes_as_json_have_old_and_new(topology: Topology) -> None:
    """A reader finds what is made by `old` being null."""
    changes = json.loads(to_json(plan_from(State(), topology).changes))
    assert all(change["old"] is None and change["new"] for change in changes)
