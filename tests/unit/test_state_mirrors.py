"""Copies for promiscuous ports, by the VLANs of their bridge."""

from __future__ import annotations

from vnetlab.state.filters import Filter
from vnetlab.state.mirrors import mirrors
from vnetlab.state.objects import BridgeVlan, Kind, Link, LinkId, Object, Role
from vnetlab.state.overlays import FdbEntry

MAC = {"p": "02:00:00:00:00:0a", "q": "02:00:00:00:00:0b"}


def port(name: str) -> LinkId:
    """The port of hv1 for a VM, or its uplink."""
    return LinkId(netns="hv1", name=name)


def bridge(*ports: str, filtering: bool = True) -> list[Object]:
    """A vSwitch with these ports."""
    common = {"netns": "hv1", "label": "", "mac": "02:00:00:00:00:01", "mtu": 1500}
    made: list[Object] = [
        Link(
            name="vs0",
            kind=Kind.BRIDGE,
            role=Role.VSWITCH,
            vlan_filtering=filtering,
            **common,  # type: ignore[arg-type] # by field
        )
    ]
    made += [
        Link(
            name=name,
            kind=Kind.VETH,
            role=Role.VSWITCH_PORT,
            master="vs0",
            **common,  # type: ignore[arg-type] # by field
        )
        for name in ports
    ]
    return made


def vlan(name: str, vid: int, *, tagged: bool = False) -> BridgeVlan:
    """A VLAN on a port of hv1."""
    return BridgeVlan(netns="hv1", link=name, vid=vid, pvid=not tagged, untagged=not tagged)


def told(objects: list[Object], *promiscuous: str) -> list[str]:
    """The filters in short, in the order in which they are asked: port, matches, what is done."""
    made = filters(objects, *promiscuous)
    return [_told(it) for it in sorted(made, key=lambda it: (it.link, it.priority))]


def filters(objects: list[Object], *promiscuous: str) -> list[Filter]:
    """The filters of the ports of a bridge."""
    made = mirrors(objects, {port(name): MAC[name] for name in promiscuous})
    return [item for item in made if isinstance(item, Filter)]


def _told(item: Filter) -> str:
    words = [f"{item.link}:"]
    words += ["tagged"] if item.protocol == 0x8100 else []
    words += [value for _, value in item.matches]
    words.append("->")
    for action in item.actions:
        settings = dict(action.settings)
        words.append(str(settings.get("link") or settings.get("mode") or settings["then"]))
    return " ".join(words).replace("00:00:00:00:00:00/01:00:00:00:00:00", "unicast")


def test_an_access_port_copies_what_has_no_tag() -> None:
    """But what is for the promiscuous vNIC itself, and what has a tag."""
    objects = [*bridge("a", "p"), vlan("a", 10), vlan("p", 10)]
    assert told(objects, "p") == [
        "a: tagged -> pass",
        f"a: {MAC['p']} -> pass",
        "a: unicast -> p pass",
    ]


def test_an_uplink_takes_the_tag_off_for_the_copy() -> None:
    """And puts it on again: the frame goes on its way as it came."""
    objects = [*bridge("up", "p"), vlan("up", 10, tagged=True), vlan("p", 10)]
    assert told(objects, "p")[-1] == "up: tagged unicast 10 -> pop p push pass"


def test_a_promiscuous_trunk_gets_tags() -> None:
    """As everything that it gets of a VLAN with a tag."""
    objects = [*bridge("a", "up", "p"), vlan("a", 10), vlan("up", 10, tagged=True)]
    objects.append(vlan("p", 10, tagged=True))
    assert told(objects, "p")[2::2] == [
        "a: unicast -> push p pop pass",
        "up: tagged unicast 10 -> p pass",
    ]


def test_a_port_of_another_vlan_copies_nothing() -> None:
    """Not even what it may not send."""
    assert told([*bridge("a", "p"), vlan("a", 20), vlan("p", 10)], "p") == []


def test_two_promiscuous_ports_see_what_is_for_the_other() -> None:
    """And each what comes from the other."""
    objects = [*bridge("a", "p", "q", filtering=False)]
    assert told(objects, "p", "q") == [
        f"a: {MAC['q']} -> p pass",
        f"a: {MAC['p']} -> q pass",
        "a: unicast -> p q pass",
        f"p: {MAC['q']} -> pass",
        "p: unicast -> q pass",
        f"q: {MAC['p']} -> pass",
        "q: unicast -> p pass",
    ]


def test_the_filters_of_others_stay_when_a_promiscuous_port_comes() -> None:
    """They keep their priorities, and what they match; what they do may gain a copy."""
    objects = [*bridge("a", "up", "p", "q"), vlan("a", 10), vlan("p", 10), vlan("q", 10)]
    objects += [vlan("up", vid, tagged=True) for vid in (10, 20)]
    one, two = ({it.id: it.matches for it in filters(objects, *some)} for some in ("p", "pq"))
    assert one.items() <= {key: it for key, it in two.items() if key in one}.items()
    assert one.keys() < two.keys()


def test_priorities_that_meet_give_way() -> None:
    """Two MACs whose filters would stand at the same place get one each."""
    macs = {port("p"): "02:00:00:00:00:42", port("q"): "02:00:00:00:00:e2"}
    made = mirrors(bridge("a", "p", "q", filtering=False), macs)
    at_a = [it.priority for it in made if isinstance(it, Filter) and it.link == "a"]
    assert at_a[1] == at_a[0] + 1


def test_its_own_mac_is_a_static_entry() -> None:
    """In each of its VLANs."""
    objects = [*bridge("p"), vlan("p", 10), vlan("p", 20, tagged=True)]
    made = list(mirrors(objects, {port("p"): MAC["p"]}))
    assert made == [
        FdbEntry(netns="hv1", link="p", mac=MAC["p"], vlan=10),
        FdbEntry(netns="hv1", link="p", mac=MAC["p"], vlan=20),
    ]
