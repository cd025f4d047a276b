"""Physical switches (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.parts import (
    SWITCH_BRIDGE,
    Context,
    node,
)
from vnetlab.state.objects import (
    Object,
    Role,
)
from vnetlab.topology.topology import (
    PhysicalSwitch,
)


def compile_physical_switch(context: Context, switch: PhysicalSwitch) -> Iterator[Object]:
    """A physical switch: its ports come with what is plugged into them."""
    yield from node(switch.name, Role.PHYSICAL_SWITCH)
    yield context.bridge(switch.name, SWITCH_BRIDGE, Role.PHYSICAL_SWITCH, label=switch.name)
