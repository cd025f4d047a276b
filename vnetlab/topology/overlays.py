"""Overlay networks: what carries them, and who is in them (pure).

How it works: a network with a `vxlan` is carried between hypervisors in UDP packets over another
network, its underlay. Each hypervisor that has a port in it has a VTEP (VXLAN tunnel end point),
which is a port of the vSwitch and sends to the other hypervisors' addresses in the underlay. On a
vSwitch the overlay is a VLAN as any other; no uplink carries that VLAN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vnetlab.topology import model

_IPV4_OVERHEAD, _IPV6_OVERHEAD = 50, 70
"""Bytes of the outer IP header, UDP, VXLAN and the inner Ethernet header (RFC 7348, section 5)."""


class Overlay(Struct, frozen=True, kw_only=True):
    """How a segment is carried by VXLAN: its VNI, the VTEPs' UDP port, the segment below."""

    vni: int
    port: int
    underlay: str


class Attachment(Struct, frozen=True, kw_only=True):
    """A port of a vSwitch in a network, and where the file says so."""

    hypervisor: str
    vswitch: str
    network: str
    path: tuple[str | int, ...]


def overhead(underlay: model.Network) -> int:
    """How many bytes VXLAN takes of the packets that `underlay` carries: IPv4 before IPv6."""
    return _IPV4_OVERHEAD if underlay.ipv4 else _IPV6_OVERHEAD


def attachments(file: model.File) -> Iterator[Attachment]:
    """Every port of a vSwitch that is in some network of `file`, which is filled in."""
    for name, vm in file.vms.items():
        for index, nic in enumerate(vm.nics or ()):
            path = ("vms", name, "nics", index)
            for it in (nic.network, *(tagged.network for tagged in nic.tagged)):
                yield from _attachment(vm.on, nic.vswitch, it, path)
    for name, router in file.routers.items():
        for index, attached in enumerate(router.networks or ()):
            path = ("routers", name, "networks", index)
            yield from _attachment(router.on, router.vswitch, attached.network, path)


def overlay_attachments(file: model.File) -> Iterator[tuple[Attachment, str]]:
    """Those of `attachments` that are in an overlay, each with its underlay."""
    for attached in attachments(file):
        network = file.networks.get(attached.network)
        if network is not None and network.vxlan is not None and network.underlay is not None:
            yield attached, network.underlay


def free_vlans(taken: Iterable[int | None], wanted: Iterable[str]) -> Mapping[str, int]:
    """A VLAN id for each name of `wanted`, from the highest down, none of `taken`."""
    used = set(taken)
    free = (vlan for vlan in range(4094, 0, -1) if vlan not in used)
    return dict(zip(wanted, free, strict=False))


def _attachment(
    hypervisor: str | None, vswitch: str | None, network: str | None, path: tuple[str | int, ...]
) -> Iterator[Attachment]:
    if hypervisor is not None and vswitch is not None and network is not None:
        yield Attachment(hypervisor=hypervisor, vswitch=vswitch, network=network, path=path)
