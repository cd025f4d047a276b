"""The names of a lab's nodes as host names: the text of its hosts(5) file (pure).

One file serves every node of the lab. `web1` is the first interface of that node, and so is
`web1.LAB`; each interface also has the name of its network (`web1.storage`) and, in a VM, its own
(`web1.eth1`). A name is that of one interface only: where two could have it, the network's name
goes before the interface's, and that before the lab's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.topology import attachments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.topology import Host, Hypervisor, Interface, Router, Topology, Vm

_LOOPBACK = (
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
)
_Interfaces = list[tuple[tuple[str, ...], tuple["Interface", ...]]]
"""Of one node: what may stand behind its name for each interface, and its addresses."""


def hosts_text(topology: Topology) -> str:
    """The hosts(5) file of the lab: every address of its nodes, each node's IPv4 before IPv6."""
    lines = [f"# The nodes of lab '{topology.name}', written by vnetlab.", *_LOOPBACK]
    for vm in topology.vms:
        lines += _lines(topology.name, vm.name, _of_guest(vm))
    for host in topology.hosts:
        lines += _lines(topology.name, host.name, _of_guest(host))
    for hypervisor in topology.hypervisors:
        lines += _lines(topology.name, hypervisor.name, _of_guest(hypervisor))
    for router in topology.routers:
        lines += _lines(topology.name, router.name, _of_router(router))
    return "\n".join(lines) + "\n"


def _of_guest(node: Vm | Host | Hypervisor) -> _Interfaces:
    return [((it.segment, it.name), it.addresses) for it in attachments(node.nics)]


def _of_router(router: Router) -> _Interfaces:
    return [((interface.segment,), interface.addresses) for interface in router.interfaces]


def _lines(lab: str, node: str, interfaces: _Interfaces) -> Iterator[str]:
    holders = _name(lab, node, interfaces)
    for index, (_, addresses) in enumerate(interfaces):
        names = [name for name, holder in holders.items() if holder == index]
        for address in addresses if names else ():
            yield " ".join([str(address.ip), *names])


def _name(lab: str, node: str, interfaces: _Interfaces) -> dict[str, int]:
    """The interface that each name means, by its index."""
    holders = {} if node == "localhost" else {node: 0}
    for place in (0, 1):
        for index, (words, _) in enumerate(interfaces):
            for word in words[place : place + 1]:
                holders.setdefault(f"{node}.{word}", index)
    holders.setdefault(f"{node}.{lab}", 0)
    return holders
