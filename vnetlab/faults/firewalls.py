"""Faults of nftables: rules that nobody wanted (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from vnetlab.faults.fault import Fault, Flow, Place, link_places, node_places
from vnetlab.state.edit import put
from vnetlab.state.nft_rules import counter, field, link_name, meta, reject, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftRule, NftTable
from vnetlab.state.objects import Role, State
from vnetlab.trace.request import Protocol

_TABLE = "maintenance"
_BEFORE_ALL = -10
_PRIORITIES = {("nat", "prerouting"): -110}
"""Before those of the topology."""
_UNREACHABLE, _PORT_UNREACHABLE = 0, 3
_UDP, _TCP = b"\x11", b"\6"
_ECHO_PORT = (7).to_bytes(2)


def firewall_faults() -> Iterator[Fault]:
    """Rules and policies of guests, routers, hypervisors and switches."""
    guests = node_places(Role.VM, Role.HOST)
    routers = node_places(Role.ROUTER)
    drop = (rule("", counter(), verdict("drop")),)
    refuse = (rule("", counter(), reject(_UNREACHABLE, _PORT_UNREACHABLE)),)
    for area, places, points in (
        ("guest", guests, ("input", "output")),
        ("router", routers, ("forward",)),
    ):
        for point in points:
            yield Fault(
                kind=f"{area}-{point}-drop",
                code=f"{area}.firewall-drop",
                title=f"a rule of a {area} drops everything in the hook {point}",
                places=places,
                change=chained("inet", point, drop),
            )
            yield Fault(
                kind=f"{area}-{point}-policy",
                code=f"{area}.firewall-policy",
                title=f"a chain of a {area} in the hook {point} has the policy drop and no rule",
                places=places,
                change=chained("inet", point, (), accepts=False),
            )
        yield Fault(
            kind=f"{area}-reject",
            code=f"{area}.firewall-reject",
            title=f"a rule of a {area} rejects everything",
            places=places,
            change=chained("inet", points[0], refuse),
            flow=Flow(version=4),
        )
        for protocol, number in ((Protocol.UDP, _UDP), (Protocol.TCP, _TCP)):
            ports = meta("l4proto", number), field("th dport", [_ECHO_PORT])
            yield Fault(
                kind=f"{area}-{protocol.value}-port-drop",
                code=f"{area}.firewall-drop",
                title=f"a rule of a {area} drops {protocol.value} to one port",
                places=places,
                change=chained("inet", points[0], (rule("", *ports, counter(), verdict("drop")),)),
                flow=Flow(protocol=protocol),
            )
    for area, role in (("hypervisor", Role.HYPERVISOR), ("switch", Role.PHYSICAL_SWITCH)):
        yield Fault(
            kind=f"{area}-bridge-drop",
            code=f"{area}.firewall-drop",
            title=f"a rule in the bridge family of a {area} drops everything",
            places=node_places(role),
            change=chained("bridge", "forward", drop),
        )
    yield Fault(
        kind="vnic-rule-drop",
        code="hypervisor.firewall-drop",
        title="a rule of a hypervisor drops what a vNIC sends",
        places=_ports_of_vnics,
        change=_dropped_at_port,
    )


def _ports_of_vnics(state: State) -> Iterator[Place]:
    """Ports of vNICs; the rule is their hypervisor's."""
    for place in link_places(Role.VSWITCH_PORT)(state):
        yield replace(place, object=place.netns)


def chained(
    family: str,
    point: str,
    rules: tuple[NftRule, ...],
    *,
    kind: str = "filter",
    accepts: bool = True,
) -> Callable[[State, Place], State]:
    """Return a change that puts a base chain with `rules` before all others of the place's node."""

    def change(state: State, place: Place) -> State:
        return put(
            state,
            NftTable(netns=place.netns, family=family, name=_TABLE),
            _chain(place.netns, family, point, rules, kind, accepts=accepts),
        )

    return change


def _chain(
    netns: str, family: str, point: str, rules: tuple[NftRule, ...], kind: str, *, accepts: bool
) -> NftChain:
    return NftChain(
        netns=netns,
        family=family,
        table=_TABLE,
        name=point,
        rules=rules,
        hook=NftHook(kind=kind, point=point, priority=_PRIORITIES.get((kind, point), _BEFORE_ALL)),
        accepts=accepts,
    )


def _dropped_at_port(state: State, place: Place) -> State:
    only = rule("", link_name("iifname", place.link or ""), counter(), verdict("drop"))
    return chained("bridge", "forward", (only,))(state, place)
