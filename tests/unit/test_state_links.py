from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.topologies import ROUTED
from vnetlab.errors import UsageError
from vnetlab.state.compile import compile_topology
from vnetlab.state.diff import Change, remove_namespace
from vnetlab.state.links import find_link, lost_when_down, named_links
from vnetlab.state.objects import Address, Link, LinkId, Namespace, Route, State, everything
from vnetlab.topology.load import load


@pytest.fixture
def state(tmp_path: Path) -> State:
    """The state of a lab with a router on a stick."""
    file = tmp_path / "lab.yaml"
    file.write_text(ROUTED)
    return compile_topology(load(file))


def test_links_have_their_names_of_the_topology(state: State) -> None:
    """Each is found by its label or the kernel's name; a physical switch's bridge by the latter."""
    names = list(named_links(state))
    assert len(names) == len(state.links)
    assert {"web1.eth0", "hv1.web1.eth0", "hv1.eno1", "hv1.vs0", "gw.web", "tor1.br0"} <= {*names}
    for name in names:
        assert named_links(state)[name] == find_link(state, name)
    assert find_link(state, "gw.eth0.10") == find_link(state, "gw.web")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("web1.eth1", "no link 'web1.eth1'; did you mean 'web1.eth0'? (web1.eth0)"),
        ("web1", "got the node 'web1', expected NODE.LINK; did you mean 'web1.eth0'? (web1.eth0)"),
    ],
)
def test_an_unknown_link_is_told(state: State, name: str, message: str) -> None:
    """What may be meant is a link of the same node."""
    with pytest.raises(UsageError) as caught:
        find_link(state, name)
    assert str(caught.value) == message


def test_what_a_port_loses_includes_that_of_its_sub_interfaces(state: State) -> None:
    """Of all that could be made, addresses and routes of the port and of what is on it."""
    link = find_link(state, "gw.eth0")
    everything_made = [Change(old=None, new=item) for item in everything(state)]
    back = [change.new for change in lost_when_down(link, state, everything_made)]
    assert {item.link for item in back if isinstance(item, Address)} == {"eth0.10", "eth0.20"}
    vnic = find_link(state, "web1.eth0")
    back = [change.new for change in lost_when_down(vnic, state, everything_made)]
    assert {type(item) for item in back} == {Address, Route}
    assert {item.netns for item in back if isinstance(item, Address | Route)} == {"web1"}


def test_a_namespace_goes_with_the_ends_of_its_links(state: State) -> None:
    """The steps are its own removal and that of each veth; the kernel takes the rest along."""
    removed = [change.old for change in remove_namespace("web1", state)]
    assert {type(item) for item in removed} == {Namespace, Link}
    assert [item.id for item in removed if isinstance(item, Link)] == [
        LinkId(netns="hv1", name="web1.eth0")
    ]
    assert remove_namespace("nobody", state) == ()
