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
    """The filters in short: port, priority, matches, and what is done."""
    made = mirrors(objects, {port(name): MAC[name] for name in promiscuous})
    return [_told(item) for item in made if isinstance(item, Filter)]


def _told(item: Filter) -> str:
    words = [f"{item.link} {item.priority}:"]
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
        "a 10: tagged -> pass",
        f"a 11: {MAC['p']} -> pass",
        "a 12: unicast -> p pass",
    ]


def test_an_uplink_takes_the_tag_off_for_the_copy() -> None:
    """And puts it on again: the frame goes on its way as it came."""
    objects = [*bridge("up", "p"), vlan("up", 10, tagged=True), vlan("p", 10)]
    assert told(objects, "p")[-1] == "up 11: tagged unicast 10 -> pop p push pass"


def test_a_promiscuous_trunk_gets_tags() -> None:
    """As everything that it gets of a VLAN with a tag."""
    objects = [*bridge("a", "up", "p"), vlan("a", 10), vlan("up", 10, tagged=True)]
    objects.append(vlan("p", 10, tagged=True))
    assert told(objects, "p")[2::2] == [
        "a 12: unicast -> push p pop pass",
        "up 11: tagged unicast 10 -> p pass",
    ]


def test_a_port_of_another_vlan_copies_nothing() -> None:
    """Not even what it may not send."""
    assert told([*bridge("a", "p"), vlan("a", 20), vlan("p", 10)], "p") == []


def test_two_promiscuous_ports_see_what_is_for_the_other() -> None:
    """And each what comes from the other."""
    objects = [*bridge("a", "p", "q", filtering=False)]
    assert told(objects, "p", "q") == [
        f"a 10: {MAC['p']} -> q pass",
        f"a 11: {MAC['q']} -> p pass",
        "a 12: unicast -> p q pass",
        f"p 10: {MAC['q']} -> pass",
        "p 11: unicast -> q pass",
        f"q 10: {MAC['p']} -> pass",
        "q 11: unicast -> p pass",
    ]


def test_its_own_mac_is_a_static_entry() -> None:
    """In each of its VLANs."""
    objects = [*bridge("p"), vlan("p", 10), vlan("p", 20, tagged=True)]
    made = list(mirrors(objects, {port("p"): MAC["p"]}))
    assert made == [
        FdbEntry(netns="hv1", link="p", mac=MAC["p"], vlan=10),
        FdbEntry(netns="hv1", link="p", mac=MAC["p"], vlan=20),
    ]
