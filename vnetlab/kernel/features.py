"""EFFECT: which features this kernel has, found by using each in a scratch namespace.

Asking the kernel itself is the only sure way: a configuration file may be missing, a module may
not be loadable, a container may forbid it. The scratch namespace has no name: it and all that was
made in it end with the visit.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address
from itertools import count
from typing import Any

from vnetlab.errors import KernelRefusedError
from vnetlab.kernel import (
    limits,
    messages,
    namespaces,
    overlay_messages,
    switching_messages,
)
from vnetlab.kernel.netlink import Channel, Request
from vnetlab.kernel.nft_features import NFT_CHECKS
from vnetlab.kernel.sysctls import known
from vnetlab.state.features import Feature
from vnetlab.state.filters import Action, action
from vnetlab.state.hooks import BROADCAST, clsact, limit_to, mirror_to, on_ingress
from vnetlab.state.objects import Kind, Link
from vnetlab.state.overlays import Vxlan
from vnetlab.state.shaping import shape
from vnetlab.state.switching import Bond, BondMode
from vnetlab.topology.cables import Shaping

_SCRATCH = "scratch"

_free = count(101)
"""Link indexes in the scratch namespace, each for one link."""


def missing_features(wanted: Collection[Feature]) -> tuple[Feature, ...]:
    """Return those of `wanted` that this kernel lacks.

    Raises MissingFeatureError where no namespace can be made at all for want of permission.
    """
    with namespaces.away():
        try:
            namespaces.leave()
        except OSError:
            return tuple(wanted)
        channel = Channel()
        try:
            return tuple(feature for feature in wanted if not _has(feature, channel))
        finally:
            channel.close()


def _has(feature: Feature, channel: Channel) -> bool:
    try:
        return _CHECKS[feature](channel)
    except KernelRefusedError:
        return False


def _make(channel: Channel, *made: Any) -> bool:
    channel.change([Request(message=message, purpose="try a feature") for message in made])
    return True


def _link(name: str, kind: Kind, **settings: Any) -> Link:
    return Link(
        netns=_SCRATCH,
        name=name,
        kind=kind,
        role=None,
        label="",
        mac="02:00:00:00:00:01",
        mtu=1500,
        **settings,
    )


def _veth(channel: Channel) -> bool:
    left, right = _link("veth-a", Kind.VETH), _link("veth-b", Kind.VETH)
    home = os.open(namespaces.OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _make(channel, messages.create_veth(left, next(_free), right, next(_free), home))
    finally:
        os.close(home)


def _bridge(channel: Channel) -> bool:
    return _make(channel, messages.create_bridge(_link("bridge", Kind.BRIDGE), next(_free)))


def _vlan_filtering(channel: Channel) -> bool:
    bridge = _link("bridge-vlan", Kind.BRIDGE, vlan_filtering=True)
    return _make(channel, messages.create_bridge(bridge, next(_free)))


def _sub_interface(channel: Channel) -> bool:
    index = next(_free)
    below = messages.create_bridge(_link("below", Kind.BRIDGE), index)
    link = _link("above", Kind.VLAN, parent="below", vlan=2)
    above = messages.create_sub_interface(link, next(_free), index)
    return _make(channel, below, above)


def _vxlan(channel: Channel) -> bool:
    vxlan = Vxlan(vni=1, local=IPv4Address("127.0.0.1"), port=4789)
    link = _link("vxlan", Kind.VXLAN, vxlan=vxlan)
    return _make(channel, overlay_messages.create_vxlan(link, next(_free)))


def _vrf(channel: Channel) -> bool:
    return _make(
        channel, overlay_messages.create_vrf(_link("vrf", Kind.VRF, table=1000), next(_free))
    )


def _bond(channel: Channel) -> bool:
    link = _link("bond", Kind.BOND, bond=Bond(mode=BondMode.LACP, fast_lacp=True))
    return _make(channel, switching_messages.create_bond(link, next(_free)))


def _qdisc(name: str, shaping: Shaping) -> Callable[[Channel], bool]:
    def check(channel: Channel) -> bool:
        from vnetlab.kernel import qdisc_messages

        link, number = _link(name, Kind.BRIDGE), next(_free)
        (qdisc,) = shape(link.id, shaping)
        return _make(
            channel,
            messages.create_bridge(link, number),
            qdisc_messages.qdisc(qdisc, number),
        )

    return check


def _hook(name: str, *filters: tuple[Action, ...]) -> Callable[[Channel], bool]:
    """Whether a link can have hooks, and filters with the actions there."""

    def check(channel: Channel) -> bool:
        from vnetlab.kernel import filter_messages, qdisc_messages

        link, number = _link(name, Kind.BRIDGE), next(_free)
        made = [
            messages.create_bridge(link, number),
            qdisc_messages.qdisc(clsact(link.id), number),
        ]
        for priority, actions in enumerate(filters, start=1):
            item = on_ingress(link.id, priority, *actions, destination=BROADCAST)
            made.append(filter_messages.make_filter(item, {link.id: number}))
        return _make(channel, *made)

    return check


def _packet_socket(_: Channel) -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


_CHECKS: dict[Feature, Callable[[Channel], bool]] = {
    Feature.NETWORK_NAMESPACES: lambda _: True,
    Feature.VETH: _veth,
    Feature.BRIDGE: _bridge,
    Feature.BRIDGE_VLAN_FILTERING: _vlan_filtering,
    Feature.VLAN_8021Q: _sub_interface,
    Feature.VXLAN: _vxlan,
    Feature.VRF: _vrf,
    Feature.BOND: _bond,
    Feature.TBF: _qdisc("tbf", Shaping(rate_bit_s=1_000_000)),
    Feature.NETEM: _qdisc("netem", Shaping(delay_ns=1_000_000)),
    Feature.CLSACT: _hook("clsact"),
    Feature.FLOWER: _hook("flower", ()),
    Feature.POLICE: _hook("police", (limit_to(1_000_000),)),
    Feature.MIRRED: _hook("mirred", (mirror_to("mirred", then="pass"),)),
    Feature.VLAN_ACTION: _hook("act-vlan", (action("vlan", mode="pop", then="pipe"),)),
    Feature.GACT: _hook("gact", (action("gact", then="pass"),)),
    Feature.IPV6: lambda _: known("net/ipv6/conf/default/disable_ipv6"),
    Feature.CGROUP_CPU: lambda _: limits.has_controller(limits.CPU),
    Feature.CGROUP_MEMORY: lambda _: limits.has_controller(limits.MEMORY),
    Feature.PACKET_SOCKETS: _packet_socket,
    **NFT_CHECKS,
}
