"""What a port group's security and isolation are as rules at its ports (pure).

How it works: a frame with a forged source is dropped before the vSwitch learns that source
(prerouting), or others would be sent astray. Whom a frame is for is looked at where it leaves the
vSwitch (forward). Ports of one vSwitch that are isolated from each other are so by the bridge
itself; what comes from such a port of another hypervisor is known by its source address.
"""

from __future__ import annotations

from collections.abc import Iterator

from vnetlab.state.compile.parts import Context
from vnetlab.state.nft_rules import counter, field, link_name, rule, unicast, verdict
from vnetlab.state.nftables import NftRule
from vnetlab.topology.names import kernel_name
from vnetlab.topology.topology import Vnic

_DROP = verdict("drop")


def forged_transmits(port: str, nic: Vnic) -> Iterator[NftRule]:
    """The rule for frames that come from a vNIC with another source than its own."""
    if not nic.port.security.forged_transmits:
        other_source = field("ether saddr", [_bytes(nic.mac)], negate=True)
        came = link_name("iifname", kernel_name(port))
        yield rule(f"{port} security: forged transmit", came, other_source, counter(), _DROP)


def unwanted(context: Context, hypervisor: str, port: str, nic: Vnic) -> Iterator[NftRule]:
    """The rules for frames that are not to leave by the port of a vNIC."""
    leaves = link_name("oifname", kernel_name(port))
    if not nic.port.security.mac_changes:
        other = field("ether daddr", [_bytes(nic.mac)], negate=True)
        name = f"{port} security: another MAC address"
        yield rule(name, leaves, unicast(), other, counter(), _DROP)
    macs = _isolated_elsewhere(context, hypervisor, nic) if nic.port.isolated else []
    if macs:
        name = f"{port} isolated: port group {nic.port.group} of other vSwitches"
        yield rule(name, leaves, field("ether saddr", macs), counter(), _DROP)


def _isolated_elsewhere(context: Context, hypervisor: str, nic: Vnic) -> list[bytes]:
    here = (hypervisor, nic.vswitch)
    return [
        _bytes(other.mac)
        for vm in context.topology.vms
        for other in vm.nics
        if other.port.group == nic.port.group and (vm.hypervisor, other.vswitch) != here
    ]


def _bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
