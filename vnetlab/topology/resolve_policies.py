"""From the rules of a model that is right to resolved ones (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from vnetlab.topology.addressing import prefixes_of
from vnetlab.topology.groups import flatten
from vnetlab.topology.policies import (
    ANYWHERE,
    Address,
    Firewall,
    Network,
    PolicyRule,
    PortForward,
    RouterPolicy,
    SecurityGroup,
)
from vnetlab.topology.rule_text import literal_prefix, show_ports
from vnetlab.topology.topology import Host, Router, Topology, Vm, attachments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vnetlab.topology import model, model_policies
    from vnetlab.topology.model import File

_EVERYTHING = PolicyRule(
    text="any",
    action="allow",
    protocol="any",
    ports=(),
    sources=ANYWHERE,
    destinations=ANYWHERE,
)


def add_policies(file: File, topology: Topology) -> Topology:
    """The topology of `file` with who may send what to whom."""
    peers = _Peers(file, (*topology.vms, *topology.hosts, *topology.routers))
    return replace(
        topology,
        security_groups=tuple(_group(name, it, peers) for name, it in file.security_groups.items()),
        vms=tuple(_add_to_vm(file, vm, peers) for vm in topology.vms),
        hosts=tuple(
            replace(host, firewall=_firewall(file.hosts[host.name].firewall, peers))
            for host in topology.hosts
        ),
        routers=tuple(
            replace(router, policy=_router_policy(file.routers[router.name], peers))
            for router in topology.routers
        ),
    )


class _Peers:
    """Who the names in rules are: the prefixes of networks, nodes and groups."""

    def __init__(self, file: File, nodes: Iterable[Vm | Host | Router]) -> None:
        self._prefixes: dict[str, tuple[Network, ...]] = {
            name: prefixes_of(network) for name, network in file.networks.items()
        }
        self._prefixes |= {node.name: tuple(_addresses(node)) for node in nodes}
        for name, members in flatten(file.groups).items():
            self._prefixes[name] = tuple(
                prefix for member in members for prefix in self._prefixes.get(member, ())
            )

    def find(self, peer: str) -> tuple[Network, ...]:
        """The prefixes of `any`, an address, a prefix or a name, sorted by family."""
        found = literal_prefix(peer) or self._prefixes.get(peer, ())
        return tuple(sorted(set(found), key=lambda it: (it.version, it)))


def _group(name: str, group: model_policies.SecurityGroup, peers: _Peers) -> SecurityGroup:
    return SecurityGroup(
        name=name,
        ingress=_rules(group.ingress, peers),
        egress=(_EVERYTHING,) if group.egress is None else _rules(group.egress, peers),
    )


def _add_to_vm(file: File, vm: Vm, peers: _Peers) -> Vm:
    written = file.vms[vm.name]
    nics = tuple(
        replace(nic, security_groups=_security_groups(file, said))
        for nic, said in zip(vm.nics, written.nics or (), strict=True)
    )
    return replace(vm, nics=nics, firewall=_firewall(written.firewall, peers))


def _security_groups(file: File, nic: model.Nic) -> tuple[str, ...]:
    """Those of its port group, then its own."""
    group = file.port_groups.get(nic.port_group or "")
    return tuple(dict.fromkeys([*(group.security_groups if group else ()), *nic.security_groups]))


def _firewall(firewall: model_policies.Firewall | None, peers: _Peers) -> Firewall:
    """A node's firewall; one that lets everything pass where it has none."""
    if firewall is None:
        return Firewall()
    both = firewall.input is None and firewall.output is None
    return Firewall(
        input=_rules(firewall.input or (), peers),
        output=_rules(firewall.output or (), peers),
        input_default=firewall.rest if both or firewall.input is not None else "allow",
        output_default=firewall.rest if both or firewall.output is not None else "allow",
    )


def _router_policy(router: model.Router, peers: _Peers) -> RouterPolicy:
    nat = router.nat
    return RouterPolicy(
        acl=_rules(router.acl, peers),
        default=router.acl_default,
        masquerade=nat.masquerade if nat else (),
        forwards=tuple(_forward(forward, peers) for forward in nat.forward) if nat else (),
    )


def _rules(rules: Iterable[model_policies.Rule], peers: _Peers) -> tuple[PolicyRule, ...]:
    return tuple(
        PolicyRule(
            text=_text(rule),
            action=rule.action,
            protocol=rule.proto,
            ports=rule.ports or (),
            sources=peers.find(rule.from_),
            destinations=peers.find(rule.to),
        )
        for rule in rules
    )


def _text(rule: model_policies.Rule) -> str:
    """The rule in words, without what is the default."""
    words = [rule.action] if rule.action != "allow" else []
    words.append(f"{rule.proto}/{show_ports(rule.ports)}" if rule.ports else rule.proto)
    words += [f"from {rule.from_}"] if rule.from_ != "any" else []
    words += [f"to {rule.to}"] if rule.to != "any" else []
    return " ".join(words)


def _forward(forward: model_policies.PortForward, peers: _Peers) -> PortForward:
    """Of several addresses of a family that its target has, the first is taken."""
    first: dict[int, Address] = {}
    for prefix in peers.find(forward.to):
        first.setdefault(prefix.version, prefix.network_address)
    return PortForward(
        segment=forward.network,
        protocol=forward.proto,
        port=forward.port,
        to=tuple(first.values()),
        to_port=forward.to_port or forward.port,
    )


def _addresses(node: Vm | Host | Router) -> Iterator[Network]:
    interfaces = node.interfaces if isinstance(node, Router) else tuple(attachments(node.nics))
    for interface in interfaces:
        for address in interface.addresses:
            yield from literal_prefix(str(address.ip))
