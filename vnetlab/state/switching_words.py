"""What bridges, their ports and bonds are set to, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from vnetlab.state.switching import Bond, BondMode, BridgePort, BridgeSettings, PortState

_MODES = {BondMode.LACP: "802.3ad"}
_WORDS = {
    "stp": "STP",
    "bpdu_guard": "BPDU guard",
    "proxy_arp": "proxy ARP",
    "proxy_arp_wifi": "proxy ARP for Wi-Fi",
    "vlan_tunnel": "VLAN tunnel",
    "fast_lacp": "fast LACP",
    "vlan_protocol": "VLAN protocol",
    "nf_call_iptables": "iptables",
    "nf_call_ip6tables": "ip6tables",
    "nf_call_arptables": "arptables",
    "resend_igmp": "IGMP resends",
    "lacp_selection": "LACP selection",
    "lacp_system_priority": "LACP system priority",
    "lacp_user_key": "LACP user key",
    "lacp_active": "LACP active",
    "arp_validate": "ARP validation",
    "arp_all_targets": "all ARP targets",
}


def bridge_words(settings: BridgeSettings) -> dict[str, str]:
    """Those settings of a bridge that are not the kernel's defaults."""
    return _words(settings, BridgeSettings(), prefix="")


def port_words(port: BridgePort) -> dict[str, str]:
    """Those settings of a bridge port that are not the kernel's defaults."""
    return _words(port, BridgePort(), prefix="port ")


def bond_words(bond: Bond) -> dict[str, str]:
    """The mode of a bond, and those other settings that are not the kernel's or our defaults."""
    found = _words(bond, Bond(mode=bond.mode), prefix="")
    return {"mode": _show(bond.mode)} | found


def vlan_words(options: Iterable[tuple[str, int]]) -> dict[str, str]:
    """What a VLAN of a bridge port is set to that a new one is not."""
    return {
        name.replace("_", " "): _show(PortState(value) if name == "state" else value)
        for name, value in options
    }


def _words(settings: Struct, defaults: Struct, *, prefix: str) -> dict[str, str]:
    found = {}
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if value != getattr(defaults, field):
            name, unit = _name_and_unit(field)
            if unit == "cs":
                shown = "unknown" if value is None else f"{value / 100:g}s"
            else:
                shown = f"{_show(value)}{unit}"
            found[prefix + name] = shown
    return found


def _name_and_unit(name: str) -> tuple[str, str]:
    unit = name.rpartition("_")[2]
    if unit not in ("cs", "ms"):
        return _WORDS.get(name, name.replace("_", " ")), ""
    return name.rpartition("_")[0].replace("_", " "), unit


def _show(value: object) -> str:
    if isinstance(value, BondMode):
        return _MODES.get(value, value.name.lower().replace("_", "-"))
    if isinstance(value, PortState):
        return value.name.lower()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
