"""Faults of links: vNICs, pNICs, ports, switches as a whole (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from vnetlab.faults.fault import (
    LARGE,
    Fault,
    Flow,
    Place,
    find_link,
    link_places,
    place_of,
    port_setting,
    ports,
    setting,
)
from vnetlab.state.edit import put, take
from vnetlab.state.objects import BridgeVlan, Kind, Link, LinkId, Role, State
from vnetlab.state.switching import BridgePort, PortState

_SMALL_MTU = 1000
_OTHER_VLAN = 3999

_LINKS = {
    "vnic": ("vnic", Role.VNIC, "vNIC"),
    "vswitch-port": ("vswitch", Role.VSWITCH_PORT, "vSwitch port of a vNIC"),
    "pnic": ("pnic", Role.PNIC, "pNIC"),
    "team": ("pnic", Role.TEAM, "team of pNICs"),
    "switch-port": ("switch", Role.PHYSICAL_PORT, "port of a physical switch"),
    "lag": ("switch", Role.LAG, "LAG of a physical switch"),
    "router-port": ("router", Role.ROUTER_PORT, "router's port"),
    "router-interface": ("router", Role.ROUTER_INTERFACE, "router's interface"),
    "host-nic": ("pnic", Role.HOST_NIC, "NIC of a bare-metal host"),
    "vlan-interface": ("guest", Role.VLAN_INTERFACE, "guest's VLAN interface"),
    "hypervisor-nic": ("hypervisor", Role.HYPERVISOR_NIC, "hypervisor's own NIC"),
    "vtep": ("hypervisor", Role.VTEP, "VTEP"),
}
_WITH_MTU = ("vnic", "pnic", "switch-port", "router-interface", "host-nic", "hypervisor-nic")


def link_faults() -> Iterator[Fault]:
    """Links that are down, too narrow, unplugged."""
    for name, (area, role, words) in _LINKS.items():
        yield Fault(
            kind=f"{name}-down",
            code=f"{area}.link-down",
            title=f"a {words} is set down",
            places=link_places(role),
            change=setting(up=False),
        )
    for name in _WITH_MTU:
        area, role, words = _LINKS[name]
        yield Fault(
            kind=f"{name}-mtu",
            code=f"{area}.{_narrow(area)}",
            title=f"a {words} has an MTU of {_SMALL_MTU} bytes",
            places=link_places(role),
            change=setting(mtu=_SMALL_MTU),
            flow=Flow(size=LARGE),
        )
    for area, role in (("vswitch", Role.HYPERVISOR), ("switch", Role.PHYSICAL_SWITCH)):
        yield from _bridge_faults(area, role)
    yield Fault(
        kind="vnic-duplicate-mac",
        code="vnic.duplicate-mac",
        title="a vNIC gets the MAC address of another one in its network",
        places=_vnics_with_neighbours,
        change=_copy_mac,
    )


def _narrow(area: str) -> str:
    """Where a link is too narrow for a packet: a router tells its sender so (RFC 1191)."""
    return "packet-too-big" if area == "router" else "mtu-too-small"


def _bridge_faults(area: str, role: Role) -> Iterator[Fault]:
    words = "vSwitch" if area == "vswitch" else "physical switch"

    def at_ports(state: State) -> Iterator[Place]:
        return (place_of(port) for port in ports(state, role))

    def bridges(state: State) -> Iterator[Place]:
        names = {node.name for node in state.namespaces if node.role is role}
        found = [x for x in state.links if x.kind is Kind.BRIDGE and x.netns in names]
        return (place_of(x) for x in sorted(found, key=lambda x: x.id))

    def fault(kind: str, reason: str, title: str, change: _Change, places: _Places) -> Fault:
        return Fault(
            kind=f"{area}-{kind}",
            code=f"{area}.{reason}",
            title=title,
            places=places,
            change=change,
        )

    yield fault("down", "bridge-down", f"a {words} is set down", setting(up=False), bridges)
    yield fault(
        "port-unplugged",
        "not-in-bridge",
        f"a port is taken out of its {words}",
        _unplug,
        at_ports,
    )
    yield fault(
        "port-disabled",
        "port-disabled",
        f"a port of a {words} is disabled",
        port_setting(state=PortState.DISABLED),
        _without_stp(at_ports),
    )
    yield fault(
        "vlan-removed",
        "vlan-not-allowed",
        f"a VLAN is taken from a port of a {words}",
        lambda state, place: take(state, _vlan(place)),
        _vlans_of(role, untagged=None),
    )
    yield fault(
        "wrong-pvid",
        "wrong-pvid",
        f"an access port of a {words} is put into another VLAN",
        _other_access_vlan,
        _vlans_of(role, untagged=True),
    )
    yield fault(
        "tag-left",
        "unexpected-tag",
        f"a port of a {words} sends the frames of its access VLAN with their tag",
        lambda state, place: put(state, replace(_vlan(place), untagged=False)),
        _vlans_of(role, untagged=True),
    )
    yield fault(
        "port-locked",
        "port-locked",
        f"a port of a {words} is locked for unknown senders",
        port_setting(locked=True, learning=False),
        at_ports,
    )
    yield fault(
        "broadcast-flood-off",
        "broadcast-flood-off",
        f"a port of a {words} gets no broadcasts",
        port_setting(broadcast_flood=False),
        at_ports,
    )
    yield fault(
        "isolated",
        "port-isolated",
        f"a port of a {words} is isolated, and all others, too",
        _isolate,
        at_ports,
    )


_Change = Callable[[State, Place], State]
_Places = Callable[[State], Iterator[Place]]


def _unplug(state: State, place: Place) -> State:
    link = find_link(state, place)
    vlans = [v for v in state.bridge_vlans if (v.netns, v.link) == (link.netns, link.name)]
    return take(put(state, replace(link, master=None, port=BridgePort())), *vlans)


def _without_stp(find: _Places) -> _Places:
    """Only ports of bridges that run no spanning tree: it decides on the state of its ports."""

    def places(state: State) -> Iterator[Place]:
        trees = {(link.netns, link.name) for link in state.links if link.bridge.stp}
        return (p for p in find(state) if (p.netns, find_link(state, p).master) not in trees)

    return places


def _vlans_of(role: Role, *, untagged: bool | None) -> _Places:
    """The VLANs of the ports of bridges in nodes of a role; all, or access VLANs alone."""

    def places(state: State) -> Iterator[Place]:
        for port in ports(state, role):
            for vlan in sorted(state.bridge_vlans, key=lambda v: v.vid):
                if (vlan.netns, vlan.link) == (port.netns, port.name) and untagged in (
                    None,
                    vlan.untagged and vlan.pvid,
                ):
                    yield replace(place_of(port, vlan=vlan.vid), item=vlan)

    return places


def _vlan(place: Place) -> BridgeVlan:
    assert isinstance(place.item, BridgeVlan)
    return place.item


def _other_access_vlan(state: State, place: Place) -> State:
    old = _vlan(place)
    return put(take(state, old), replace(old, vid=_OTHER_VLAN))


def _isolate(state: State, place: Place) -> State:
    own = find_link(state, place)
    members = [x for x in state.links if (x.netns, x.master) == (own.netns, own.master)]
    return put(state, *(replace(x, port=replace(x.port, isolated=True)) for x in members))


def _neighbours(state: State, link: Link) -> list[Link]:
    """Other vNICs that hold addresses of the same networks."""
    held = {(LinkId(netns=a.netns, name=a.link), a.interface.network) for a in state.addresses}
    networks = {network for holder, network in held if holder == link.id}
    near = {holder for holder, network in held if network in networks}
    found = [x for x in state.links if x.role is Role.VNIC and x.id in near and x.id != link.id]
    return sorted(found, key=lambda x: x.id)


def _vnics_with_neighbours(state: State) -> Iterator[Place]:
    for place in link_places(Role.VNIC)(state):
        if _neighbours(state, find_link(state, place)):
            yield place


def _copy_mac(state: State, place: Place) -> State:
    link = find_link(state, place)
    return put(state, replace(link, mac=_neighbours(state, link)[0].mac))
