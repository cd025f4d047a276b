"""A lab's status as text (pure)."""

from __future__ import annotations

from vnetlab.state.objects import Link
from vnetlab.state.running import Service
from vnetlab.state.show import ROLE_WORDS, describe_change
from vnetlab.state.status import NodeStatus, Status


def render_status(status: Status) -> str:
    """The nodes, each with its interfaces and addresses, then what differs from the topology."""
    names = max(len(node.name) for node in status.nodes) if status.nodes else 0
    roles = max(len(_role(node)) for node in status.nodes) if status.nodes else 0
    lines = [f"{status.name}  ({status.source})", ""]
    for node in status.nodes:
        first, *rest = _details(node) or [""]
        lines.append(f"{node.name:{names}}  {_role(node):{roles}}  {first}".rstrip())
        lines += (f"{'':{names}}  {'':{roles}}  {detail}" for detail in rest)
    lines.append("")
    if status.drift:
        lines.append("differs from its topology; 'vnetlab up FILE' would make these changes:")
        lines += (f"  {describe_change(change)}" for change in status.drift)
    else:
        lines.append("the kernel has it as the topology says")
    return "\n".join(lines)


def _role(node: NodeStatus) -> str:
    return ROLE_WORDS[node.role] if node.role else "unknown"


def _details(node: NodeStatus) -> list[str]:
    details = [f"{node.ports} {'port' if node.ports == 1 else 'ports'}"] if node.ports else []
    details += [_interface(link, node) for link in node.interfaces]
    return details + [_service(service) for service in node.services]


def _service(service: Service) -> str:
    """What it does at present: `http running`, `http exit code 1`."""
    return f"{service.name} {service.failure or ('ended' if service.ended else 'running')}"


def _interface(link: Link, node: NodeStatus) -> str:
    held = [str(address.interface) for address in node.addresses if address.link == link.name]
    return " ".join([link.name, *([] if link.up else ["DOWN"]), *held])
