"""Rules, security groups and NAT: names that are there, and what makes sense together (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnetlab.topology.addressing import prefixes_of
from vnetlab.topology.model_ports import networks_of
from vnetlab.topology.names import check_name
from vnetlab.topology.rule_text import literal_prefix
from vnetlab.topology.wording import InvalidValueError, did_you_mean, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Nic, Router
    from vnetlab.topology.model_policies import PortForward, Rule
    from vnetlab.topology.model_ports import PortGroup


def check_policies(file: File, findings: Findings) -> None:
    """Note what no rule can mean."""
    checks = _Checks(file, findings)
    users: list[tuple[Path, Nic | PortGroup]] = [
        (("vms", name, "nics", index), nic)
        for name, vm in file.vms.items()
        for index, nic in enumerate(vm.nics or ())
    ]
    users += [(("port_groups", name), group) for name, group in file.port_groups.items()]
    written = {name for _, user in users for name in user.security_groups}
    broken = {name for name in written if findings.has(("security_groups", name))}
    groups = sorted({*file.security_groups, *broken})
    for name in file.security_groups:
        checks.group(name)
    for path, user in users:
        checks.names((*path, "security_groups"), user.security_groups, groups, "security group")
    for path, rules in _lists(file):
        for index, rule in enumerate(rules):
            checks.rule((*path, index), rule)
    for name, router in file.routers.items():
        checks.nat(("routers", name, "nat"), router)


def _lists(file: File) -> Iterator[tuple[Path, Iterable[Rule]]]:
    """Every list of rules."""
    for name, group in file.security_groups.items():
        yield ("security_groups", name, "ingress"), group.ingress
        yield ("security_groups", name, "egress"), group.egress or ()
    for name, router in file.routers.items():
        yield ("routers", name, "acl"), router.acl
    for name, vm in file.vms.items():
        if vm.firewall:
            yield ("vms", name, "firewall", "input"), vm.firewall.input or ()
            yield ("vms", name, "firewall", "output"), vm.firewall.output or ()
    for name, host in file.hosts.items():
        if host.firewall:
            yield ("hosts", name, "firewall", "input"), host.firewall.input or ()
            yield ("hosts", name, "firewall", "output"), host.firewall.output or ()


class _Checks:
    def __init__(self, file: File, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._nodes = [*file.vms, *file.hosts, *file.routers]
        self._peers = ["any", *file.networks, *self._nodes, *file.groups]

    def group(self, name: str) -> None:
        """A security group says what passes, and to or from whom: nothing else."""
        path: Path = ("security_groups", name)
        try:
            check_name(name)
        except InvalidValueError as error:
            self._findings.add_to_key(path, error.text, fix=error.fix)
        group = self._file.security_groups[name]
        for key, rules, end in (("ingress", group.ingress, "to"), ("egress", group.egress, "from")):
            for index, rule in enumerate(rules or ()):
                at = (*path, key, index)
                if rule.action != "allow":
                    text = f"got the action {show(rule.action)}, expected allow"
                    fix = "a security group says what may pass: all else does not"
                    self._add(at, "action", text, fix)
                if (rule.to if end == "to" else rule.from_) != "any":
                    other = "from" if end == "to" else "to"
                    text = f"got '{end}' in {key}, which is the vNIC itself"
                    self._add(at, end, text, f"say with '{other}' who is at the other end")

    def rule(self, path: Path, rule: Rule) -> None:
        """Its peers are there, and only what has ports has them."""
        if rule.ports is not None and rule.proto not in ("tcp", "udp"):
            text = f"got ports of {rule.proto}, expected those of tcp or udp"
            self._add(path, "ports", text, "name the protocol, such as tcp/80")
        self._peer(path, "from", rule.from_)
        self._peer(path, "to", rule.to)
        versions = [self._versions(peer) for peer in (rule.from_, rule.to)]
        if all(versions) and not versions[0] & versions[1]:
            text = "got peers of different families, expected both IPv4 or both IPv6"
            self._add(path, "to", text, "")

    def nat(self, path: Path, router: Router) -> None:
        """Its networks are the router's, and forwarded ports lead somewhere, each once."""
        if router.nat is None:
            return
        networks = [str(attached.network) for attached in router.networks or ()]
        self.names((*path, "masquerade"), router.nat.masquerade, networks, "network of the router")
        seen: dict[tuple[str, str, int], Path] = {}
        for index, forward in enumerate(router.nat.forward):
            at = (*path, "forward", index)
            self._forward(at, forward, networks)
            other = seen.setdefault((forward.network, forward.proto, forward.port), at)
            if other != at:
                text = f"{forward.proto}/{forward.port} is forwarded already"
                self._add(at, "port", f"{text} ({self._findings.where(other)})", "remove one")

    def names(self, path: Path, names: Iterable[str], choices: Iterable[str], kind: str) -> None:
        """Each name is one of the choices, and there once."""
        known, seen = list(choices), set[str]()
        for index, name in enumerate(names):
            at = (*path, index) if self._findings.has((*path, index)) else path
            if name not in known:
                fix = did_you_mean(name, known) or f"there is no {kind} at all"
                self._findings.add(at, f"no {kind} {show(name)}", fix=fix)
            elif name in seen:
                self._findings.add(at, f"{show(name)} is there already", fix="remove one")
            seen.add(name)

    def _forward(self, path: Path, forward: PortForward, networks: Iterable[str]) -> None:
        if forward.network not in networks:
            text = f"no network {show(forward.network)} of the router"
            self._add(path, "network", text, did_you_mean(forward.network, networks))
        elif forward.to not in self._nodes and len(self._literal(forward.to)) != 1:
            fix = did_you_mean(forward.to, self._nodes)
            self._add(path, "to", f"no node or address {show(forward.to)}", fix)
        elif forward.network in self._file.networks:
            theirs = self._versions(forward.to)
            ours = {p.version for p in prefixes_of(self._file.networks[forward.network])}
            if not ours & theirs:
                text = f"has no address of a family that network '{forward.network}' has"
                self._add(path, "to", text, "NAT does not turn IPv4 into IPv6")

    def _peer(self, path: Path, key: str, peer: str) -> None:
        if peer == "any" or literal_prefix(peer):
            return
        if peer not in self._peers:
            text = f"no network, node or group {show(peer)}"
            self._add(path, key, text, did_you_mean(peer, self._peers))
        elif peer in self._file.networks and self._peers.count(peer) > 1:
            text = f"{show(peer)} is a network and a node or group"
            self._add(path, key, text, "give one of them another name")

    def _versions(self, peer: str) -> set[int]:
        """The families that a peer has addresses of; none where that is not known."""
        if literal := literal_prefix(peer):
            return {prefix.version for prefix in literal}
        file = self._file
        networks = {peer} & file.networks.keys()
        for kind in (file.vms, file.hosts):
            if peer in kind:
                networks = {name for nic in kind[peer].nics or () for name in networks_of(nic)}
        if peer in file.routers:
            networks = {str(attached.network) for attached in file.routers[peer].networks or ()}
        return {
            prefix.version
            for name in networks & file.networks.keys()
            for prefix in prefixes_of(file.networks[name])
        }

    def _literal(self, peer: str) -> list[object]:
        return [p for p in literal_prefix(peer) if p.prefixlen == p.max_prefixlen]

    def _add(self, path: Path, key: str, text: str, fix: str) -> None:
        """Note it at the key, or at the rule where that is one text."""
        at = (*path, key) if self._findings.has((*path, key)) else path
        self._findings.add(at, text, fix=fix)
