"""What vSwitches let pass at the ports of vNICs, which no guest can undo (pure).

How it works: the bridge family's forward hook sees each frame that a vSwitch passes on. What no
port may receive (`port_security.py`) is dropped there. From there a frame jumps to the chain of the
port that it came from, then to that of the port it leaves by; both return what their security
groups allow, so that two protected ports are both asked. Connections are tracked in the bridge
family too, once for all ports of the hypervisor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vnetlab.state.compile.parts import Context
from vnetlab.state.compile.policies import TABLE, always_allowed, compile_rule
from vnetlab.state.compile.port_security import forged_transmits, unwanted
from vnetlab.state.nft_rules import counter, link_name, rule, verdict
from vnetlab.state.nftables import NftChain, NftHook, NftRule, NftTable
from vnetlab.state.objects import Object
from vnetlab.topology.names import kernel_name
from vnetlab.topology.policies import PolicyRule, SecurityGroup
from vnetlab.topology.topology import Hypervisor, Vnic

_FAMILY = "bridge"
_BEFORE_TRACKING = -300  # NF_BR_PRI_NAT_DST_BRIDGED; connections are tracked at -200
_DIRECTIONS = {"egress": "iifname", "ingress": "oifname"}


def compile_vswitch_rules(context: Context, hypervisor: Hypervisor) -> Iterator[Object]:
    """The table of a hypervisor: base chains, and two for each vNIC with security groups."""
    name = hypervisor.name
    ports = [
        (f"{vm.name}.{nic.name}", nic)
        for vm in context.topology.vms
        for nic in (vm.nics if vm.hypervisor == name else ())
    ]
    guarded = [(port, nic) for port, nic in ports if nic.security_groups]
    forward = [it for port, nic in ports for it in unwanted(context, name, port, nic)]
    forward += [_jump(port, way) for way in _DIRECTIONS for port, _ in guarded]
    came = [it for port, nic in ports for it in forged_transmits(port, nic)]
    chains: list[NftChain] = []
    if came:
        chains.append(_chain(name, "prerouting", came, priority=_BEFORE_TRACKING))
    if forward:
        chains.append(_chain(name, "forward", forward, priority=0))
    groups = {group.name: group for group in context.topology.security_groups}
    for port, nic in guarded:
        chains += [_chain(name, f"{port}-{way}", _rules(groups, nic, way)) for way in _DIRECTIONS]
    if chains:
        yield NftTable(netns=name, family=_FAMILY, name=TABLE)
        yield from chains


def _jump(port: str, way: str) -> NftRule:
    at_port = link_name(_DIRECTIONS[way], kernel_name(port))
    return rule(f"{port} {way}", at_port, verdict(f"jump {port}-{way}"))


def _rules(groups: dict[str, SecurityGroup], nic: Vnic, way: str) -> list[NftRule]:
    compiled = list(always_allowed("return", bridge=True))
    for name in nic.security_groups:
        rules: Sequence[PolicyRule] = getattr(groups[name], way)
        for number, policy in enumerate(rules, 1):
            named = f"{name} {way} {number}: {policy.text}"
            compiled += compile_rule(named, policy, verdict("return"), bridge=True)
    rest = f"{'+'.join(nic.security_groups)} {way}: nothing else"
    return [*compiled, rule(rest, counter(), verdict("drop"))]


def _chain(
    hypervisor: str, name: str, rules: Sequence[NftRule], *, priority: int | None = None
) -> NftChain:
    """A chain; with a priority one that the kernel calls, at the hook of its name."""
    hook = None if priority is None else NftHook(kind="filter", point=name, priority=priority)
    return NftChain(
        netns=hypervisor, family=_FAMILY, table=TABLE, name=name, rules=tuple(rules), hook=hook
    )
