"""Filters: limits and mirrors at the ports of a vSwitch."""

from __future__ import annotations

from tests.unit.model_kernel import ModelKernel
from vnetlab.state.diff import Change, diff_states
from vnetlab.state.features import Feature, required_features
from vnetlab.state.filters import Filter
from vnetlab.state.hooks import UNICAST, clsact, mirror_to, on_ingress, storm_limits
from vnetlab.state.objects import Kind, Link, LinkId, Namespace, Object, Role, collect
from vnetlab.state.plan import order_changes
from vnetlab.state.show import describe_change

PORT, OTHER = LinkId(netns="hv1", name="a.eth0"), LinkId(netns="hv1", name="b.eth0")


def link(which: LinkId, *, kind: Kind = Kind.BRIDGE) -> Link:
    """A link that stands alone."""
    return Link(
        netns=which.netns,
        name=which.name,
        kind=kind,
        role=Role.VSWITCH_PORT,
        label=str(which),
        mac="02:00:00:00:00:01",
        mtu=1500,
    )


NODE = Namespace(name="hv1", role=Role.HYPERVISOR)
LIMITS = tuple(storm_limits(PORT, broadcast=1_000_000, multicast=2_000_000))
MIRROR = on_ingress(PORT, 10, mirror_to("b.eth0", then="pass"), destination=UNICAST)
BASE: tuple[Object, ...] = (NODE, link(PORT), link(OTHER))
HOOKED = (*BASE, clsact(PORT))


def changed(before: tuple[Object, ...], after: tuple[Object, ...]) -> list[str]:
    """What a plan does, in words, after it was tried on a kernel."""
    state = collect(before)
    plan = order_changes(diff_states(desired=collect(after), observed=state))
    kernel = ModelKernel(state)
    kernel.carry_out(plan)
    assert kernel.state == collect(after)
    return [describe_change(change) for change in plan.changes]


def test_a_limit_is_told_in_words() -> None:
    """What it takes and how much of it passes."""
    told = [describe_change(Change(old=None, new=item)) for item in LIMITS]
    where = "for what comes in on hv1.a.eth0: takes any frame, destination"
    how = "(burst 16384 bytes), drop the rest"
    assert told == [
        f"+ filter 1 {where} broadcast, does limit to 1mbit {how}",
        f"+ filter 2 {where} multicast, does limit to 2mbit {how}",
    ]


def test_a_limit_of_multicast_alone_leaves_broadcasts_alone() -> None:
    """A broadcast address is a multicast one too, and so must be let pass before."""
    first, second = storm_limits(PORT, broadcast=None, multicast=1_000_000)
    assert [action.kind for item in (first, second) for action in item.actions] == [
        "gact",
        "police",
    ]
    assert first.priority < second.priority


def test_no_limit_needs_no_filter() -> None:
    """Nor one for what passes."""
    assert list(storm_limits(PORT, broadcast=None, multicast=None)) == []


def test_filters_go_with_their_hooks() -> None:
    """Without a step of their own."""
    assert changed((*HOOKED, *LIMITS), BASE) == ["- clsact on hv1.a.eth0"]


def test_another_limit_is_set_in_place() -> None:
    """And the other filter stays."""
    faster = tuple(storm_limits(PORT, broadcast=3_000_000, multicast=2_000_000))
    assert len(changed((*HOOKED, *LIMITS), (*HOOKED, *faster))) == 1


def test_a_mirror_to_a_link_that_is_made_anew_is_set_again() -> None:
    """The kernel knew the old link by its number."""
    other_kind = (NODE, link(PORT), link(OTHER, kind=Kind.VLAN), clsact(PORT), MIRROR)
    changes = changed(other_kind, (*HOOKED, MIRROR))
    (last,) = [line for line in changes if line.startswith("~ filter")]
    assert last.endswith("does mirror to a link that is gone -> mirror to b.eth0")


def test_filters_need_features_by_their_actions() -> None:
    """Those of a limit others than those of a mirror."""
    needed = set(required_features(collect([*HOOKED, *LIMITS])))
    assert {Feature.CLSACT, Feature.FLOWER, Feature.POLICE} <= needed
    assert Feature.MIRRED not in needed
    assert Feature.MIRRED in required_features(collect([*HOOKED, MIRROR]))


def test_two_filters_of_one_place_are_none_of_ours() -> None:
    """Both are removed, and ours is made again."""
    several = Filter(
        netns="hv1",
        link="a.eth0",
        parent=MIRROR.parent,
        priority=10,
        protocol=MIRROR.protocol,
        kind="flower",
        matches=MIRROR.matches,
        actions=MIRROR.actions,
        handle=0,
    )
    assert [line[0] for line in changed((*HOOKED, several), (*HOOKED, MIRROR))] == ["-", "+"]
