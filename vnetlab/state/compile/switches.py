"""Physical switches and the links between them (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vnetlab.state.compile.bonds import enslave, make_bond, tree_port
from vnetlab.state.compile.parts import SWITCH_BRIDGE, Context, cable, node, trunk_vlans
from vnetlab.state.objects import Link, Object, Role
from vnetlab.state.switching import BridgeSettings
from vnetlab.topology.switching import PhysicalSwitch, Stp, SwitchLink


def compile_physical_switch(context: Context, switch: PhysicalSwitch) -> Iterator[Object]:
    """A physical switch and its links: its other ports come with what is plugged into them."""
    yield from node(switch.name, Role.PHYSICAL_SWITCH)
    bridge = context.bridge(switch.name, SWITCH_BRIDGE, Role.PHYSICAL_SWITCH, label=switch.name)
    yield replace(bridge, bridge=_bridge_settings(switch.stp)) if switch.stp else bridge
    for link in switch.links:
        yield from _link(context, switch.name, link)


def _bridge_settings(stp: Stp) -> BridgeSettings:
    return BridgeSettings(
        stp=True,
        priority=stp.priority,
        hello_time_cs=stp.hello_time_cs,
        max_age_cs=stp.max_age_cs,
        forward_delay_cs=stp.forward_delay_cs,
    )


def _link(context: Context, switch: str, link: SwitchLink) -> Iterator[Object]:
    """A trunk port at either end, which carry the same VLANs; of several cables a LAG."""
    here, there = (switch, f"{link.to}.{link.number}"), (link.to, f"{switch}.{link.number}")
    if link.lag is None:
        near, far = (_tree_port(context.switch_port(*end), link) for end in (here, there))
        yield from cable(near, far, link.cable)
    else:
        near, far = (_tree_port(_lag(context, end, link), link) for end in (here, there))
        yield from (near, far)
        for number in range(1, link.members + 1):
            one, other = (
                enslave(context.switch_port(netns, f"{name}.{number}"), lag)
                for lag, (netns, name) in ((near, here), (far, there))
            )
            yield from cable(one, other, link.cable)
    yield from trunk_vlans(near, link.vlans, native=link.native)
    yield from trunk_vlans(far, link.vlans, native=link.peer_native)


def _lag(context: Context, end: tuple[str, str], link: SwitchLink) -> Link:
    made = make_bond(context, *end, Role.LAG, mode=str(link.lag), mtu=link.cable.mtu)
    return replace(made, master=SWITCH_BRIDGE)


def _tree_port(port: Link, link: SwitchLink) -> Link:
    return tree_port(port, cost=link.cost, priority=link.priority)
