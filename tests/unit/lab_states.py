"""Hypothesis strategies: topologies of a few nodes, and what somebody may do to a lab by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_interface
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.model_kernel import INGRESS, ModelKernel, RefusedError
from vnetlab.state.compile import compile_topology
from vnetlab.state.hooks import UNICAST, clsact, mirror_to, on_ingress
from vnetlab.state.nftables import NftHook, NftTable
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    LinkId,
    Namespace,
    Qdisc,
    State,
    Sysctl,
    everything,
)
from vnetlab.state.overlays import FdbEntry
from vnetlab.state.shaping import ROOT
from vnetlab.topology.load import load
from vnetlab.topology.topology import Topology

_NAMES = ("n1", "n2", "n3", "n4", "n5")
_PLACES = (
    (ROOT, 0x1_0000),
    (ROOT, 0x9_0000),
    (INGRESS, 0xFFFF_0000),
    (0x1_0001, 0x5_0000),
    (0x2_0001, 0x6_0000),
    (0x6_0001, 0x7_0000),
)
"""Parents and handles of somebody's qdiscs: a chain of them, and the ends of one."""

_OVERLAY = "10.3.0.0/24"
_RUNNING = st.fixed_dictionaries(
    {},
    optional={
        "run": st.sampled_from((["sleep 1000"], ["sleep 1000", {"name": "b", "command": "true"}])),
        "limits": st.sampled_from(({"cpu": 0.5}, {"cpu": 2, "memory": "256mb"})),
    },
)
"""Services and limits of a VM."""

_PREFIXES = {"a": ("10.1.0.0/24", "fd01::/64"), "b": ("10.2.0.0/24", "fd02::/64")}


_SECURITY_GROUPS = {
    "web": {"ingress": ["tcp/80,443 from a", "icmp"]},
    "db": {"ingress": ["tcp/5432-5433 from 10.0.0.0/8"], "egress": []},
}
_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "acl": st.sampled_from((["deny tcp/22 to a"], ["reject any from a", "icmp"])),
        "acl_default": st.just("deny"),
        "nat": st.sampled_from(
            ({"masquerade": "a"}, {"forward": [{"network": "a", "port": 80, "to": "10.1.0.9"}]})
        ),
    },
)

_PORT_GROUPS: dict[str, dict[str, object]] = {
    "guarded": {"security": {"forged_transmits": "reject"}, "security_groups": ["web"]},
    "private": {"isolated": True, "security": {"mac_changes": "reject"}},
    "limited": {
        "shaping": {"average": "10mbit", "peak": "20mbit", "to_vm": {"burst": "20kb"}},
        "storm_limit": {"multicast": "1mbit"},
        "isolated": True,
    },
    "taps": {"security": {"promiscuous": "accept"}, "storm_limit": {"broadcast": "1mbit"}},
}


def desired_states() -> st.SearchStrategy[State]:
    """What a small topology compiles to."""
    return topologies().map(compile_topology)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """A small topology: VLANs or none, some vSwitches, some shaping, a router."""
    vlans = draw(st.lists(st.sampled_from((1, 10, 20)), unique=True, max_size=2))
    networks = {"a": _network(draw, "a")}
    if vlans:
        networks = {n: {"vlan": v} | _network(draw, n) for n, v in zip("ab", vlans, strict=False)}
    kind = st.sampled_from(("vm", "hypervisor", "router", "host", ""))
    kinds = {name: draw(kind) for name in _NAMES}
    chosen = {kind: [n for n in _NAMES if kinds[n] == kind] for kind in kinds.values()}
    hypervisors = {name: _hypervisor(draw) for name in ["hv0", *chosen.get("hypervisor", [])]}
    if draw(st.booleans()) and vlans:
        networks["o"] = {"vxlan": draw(st.sampled_from((7, 8))), "underlay": "a", "ipv4": _OVERLAY}
        for hypervisor in hypervisors.values():
            hypervisor["nics"] = [{"network": "a", "vswitch": "vs0"}]
    groups = _PORT_GROUPS | ({"tags": {"trunk": "all"}} if vlans else {})
    vms = {}
    for name in chosen.get("vm", []):
        on = draw(st.sampled_from(sorted(hypervisors)))
        nic = st.fixed_dictionaries(
            {
                "network": st.sampled_from(sorted(networks)),
                "vswitch": st.sampled_from(sorted(hypervisors[on]["vswitches"])),
                "security_groups": st.sampled_from(([], ["web"], ["web", "db"])),
            },
            optional={"port_group": st.sampled_from(sorted(groups))},
        )
        nics = draw(st.lists(nic, max_size=2))
        on_one = [it | {"vswitch": "vs0"} if it["network"] == "o" else it for it in nics]
        vms[name] = {"on": on, "nics": on_one} | draw(_RUNNING)
    routers = {
        name: draw(_POLICIES) | _router(draw, sorted(networks))
        for name in chosen.get("router", [])[:1]
    }
    tagged = sorted(networks.keys() - {"o"}) if vlans else []
    file = {
        "networks": networks,
        "hosts": {name: _host(draw, tagged) for name in chosen.get("host", [])[:1]},
        "physical_switches": {"tor": {}},
        "hypervisors": hypervisors,
        "vms": vms,
        "routers": routers,
        "security_groups": _SECURITY_GROUPS,
        "port_groups": groups,
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lab.yaml"
        path.write_text(json.dumps(file))
        return load(path)


def _router(draw: st.DrawFn, networks: list[str]) -> dict[str, object]:
    """On the physical switch or a hypervisor, with a VRF or none."""
    place: dict[str, object] = draw(st.sampled_from(({}, {"on": "hv0", "vswitch": "vs0"})))
    reached = [name for name in networks if name != "o" or place]
    vrfs = draw(st.sampled_from(({}, {"red": {}}, {"red": {"table": 9}})))
    inside = [{"vrf": "red"} if vrfs and draw(st.booleans()) else {} for _ in reached]
    attached = [{"network": name} | vrf for name, vrf in zip(reached, inside, strict=True)]
    return place | {"networks": attached, "vrfs": vrfs}


def _host(draw: st.DrawFn, taggable: list[str]) -> dict[str, object]:
    """On the physical switch, with a network or two, tagged or not, and routes."""
    nic: dict[str, object] = {"network": "a"}
    others = [name for name in taggable if name != "a"]
    if draw(st.booleans()) and others:
        nic["tagged"] = others
    routes = draw(st.sampled_from(([], ["default via 10.1.0.9"], ["blackhole 192.0.2.0/24"])))
    sysctls = draw(st.sampled_from(({}, {"net.ipv4.icmp_ratemask": 9})))
    return {"nics": [nic], "routes": routes, "sysctls": sysctls}


def _network(draw: st.DrawFn, name: str) -> dict[str, object]:
    ipv4, ipv6 = _PREFIXES[name]
    found: dict[str, object] = {"mtu": draw(st.sampled_from((1400, 1500, 9000))), "ipv4": ipv4}
    return found | ({"ipv6": ipv6} if draw(st.booleans()) else {})


def _hypervisor(draw: st.DrawFn) -> dict[str, Any]:
    shaping = st.fixed_dictionaries(
        {},
        optional={
            "rate": st.sampled_from(("1gbit", "1mbit")),
            "delay": st.just("1ms"),
            "mtu": st.sampled_from((1000, 1400, 9000)),
            "out": st.sampled_from(({"loss": "1%"}, {"rate": "1mbit", "queue": "20kb"})),
            "in": st.sampled_from(({"delay": 0, "rate": "2mbit"}, {"corruption": "100%"})),
        },
    )
    pnics = {name: draw(shaping) for name in ("eno1", "eno2")[: draw(st.integers(1, 2))]}
    vswitches: dict[str, dict[str, object]] = {
        f"vs{i}": {"pnics": [name]} for i, name in enumerate(pnics)
    }
    if len(pnics) > 1 and draw(st.booleans()):
        mode = draw(st.sampled_from(("active-backup", "802.3ad", "balance-xor")))
        pnics = {name: pnic | {"mtu": 1400} for name, pnic in pnics.items()}
        vswitches = {"vs0": {"teaming": mode}}
    return {"pnics": dict(pnics), "vswitches": dict(vswitches)}


@st.composite
def drifted(draw: st.DrawFn, states: st.SearchStrategy[State]) -> State:
    """One of the states after somebody's work on it by hand."""
    kernel = ModelKernel(draw(states))
    for _ in range(draw(st.integers(0, 4))):
        with suppress(RefusedError):
            draw(st.sampled_from(_DEEDS))(draw, kernel)
    return kernel.state


Deed = Callable[[st.DrawFn, ModelKernel], None]


def _any_link(draw: st.DrawFn, kernel: ModelKernel) -> Link:
    return draw(st.sampled_from(sorted(kernel.state.links, key=lambda link: link.id)))


def _remove_something(draw: st.DrawFn, kernel: ModelKernel) -> None:
    kernel.remove(draw(st.sampled_from(sorted(everything(kernel.state), key=str))))
    kernel.let_die()


def _set_link(draw: st.DrawFn, kernel: ModelKernel) -> None:
    link = _any_link(draw, kernel)
    bridges = [
        b.name for b in kernel.state.links if b.netns == link.netns and b.kind is Kind.BRIDGE
    ]
    settings: list[dict[str, object]] = [
        {"up": not link.up},
        {"mtu": draw(st.sampled_from((1000, 1400, 1500, 9000)))},
        {"mac": "02:00:00:00:00:99"},
        {"role": None, "label": "mine"},
        {"vlan_filtering": not link.vlan_filtering},
        {"master": None},
    ]
    if link.kind is Kind.VETH:
        settings += [{"master": name} for name in sorted(bridges)]
    kernel.configure(replace(link, **draw(st.sampled_from(settings))))


def _edit_rules(draw: st.DrawFn, kernel: ModelKernel) -> None:
    """A chain with a rule less, another hook, or a foreign table beside it."""
    chains = sorted(kernel.state.nft_chains, key=lambda chain: chain.id)
    if not chains:
        return
    chain = draw(st.sampled_from(chains))
    edits: list[dict[str, object]] = [
        {"rules": chain.rules[1:]},
        {"accepts": not chain.accepts},
        {"hook": NftHook(kind="filter", point="input", priority=5)},
        {"name": "mine", "rules": ()},
    ]
    kernel.make(replace(chain, **draw(st.sampled_from(edits))))
    if draw(st.booleans()):
        kernel.make(NftTable(netns=chain.netns, family="ip", name="mine"))


def _add_pair(draw: st.DrawFn, kernel: ModelKernel) -> None:
    """A veth pair of somebody's own, perhaps in the place of a link that he removed."""
    nodes = sorted(node.name for node in kernel.state.namespaces)
    ids = [
        LinkId(
            netns=draw(st.sampled_from(nodes)), name=draw(st.sampled_from(("eth0", "eno1", name)))
        )
        for name in ("left", "right")
    ]
    if not {link.id for link in kernel.state.links} & set(ids):
        kernel.make(_foreign_link(ids[0], Kind.VETH, peer=ids[1]))
        kernel.make(_foreign_link(ids[1], Kind.VETH, peer=ids[0]))


def _replace_by_foreign_kind(draw: st.DrawFn, kernel: ModelKernel) -> None:
    link = _any_link(draw, kernel)
    kernel.remove(link)
    kernel.make(_foreign_link(link.id, None))


def _foreign_link(where: LinkId, kind: Kind | None, *, peer: LinkId | None = None) -> Link:
    return Link(
        netns=where.netns,
        name=where.name,
        kind=kind,
        role=None,
        label="",
        mac="02:00:00:00:00:98",
        mtu=1500,
        peer=peer,
    )


def _add_vlan(draw: st.DrawFn, kernel: ModelKernel) -> None:
    link = _any_link(draw, kernel)
    pvid, vid = draw(st.booleans()), draw(st.sampled_from((1, 10, 30)))
    kernel.make(
        BridgeVlan(
            netns=link.netns, link=link.name, vid=vid, pvid=pvid, untagged=draw(st.booleans())
        )
    )


def _add_entry(draw: st.DrawFn, kernel: ModelKernel) -> None:
    """A static entry of a bridge, or a VTEP's for somebody who is not there."""
    link = _any_link(draw, kernel)
    remote = ip_address("192.0.2.9") if link.vxlan is not None and draw(st.booleans()) else None
    mac = "02:00:00:00:00:97"
    kernel.make(FdbEntry(netns=link.netns, link=link.name, mac=mac, remote=remote))


def _add_address(draw: st.DrawFn, kernel: ModelKernel) -> None:
    link = _any_link(draw, kernel)
    text = draw(st.sampled_from(("10.1.0.250/24", "192.0.2.1/24", "fd01::250/64")))
    kernel.make(Address(netns=link.netns, link=link.name, interface=ip_interface(text)))


def _add_qdisc(draw: st.DrawFn, kernel: ModelKernel) -> None:
    """At the root, in place of what was there, or below it, or for what comes in."""
    link = _any_link(draw, kernel)
    parent, handle = draw(st.sampled_from(_PLACES))
    qdisc = Qdisc(
        netns=link.netns, link=link.name, kind="other", handle=handle, parent=parent, options=()
    )
    for present in kernel.state.qdiscs:
        if present.id == qdisc.id:
            kernel.remove(present)
    kernel.make(qdisc)


def _add_filter(draw: st.DrawFn, kernel: ModelKernel) -> None:
    """Hooks, with a filter that may send copies to another link of the node."""
    link = _any_link(draw, kernel)
    others = sorted(other.name for other in kernel.state.links if other.netns == link.netns)
    kernel.make(clsact(link.id))
    mirror = mirror_to(draw(st.sampled_from(others)), then="pass")
    kernel.make(on_ingress(link.id, draw(st.sampled_from((1, 2))), mirror, destination=UNICAST))


def _set_something_else(draw: st.DrawFn, kernel: ModelKernel) -> None:
    node = draw(st.sampled_from(sorted(kernel.state.namespaces, key=str)))
    settings = [s for s in kernel.state.sysctls if s.netns == node.name]
    changed: list[Namespace | Sysctl] = [
        replace(node, lo_up=False),
        replace(node, role=None),
        *(replace(setting, value="9") for setting in sorted(settings, key=str)),
    ]
    kernel.make(draw(st.sampled_from(changed)))


_DEEDS: tuple[Deed, ...] = (
    _remove_something,
    _set_link,
    _add_pair,
    _replace_by_foreign_kind,
    _add_vlan,
    _add_entry,
    _add_address,
    _add_qdisc,
    _add_filter,
    _edit_rules,
    _set_something_else,
)
