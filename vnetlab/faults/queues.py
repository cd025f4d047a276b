"""Faults of queues and filters: cables that lose, delay or damage, rates, policers (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from vnetlab.faults.fault import LARGE, Fault, Flow, Place, link_places
from vnetlab.state.edit import put, take
from vnetlab.state.filters import CLSACT_HANDLE, CLSACT_PARENT, ETH_P_ALL, INGRESS, Filter, action
from vnetlab.state.objects import LinkId, Qdisc, Role, State
from vnetlab.state.shaping import shape
from vnetlab.topology.cables import Shaping

_MANY = 40
"""Packets of a probe that shows a share of them lost: with 30 % all come through once in 10^6."""

_ENDS = {
    "vnic": (Role.VSWITCH_PORT, "vNIC"),
    "pnic": (Role.PNIC, "pNIC"),
    "host-nic": (Role.HOST_NIC, "NIC of a bare-metal host"),
    "switch-link": (Role.PHYSICAL_PORT, "port of a physical switch"),
}
_FAR = {"vnic": Role.VNIC, "switch-link": Role.PHYSICAL_PORT}
"""What is at the other end of the cable, where that tells which cables are meant."""
_AREAS = {"vnic": "vnic", "pnic": "pnic", "host-nic": "pnic", "switch-link": "switch"}

_LOSS = Shaping(loss_ppm=300_000)
_HARMS: dict[str, tuple[str, str, Shaping, Flow]] = {
    "loss": ("loss", "loses 30 % of its packets", _LOSS, Flow(count=_MANY)),
    "delay": ("delay", "delays packets by 50 ms", Shaping(delay_ns=50_000_000), Flow(count=5)),
    "corruption": (
        "corruption",
        "damages 50 % of its packets",
        Shaping(corruption_ppm=500_000),
        Flow(count=_MANY),
    ),
    "duplication": (
        "duplication",
        "sends 50 % of its packets twice",
        Shaping(duplication_ppm=500_000),
        Flow(count=_MANY),
    ),
}


def queue_faults() -> Iterator[Fault]:
    """What a cable does to packets, and what a rate does."""
    for name, (role, words) in _ENDS.items():
        places = _cabled(role, _FAR[name]) if name in _FAR else link_places(role)
        area = _AREAS[name]
        for kind, (reason, does, shaping, flow) in _HARMS.items():
            yield Fault(
                kind=f"{name}-{kind}",
                code=f"{area}.{reason}",
                title=f"a {words} {does}",
                places=places,
                change=_shaped(shaping),
                flow=flow,
                harms=True,
            )
        yield Fault(
            kind=f"{name}-all-lost",
            code=f"{area}.loss",
            title=f"a {words} loses every packet",
            places=places,
            change=_shaped(Shaping(loss_ppm=1_000_000)),
        )
        yield Fault(
            kind=f"{name}-small-bucket",
            code=f"{area}.queue-limit",
            title=f"a {words} has a token bucket smaller than a full packet",
            places=places,
            change=_shaped(Shaping(rate_bit_s=10_000_000, burst_bytes=600, queue_bytes=100_000)),
            flow=Flow(size=LARGE),
        )


def filter_faults() -> Iterator[Fault]:
    """Filters of traffic control that nobody wanted."""
    for name, area, roles, words in (
        ("vnic", "hypervisor", (Role.VSWITCH_PORT,), "vSwitch port of a vNIC"),
        ("pnic", "hypervisor", (Role.PNIC,), "pNIC"),
        ("switch-port", "switch", (Role.PHYSICAL_PORT,), "port of a physical switch"),
        ("router", "router", (Role.ROUTER_PORT,), "router's port"),
    ):
        yield Fault(
            kind=f"{name}-filter",
            code=f"{area}.filter-drop",
            title=f"a filter on a {words} drops what comes in",
            places=link_places(*roles),
            change=_filtered,
        )


def _cabled(role: Role, far: Role) -> Callable[[State], Iterator[Place]]:
    """Links of a role whose cable leads to one of another."""

    def places(state: State) -> Iterator[Place]:
        roles = {link.id: link.role for link in state.links}
        peers = {link.id: link.peer for link in state.links}
        for place in link_places(role)(state):
            peer = peers[LinkId(netns=place.netns, name=place.link or "")]
            if peer is not None and roles.get(peer) is far:
                yield place

    return places


def _shaped(shaping: Shaping) -> Callable[[State, Place], State]:
    def change(state: State, place: Place) -> State:
        link = LinkId(netns=place.netns, name=place.link or "")
        old = [q for q in state.qdiscs if (q.netns, q.link) == (link.netns, link.name)]
        queues = [q for q in old if q.kind in ("netem", "tbf")]
        return put(take(state, *queues), *shape(link, shaping))

    return change


def _filtered(state: State, place: Place) -> State:
    link = place.link or ""
    clsact = Qdisc(
        netns=place.netns,
        link=link,
        handle=CLSACT_HANDLE,
        parent=CLSACT_PARENT,
        kind="clsact",
        options=(),
    )
    drop = Filter(
        netns=place.netns,
        link=link,
        parent=INGRESS,
        priority=1,
        protocol=ETH_P_ALL,
        kind="flower",
        matches=(),
        actions=(action("gact", then="drop"),),
    )
    present = [f for f in state.filters if (f.netns, f.link) == (place.netns, link)]
    moved = [replace(f, priority=f.priority + 1) for f in present if f.parent == INGRESS]
    return put(take(state, *(f for f in present if f.parent == INGRESS)), clsact, drop, *moved)
