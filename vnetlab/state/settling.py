"""What a lab's switches find out by themselves before frames pass, and how long that takes (pure).

A spanning tree lets a port forward after twice its forward delay; what it learned from a switch
that is gone is believed for its maximal age before that. LACP with short timeouts needs a few
seconds (IEEE 802.1AX-2020, 6.4.4), and every bond looks for carriers ten times a second.
"""

from __future__ import annotations

from vnetlab.state.objects import LinkId, State
from vnetlab.state.switching import Activity, BondMode

CARRIER_S = 2
"""How long it may take until the kernel has told all of a carrier: net/core/link_watch.c looks once
a second. Until then what is sent through the link is dropped."""

_LACP_S = 10
_SLACK_S = 5


def settling_time_s(state: State) -> float:
    """How long everything of the state may take to settle."""
    trees = [link.bridge for link in state.links if link.bridge.stp]
    tree_cs = max(((t.max_age_cs or 0) + 2 * (t.forward_delay_cs or 0) for t in trees), default=0)
    modes = {link.bond.mode for link in state.links if link.bond}
    needed = max(tree_cs / 100, _LACP_S if BondMode.LACP in modes else 0)
    return needed + _SLACK_S if needed or modes else CARRIER_S


def unsettled_links(state: State) -> tuple[LinkId, ...]:
    """The links, ports and bonds that are yet to know what they are to do."""
    return tuple(link.id for link in state.links if link.activity is Activity.SETTLING)
