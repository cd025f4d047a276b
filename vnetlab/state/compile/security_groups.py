"""Security groups: rules at a vNIC's port of the vSwitch, which no guest can undo (pure).

How it works: the bridge family's forward hook sees each frame that a vSwitch passes on. From there
a frame jumps to the chain of the port that it came from, then to that of the port it leaves by;
both return what they allow, so that two protected ports are both asked. Connections are tracked in
the bridge family too, once for all ports of the hypervisor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vnetlab.state.compile.parts import Context
from vnetlab.state.compile.policies import TABLE, always_allowed, compile_rule
from vnetlab.state.nft_rules import counter, link_name, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftRule, NftTable
from vnetlab.state.objects import Object
from vnetlab.topology.names import kernel_name
from vnetlab.topology.policies import PolicyRule
from vnetlab.topology.topology import Hypervisor

_FAMILY = "bridge"


def compile_security_groups(context: Context, hypervisor: Hypervisor) -> Iterator[Object]:
    """The chains of a hypervisor, two for each vNIC with security groups."""
    groups = {group.name: group for group in context.topology.security_groups}
    chains: list[NftChain] = []
    jumps: list[NftRule] = []
    for vm in context.topology.vms:
        for nic in vm.nics if vm.hypervisor == hypervisor.name else ():
            if not nic.security_groups:
                continue
            port = f"{vm.name}.{nic.name}"
            held = [groups[name] for name in nic.security_groups]
            for direction, key in (("egress", "iifname"), ("ingress", "oifname")):
                rules = [
                    (f"{group.name} {direction} {number}: {policy.text}", policy)
                    for group in held
                    for number, policy in enumerate(getattr(group, direction), 1)
                ]
                chain = f"{port}-{direction}"
                rest = f"{'+'.join(nic.security_groups)} {direction}: nothing else"
                chains.append(_chain(hypervisor.name, chain, _rules(rules, rest)))
                jumps.append(
                    rule(
                        f"{port} {direction}",
                        link_name(key, kernel_name(port)),
                        verdict(f"jump {chain}"),
                    )
                )
    if chains:
        yield NftTable(netns=hypervisor.name, family=_FAMILY, name=TABLE)
        yield _chain(hypervisor.name, "forward", sorted(jumps, key=_egress_first), base=True)
        yield from chains


def _rules(rules: Sequence[tuple[str, PolicyRule]], rest: str) -> list[NftRule]:
    compiled = list(always_allowed("return", bridge=True))
    for name, policy in rules:
        compiled += compile_rule(name, policy, verdict("return"), bridge=True)
    return [*compiled, rule(rest, counter(), verdict("drop"))]


def _egress_first(jump: NftRule) -> bool:
    return jump.name.endswith(" ingress")


def _chain(hypervisor: str, name: str, rules: Sequence[NftRule], *, base: bool = False) -> NftChain:
    return NftChain(
        netns=hypervisor,
        family=_FAMILY,
        table=TABLE,
        name=name,
        rules=tuple(rules),
        hook=NftHook(kind="filter", point="forward", priority=0) if base else None,
    )
