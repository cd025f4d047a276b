"""Teams, links between physical switches, and spanning trees (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.switching import ACTIVE_BACKUP, members_of
from vnetlab.topology.wording import did_you_mean, join_choices, show

if TYPE_CHECKING:
    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Hypervisor, Pnic
    from vnetlab.topology.model_switching import Stp, SwitchLink

_NS_PER_S = 1_000_000_000
_STEP_NS = _NS_PER_S // 10
_STP_TIMES = {"hello_time": (1, 10), "max_age": (6, 40), "forward_delay": (2, 30)}
"""In seconds: IEEE 802.1D-1998, table 8-3; the kernel refuses others."""


def check_switching(file: File, findings: Findings) -> None:
    """Note teams and links that cannot be, and times that no spanning tree has."""
    for name, switch in file.physical_switches.items():
        path: Path = ("physical_switches", name)
        if switch.stp is not None:
            _check_stp((*path, "stp"), switch.stp, findings)
        for index, link in enumerate(switch.links):
            _check_link((*path, "links", index), name, link, file, findings)
    for name, hypervisor in file.hypervisors.items():
        _check_teams(("hypervisors", name), hypervisor, findings)


def _check_stp(path: Path, stp: Stp, findings: Findings) -> None:
    for key, (shortest, longest) in _STP_TIMES.items():
        time_ns = getattr(stp, key)
        if not shortest * _NS_PER_S <= time_ns <= longest * _NS_PER_S or time_ns % _STEP_NS:
            text = f"got {time_ns / _NS_PER_S:g}s, expected {shortest}s to {longest}s in steps of"
            findings.add((*path, key), f"{text} 100ms")


def _check_link(path: Path, name: str, link: SwitchLink, file: File, findings: Findings) -> None:
    at = (*path, "to") if findings.has((*path, "to")) else path
    others = [other for other in file.physical_switches if other != name]
    if link.to is None:
        text = f"missing: there {'is no' if not others else 'is more than one'} other switch"
        findings.add(at, text, fix=f"choose from {join_choices(others)}" if others else "")
    elif link.to == name:
        findings.add(at, "got the switch itself, expected another", fix=did_you_mean("", others))
    elif link.to not in file.physical_switches:
        fix = did_you_mean(link.to, others) or "there is no other switch"
        findings.add(at, f"no physical switch {show(link.to)}", fix=fix)
    if link.lag and members_of(link) == 1:
        text = "got a LAG of one cable, expected two or more members"
        findings.add((*path, "members"), text, fix="leave lag out, or write more members")


def _check_teams(path: Path, hypervisor: Hypervisor, findings: Findings) -> None:
    for name, vswitch in (hypervisor.vswitches or {}).items():
        at = (*path, "vswitches", name, "teaming")
        all_pnics = hypervisor.pnics or {}
        pnics = {it: all_pnics[it] for it in vswitch.pnics or () if it in all_pnics}
        if vswitch.teaming is None or not findings.is_sound(at):
            continue
        if len(pnics) < 2:
            text = f"got a team of {join_choices(pnics) or 'no pNIC'}, expected two pNICs or more"
            findings.add(at, text, fix="add one to the hypervisor's pnics, or leave teaming out")
        else:
            _check_members(path, at, str(vswitch.teaming), pnics, findings)


def _check_members(
    path: Path, at: Path, mode: str, pnics: dict[str, Pnic], findings: Findings
) -> None:
    first, *others = pnics.items()
    switches = {str(pnic.to) for pnic in pnics.values()}
    is_lag = mode != ACTIVE_BACKUP
    if is_lag and len(switches) > 1:
        text = f"got {mode} over {join_choices(sorted(switches))}, expected one physical switch"
        findings.add(at, text, fix=f"write {ACTIVE_BACKUP}, or plug all into one")
        return
    for name, pnic in others:
        for key in ("mtu", "vlans", "native") if is_lag else ("mtu",):
            if getattr(pnic, key) != getattr(first[1], key):
                text = f"got another {key} than {first[0]}, with which it is a team"
                findings.add((*path, "pnics", name, key), text, fix="write the same for both")
