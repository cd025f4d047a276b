"""Overlay networks and hypervisors' own interfaces as a user writes them (pure)."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from vnetlab.topology.forms import Address4, Address6, Mac, Port, Text, number_form
from vnetlab.topology.part import Part
from vnetlab.topology.values import parse_integer

VNIS = (1, (1 << 24) - 1)
VXLAN_PORT = 4789
"""IANA's for VXLAN (RFC 7348, 8)."""

VNI_FORM = number_form("VNI", "VXLAN network identifier: RFC 7348, section 5.", VNIS, 5001)


def _parse_vni(value: object) -> int:
    return parse_integer(value, *VNIS)


Vni = Annotated[int, BeforeValidator(_parse_vni), WithJsonSchema(VNI_FORM)]


class Vxlan(Part):
    """How an overlay network goes from hypervisor to hypervisor. Short form: its `id`."""

    model_config = ConfigDict(title="VXLAN")

    id: Vni | None = Field(default=None, description="VNI, of no other network. Default: asked.")
    port: Port = Field(default=VXLAN_PORT, description="UDP port that the VTEPs use.")


class HypervisorNic(Part):
    """An interface of a hypervisor itself: vmk0, vmk1... Short form: its `network`."""

    model_config = ConfigDict(title="hypervisor NIC")
    takes_defaults: ClassVar[bool] = False

    network: Text | None = Field(default=None, description="Network. Default: the only one.")
    ipv4: Address4 | None = Field(default=None, description="IPv4 address. Default: assigned.")
    ipv6: Address6 | None = Field(default=None, description="IPv6 address. Default: assigned.")
    mac: Mac | None = Field(
        default=None, description="MAC address. Default: assigned, and begins with 02."
    )
    vswitch: Text | None = Field(
        default=None,
        description="vSwitch that it is connected to. Default: the only one that has pNICs.",
    )
