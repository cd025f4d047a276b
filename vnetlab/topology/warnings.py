"""What is allowed and likely wrong: a VLAN that stops halfway, a network that nobody uses (pure).

Asked only where nothing is wrong, about a file that is filled in. Faults may be wanted here: they
are what one learns from. So they are told, and the lab is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.ports import untagged_vlan
from vnetlab.topology.trunks import inter_switch_links, join_ends, root_of
from vnetlab.topology.warn_cables import warn_of_cables
from vnetlab.topology.warn_reach import attachments_of, warn_of_parts, warn_unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File
    from vnetlab.topology.warn_reach import Attachment


def find_warnings(file: File, findings: Findings) -> None:
    """Note everything that is likely wrong."""
    attachments = tuple(attachments_of(file))
    for name in file.networks:
        here = [it for it in attachments if it.network == name]
        if not here:
            text, fix = "no node is in this network", "name it in the nics of a VM, or remove it"
            _warn_written(("networks", name), text, fix, findings)
        else:
            warn_of_parts(name, here, file, findings)
            warn_unreachable(name, here, attachments, file, findings)
    warn_of_cables(file, findings)
    _warn_of_lone_switches(file, attachments, findings)
    _warn_of_port_groups(file, findings)
    _warn_of_unused(file, findings)
    for name, members in file.groups.items():
        if not members:
            _warn_written(("groups", name), "nobody is in this group", "", findings)


def _warn_of_lone_switches(
    file: File, attachments: Sequence[Attachment], findings: Findings
) -> None:
    joined: dict[str, str] = {}
    connected: set[str] = set()
    for link in inter_switch_links(file):
        join_ends(joined, *link.ends)
        connected.update(link.ends)
    used = {it.switch for it in attachments}
    reached = {root_of(joined, it) for it in used}
    for name in file.physical_switches:
        if name not in used | connected:
            text = "nothing is connected to this switch"
            _warn_written(("physical_switches", name), text, "", findings)
        elif attachments and root_of(joined, name) not in reached:
            text = "no node is connected to this switch, or to any that it is linked to"
            _warn_written(("physical_switches", name), text, "link it to the others", findings)


def _warn_of_port_groups(file: File, findings: Findings) -> None:
    """Warn of vNICs whose untagged frames get into a VLAN that is not their network's."""
    for vm_name, vm in file.vms.items():
        for index, nic in enumerate(vm.nics or ()):
            group = file.port_groups.get(nic.port_group or "")
            network = file.networks.get(nic.network or "")
            if group is None or network is None or network.vlan is None:
                continue
            vlan = untagged_vlan(nic, group, file.networks)
            if vlan != network.vlan:
                where = "nowhere" if vlan is None else f"to VLAN {vlan}"
                text = f"is in VLAN {network.vlan} (network '{nic.network}'), but its port group "
                text += f"'{nic.port_group}' brings frames without a tag {where}"
                fix = "name the group's network, or that in 'tagged'"
                findings.warn(("vms", vm_name, "nics", index, "network"), text, fix=fix)


def _warn_of_unused(file: File, findings: Findings) -> None:
    """Warn of settings for ports that no port has."""
    nics = [nic for vm in file.vms.values() for nic in vm.nics or ()]
    for name in file.port_groups.keys() - {nic.port_group for nic in nics}:
        text = "no vNIC is in this port group"
        _warn_written(("port_groups", name), text, "name it in the nics of a VM", findings)
    used = {name for nic in nics for name in nic.security_groups}
    used |= {name for group in file.port_groups.values() for name in group.security_groups}
    for name in file.security_groups.keys() - used:
        text = "no vNIC is in this security group"
        fix = "name it in the nics of a VM, or in a port group"
        _warn_written(("security_groups", name), text, fix, findings)


def _warn_written(path: Path, text: str, fix: str, findings: Findings) -> None:
    """Warn of an object, if it is one that the user wrote."""
    if findings.has(path):
        findings.warn(path, text, fix=fix)
