"""Networks that do not get to all of their nodes, or out (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vnetlab.topology.check_networks import routed_networks
from vnetlab.topology.model_ports import networks_of
from vnetlab.topology.trunks import NO_VLAN, inter_switch_links, join_ends, root_of
from vnetlab.topology.wording import join_choices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.trunks import InterSwitchLink


class Attachment(Struct, frozen=True):
    """An interface of a node in a network, and the switch that it is plugged into."""

    network: str
    node: str
    switch: str


class _Span(Struct, frozen=True):
    """How far a network's VLAN gets: the switches that are `joined`, and the links that are not.

    `refusing` are those that do not carry it, `spares` those of teams that are not in use.
    """

    what: str
    vlan: int
    joined: dict[str, str]
    refusing: tuple[InterSwitchLink, ...]
    spares: tuple[InterSwitchLink, ...]

    def root(self, switch: str) -> str:
        """The switch that stands for all that the VLAN gets to from this one."""
        return root_of(self.joined, switch)


def attachments_of(file: File) -> Iterator[Attachment]:
    """Every interface in a network, and where it is plugged in."""
    for name, vm in file.vms.items():
        for nic in vm.nics or ():
            for network in networks_of(nic):
                yield Attachment(network, name, f"{vm.on}.{nic.vswitch}")
    for name, host in file.hosts.items():
        for host_nic in host.nics or ():
            for network in networks_of(host_nic):
                yield Attachment(network, name, str(host_nic.to))
    for name, hypervisor in file.hypervisors.items():
        for own in hypervisor.nics or ():
            yield Attachment(str(own.network), name, f"{name}.{own.vswitch}")
    for name, router in file.routers.items():
        place = router.to or f"{router.on}.{router.vswitch}"
        for attached in router.networks or ():
            yield Attachment(str(attached.network), name, place)


def warn_of_parts(name: str, here: Sequence[Attachment], file: File, findings: Findings) -> None:
    """Warn where the switches do not bring the network's nodes together, as VTEPs always do."""
    if file.networks[name].vxlan is not None:
        return
    span = _span(name, file)
    parts: dict[str, list[Attachment]] = {}
    for attachment in here:
        parts.setdefault(span.root(attachment.switch), []).append(attachment)
    main = max(parts, key=lambda root: len(parts[root]))
    for root in parts.keys() - {main}:
        _warn_of_part(name, (parts[root], parts[main]), span, findings)
    for spare in span.spares:
        _warn_of_spare(spare, parts, span, findings)


def _span(name: str, file: File) -> _Span:
    vlan = file.networks[name].vlan
    links = tuple(inter_switch_links(file))
    used = tuple(link for link in links if not link.is_spare)
    joined: dict[str, str] = {}
    for link in used:
        if link.carries(vlan or NO_VLAN):
            join_ends(joined, *link.ends)
    return _Span(
        what=f"network '{name}'" if vlan is None else f"VLAN {vlan} (network '{name}')",
        vlan=vlan or NO_VLAN,
        joined=joined,
        refusing=tuple(link for link in used if not link.carries(vlan or NO_VLAN)),
        spares=tuple(link for link in links if link.is_spare),
    )


def _warn_of_part(
    name: str, sides: tuple[list[Attachment], list[Attachment]], span: _Span, findings: Findings
) -> None:
    one, other = (join_choices(dict.fromkeys(it.node for it in side)) for side in sides)
    text = f"{span.what} does not get from {sides[0][0].switch} to {sides[1][0].switch}"
    text += f": {one} cannot reach {other}"
    roots = span.root(sides[0][0].switch), span.root(sides[1][0].switch)
    if refusing := _refusing_between(*roots, span):
        findings.warn((*refusing.path, "vlans"), text, fix=f"add {span.vlan} here")
    else:
        findings.warn(("networks", name), text, fix="connect them, or give each its own network")


def _refusing_between(part: str, main: str, span: _Span) -> InterSwitchLink | None:
    """The link that would join the two if it carried the VLAN; else one that leaves either."""
    roots = [(link, {span.root(end) for end in link.ends}) for link in span.refusing]
    for wanted in ({part, main}, {part}, {main}):
        for link, ends in roots:
            if wanted <= ends:
                return link
    return None


def _warn_of_spare(
    spare: InterSwitchLink, parts: dict[str, list[Attachment]], span: _Span, findings: Findings
) -> None:
    """Warn of a team's reserve that does not lead where the pNIC in use leads."""
    vswitch, switch = spare.ends
    together = parts.get(span.root(vswitch), ())
    inside = [it.node for it in together if it.switch == vswitch]
    outside = [it.node for it in together if it.switch != vswitch]
    if not inside or not outside:
        return
    cut_off = f"{join_choices(dict.fromkeys(inside))} cannot reach "
    cut_off += f"{join_choices(dict.fromkeys(outside))} while it is the one in use"
    if not spare.carries(span.vlan):
        text = f"this reserve of a team does not carry {span.what}: {cut_off}"
        findings.warn((*spare.path, "vlans"), text, fix=f"add {span.vlan} here")
    elif span.root(switch) != span.root(vswitch):
        text = f"{span.what} does not get on from {switch}, where this reserve of a team ends: "
        findings.warn(
            (*spare.path, "to"), text + cut_off, fix=f"link {switch} to the other switches"
        )


def warn_unreachable(
    name: str,
    here: Sequence[Attachment],
    attachments: Sequence[Attachment],
    file: File,
    findings: Findings,
) -> None:
    """Warn of nodes that have no way out of their only network, where others have."""
    routed = routed_networks(file)
    if name in routed or not routed:
        return
    elsewhere = {it.node for it in attachments if it.network != name} | file.hypervisors.keys()
    shut_in = [it.node for it in here if it.node not in elsewhere]
    if shut_in and findings.has(("networks", name)):
        text = f"no router has this network: {join_choices(dict.fromkeys(shut_in))} cannot leave it"
        findings.warn(("networks", name), text, fix="add it to the networks of one")
