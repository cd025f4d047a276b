"""Objects and changes in words: one short phrase each, for plans and error messages (pure)."""

from __future__ import annotations

from vnetlab.state.diff import Change
from vnetlab.state.objects import (
    Address,
    BridgeVlan,
    Kind,
    Link,
    Namespace,
    Object,
    Qdisc,
    Role,
    Route,
    Sysctl,
)
from vnetlab.state.qdisc_words import qdisc_settings

ROLE_WORDS: dict[Role, str] = {
    Role.VM: "VM",
    Role.HYPERVISOR: "hypervisor",
    Role.PHYSICAL_SWITCH: "physical switch",
    Role.ROUTER: "router",
    Role.VNIC: "vNIC",
    Role.VSWITCH: "vSwitch",
    Role.VSWITCH_PORT: "vSwitch port",
    Role.PNIC: "pNIC",
    Role.PHYSICAL_PORT: "physical port",
    Role.ROUTER_PORT: "router port",
    Role.ROUTER_INTERFACE: "router interface",
}
_SAID_ALREADY = ("label", "role", "loopback", "state", "IPv6 link-local")
"""Settings of a new object that its name tells, or that are the same for all of its kind."""

_EVERYWHERE = ("0.0.0.0/0", "::/0")


def describe(item: Object) -> str:
    """What the object is and where, without its settings: `VLAN 10 on tor1.hv2.eno1`."""
    match item:
        case Namespace():
            return f"{_role(item.role, 'namespace')} {item.name}"
        case Sysctl():
            return f"{item.key.replace('/', '.')} in {item.netns}"
        case Link():
            return f"{_role(item.role, 'link')} {item.id}"
        case BridgeVlan():
            return f"VLAN {item.vid} on {item.netns}.{item.link}"
        case Address():
            return f"address {item.interface} on {item.netns}.{item.link}"
        case Route():
            destination = str(item.destination)
            shown = "default" if destination in _EVERYWHERE else destination
            way = [f"via {item.via}"] if item.via else []
            way += [f"dev {item.link}"] if item.link else []
            return " ".join([f"route {shown}", *way, f"in {item.netns}"])
        case Qdisc():
            return f"{item.kind} on {item.netns}.{item.link}"


def settings(item: Object) -> dict[str, str]:
    """The settings of an object that can differ while it stays the same object, in words."""
    match item:
        case Namespace():
            return {"role": _role(item.role, "none"), "loopback": _up(up=item.lo_up)}
        case Sysctl():
            return {"value": item.value}
        case Link():
            return _link_settings(item)
        case BridgeVlan():
            return {
                "PVID": _yes(item.pvid),
                "egress": "untagged" if item.untagged else "tagged",
            }
        case Qdisc():
            return qdisc_settings(item)
        case _:
            return {}


def describe_change(change: Change) -> str:
    """One line: a sign (+, -, ~), the object, and the settings that are new or become others."""
    what = describe(change.subject)
    if change.new is None:
        return f"- {what}"
    new = settings(change.new)
    if change.old is None:
        shown = ", ".join(f"{name} {new[name]}" for name in new if name not in _SAID_ALREADY)
        return f"+ {what}" + (f": {shown}" if shown else "")
    old = settings(change.old)
    differing = [name for name in old | new if old.get(name) != new.get(name)]
    turns = (f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in differing)
    return f"~ {what}: " + ", ".join(turns)


def _link_settings(link: Link) -> dict[str, str]:
    found = {"state": _up(up=link.up), "MTU": str(link.mtu), "MAC": link.mac}
    if link.kind is Kind.BRIDGE:
        found["VLAN filtering"] = _yes(link.vlan_filtering)
    if link.master is not None:
        found["bridge"] = link.master
    if link.peer is not None:
        found["peer"] = str(link.peer)
    if link.vlan is not None:
        found["VLAN"] = f"{link.vlan} of {link.parent}"
    found["IPv6 link-local"] = _yes(link.link_local)
    found["label"] = f"{_role(link.role, 'none')} {link.label}"
    return found


def _role(role: Role | None, otherwise: str) -> str:
    return ROLE_WORDS[role] if role else otherwise


def _up(*, up: bool) -> str:
    return "up" if up else "down"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
