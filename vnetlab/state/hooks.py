"""What is done to the frames that come in at single ports of a vSwitch: limits and mirrors (pure).

How it works: a filter at a port sees a frame before the bridge does. A storm limit takes the
frames of a kind and lets pass what the rate allows. A promiscuous port gets a copy of every
unicast frame of its VLAN that comes in at another port and is not for it: the bridge would send it
to the port of its destination alone. What the bridge floods reaches every port anyway; therefore a
promiscuous port has its flooding of unknown unicast switched off, and sees nothing twice.

    1  broadcast  -> its limit, or pass
    2  multicast  -> its limit
   ..  unicast for one promiscuous vNIC -> copies to the others alone
   ..  unicast -> copies to all of them
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.filters import (
    CLSACT_HANDLE,
    CLSACT_PARENT,
    ETH_P_ALL,
    INGRESS,
    Action,
    Filter,
    action,
)
from vnetlab.state.objects import LinkId, Qdisc
from vnetlab.state.shaping import rate_and_burst

BROADCAST = "ff:ff:ff:ff:ff:ff"
MULTICAST = "01:00:00:00:00:00/01:00:00:00:00:00"
UNICAST = "00:00:00:00:00:00/01:00:00:00:00:00"
_LARGEST_FRAME = 0xFFFF
_BROADCAST_PRIORITY, _MULTICAST_PRIORITY = 1, 2


def clsact(link: LinkId) -> Qdisc:
    """The qdisc that has the hooks of a link."""
    return Qdisc(
        netns=link.netns,
        link=link.name,
        handle=CLSACT_HANDLE,
        parent=CLSACT_PARENT,
        kind="clsact",
        options=(),
    )


def on_ingress(
    link: LinkId,
    priority: int,
    *actions: Action,
    protocol: int = ETH_P_ALL,
    **matches: str,
) -> Filter:
    """A filter for what comes in at a link."""
    return Filter(
        netns=link.netns,
        link=link.name,
        parent=INGRESS,
        priority=priority,
        protocol=protocol,
        kind="flower",
        matches=tuple(sorted(matches.items())),
        actions=actions,
    )


def limit_to(rate_bit_s: int) -> Action:
    """Let pass what the rate allows, and drop the rest."""
    rate_bytes_s, burst_ns = rate_and_burst(rate_bit_s)
    return action(
        "police",
        rate_bit_s=rate_bytes_s * 8,
        burst_ns=burst_ns,
        largest_bytes=_LARGEST_FRAME,
        conform="pass",
        exceed="drop",
    )


def mirror_to(link: str, *, then: str) -> Action:
    """Send a copy out of a link."""
    return action("mirred", mode="mirror_to", link=link, then=then)


def storm_limits(port: LinkId, broadcast: int | None, multicast: int | None) -> Iterator[Filter]:
    """Limit what comes in at a port to so many bit/s of broadcasts, and of other multicasts."""
    passing = action("gact", then="pass")
    if broadcast is not None or multicast is not None:
        what = passing if broadcast is None else limit_to(broadcast)
        yield on_ingress(port, _BROADCAST_PRIORITY, what, destination=BROADCAST)
    if multicast is not None:
        what = limit_to(multicast)
        yield on_ingress(port, _MULTICAST_PRIORITY, what, destination=MULTICAST)
