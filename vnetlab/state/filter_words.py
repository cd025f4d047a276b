"""Filters in words (pure)."""

from __future__ import annotations

from vnetlab.state.filters import ETH_P_8021Q, ETH_P_ALL, HOOKS, Action, Filter
from vnetlab.state.shaping import bucket
from vnetlab.state.units import show_rate

_PROTOCOLS = {ETH_P_ALL: "any frame", ETH_P_8021Q: "frames with a tag"}
_MACS = {
    "ff:ff:ff:ff:ff:ff": "broadcast",
    "01:00:00:00:00:00/01:00:00:00:00:00": "multicast",
    "00:00:00:00:00:00/01:00:00:00:00:00": "unicast",
}


_HOOKS = {"ingress": "for what comes in", "egress": "for what goes out"}


def describe_filter(item: Filter) -> str:
    """Where it is: `filter 1 for what comes in on hv1.web1.eth0`."""
    hook = _HOOKS.get(HOOKS.get(item.parent, ""), f"of qdisc {item.parent >> 16:x}:")
    chain = f" of chain {item.chain}" if item.chain else ""
    return f"filter {item.priority}{chain} {hook} on {item.netns}.{item.link}"


def filter_settings(item: Filter) -> dict[str, str]:
    """What it takes, and what it does with that."""
    taken = [_PROTOCOLS.get(item.protocol, f"frames of protocol {item.protocol:#06x}")]
    taken += [f"{name} {_MACS.get(value, value)}" for name, value in item.matches]
    several = [] if item.handle == 1 else [f"handle {item.handle:#x}"]
    found = {"takes": ", ".join([*taken, *several])}
    if item.kind != "flower":
        found["kind"] = item.kind
    return found | {"does": ", ".join(map(_action, item.actions)) or "nothing"}


def _action(item: Action) -> str:
    settings = dict(item.settings)
    match item.kind:
        case "police":
            rate = int(settings["rate_bit_s"])
            burst = bucket(rate // 8, int(settings["burst_ns"]))
            limit = f"limit to {show_rate(rate)} (burst {burst} bytes)"
            return f"{limit}, {settings['exceed']} the rest"
        case "mirred":
            mode = str(settings["mode"]).replace("_", " ")
            return f"{mode} {settings['link'] or 'a link that is gone'}"
        case "vlan":
            vid = f" {settings['vid']}" if "vid" in settings else ""
            return f"{settings['mode']} tag{vid}"
        case "gact":
            return str(settings["then"])
        case _:
            return item.kind
