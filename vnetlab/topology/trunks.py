"""The links between switches, virtual ones too, and what each end of them carries (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vnetlab.topology.defaults import NATIVE_VLAN, vlans_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vnetlab.topology.document import Path
    from vnetlab.topology.model import File
    from vnetlab.topology.model_cables import Trunk

NO_VLAN = 0
"""Stands for the only VLAN of a file that has none, where every frame is without a tag."""


class TrunkPort(Struct, frozen=True, kw_only=True):
    """A switch's port at one end of a link; `native` is None where it takes no untagged frames."""

    switch: str
    vlans: frozenset[int]
    native: int | None


class InterSwitchLink(Struct, frozen=True, kw_only=True):
    """A link between two physical switches, or the uplink of a vSwitch, written at `path`.

    `is_spare` says that it is of a team but not its first pNIC: the vSwitch uses one at a time,
    or all of them as one.
    """

    path: Path
    ports: tuple[TrunkPort, TrunkPort]
    is_spare: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """The names of the two switches; that of a vSwitch is `HYPERVISOR.VSWITCH`."""
        return self.ports[0].switch, self.ports[1].switch

    def carries(self, vlan: int) -> bool:
        """Whether both ends let the VLAN pass."""
        return all(vlan in port.vlans for port in self.ports)


def trunks_of(file: File) -> Iterator[tuple[Path, Trunk]]:
    """Every pNIC and every link of switches, as the file says it."""
    for name, hypervisor in file.hypervisors.items():
        for pnic_name, pnic in (hypervisor.pnics or {}).items():
            yield ("hypervisors", name, "pnics", pnic_name), pnic
    for name, switch in file.physical_switches.items():
        for index, link in enumerate(switch.links):
            yield ("physical_switches", name, "links", index), link


def inter_switch_links(file: File) -> Iterator[InterSwitchLink]:
    """Every link between switches that the file has, as far as its ends are there."""
    everything = frozenset(vlans_of(file.networks.values())) or frozenset({NO_VLAN})
    for name, switch in file.physical_switches.items():
        for index, link in enumerate(switch.links):
            if link.to in file.physical_switches and link.to != name:
                near = _trunk_port(name, link, link.native, everything)
                far = _trunk_port(link.to, link, link.peer_native or link.native, everything)
                path: Path = ("physical_switches", name, "links", index)
                yield InterSwitchLink(path=path, ports=(near, far))
    for name, hypervisor in file.hypervisors.items():
        for vswitch_name, vswitch in (hypervisor.vswitches or {}).items():
            inner = _trunk_port(f"{name}.{vswitch_name}", None, None, everything)
            for index, pnic_name in enumerate(vswitch.pnics or ()):
                pnic = (hypervisor.pnics or {}).get(pnic_name)
                if pnic and pnic.to in file.physical_switches:
                    yield InterSwitchLink(
                        path=("hypervisors", name, "pnics", pnic_name),
                        ports=(inner, _trunk_port(pnic.to, pnic, pnic.native, everything)),
                        is_spare=vswitch.teaming is not None and index > 0,
                    )


def _trunk_port(
    switch: str, trunk: Trunk | None, native: int | None, everything: frozenset[int]
) -> TrunkPort:
    """A port that carries what `trunk` says, or everything."""
    vlans = trunk.vlans if trunk else None
    carried = everything if vlans is None else frozenset(vlans)
    untagged = NO_VLAN if NO_VLAN in everything else native or NATIVE_VLAN
    return TrunkPort(switch=switch, vlans=carried, native=untagged if untagged in carried else None)


def join_ends(joined: dict[str, str], one: str, two: str) -> bool:
    """Note that the two ends are joined; False if they were."""
    roots = root_of(joined, one), root_of(joined, two)
    joined[roots[0]] = roots[1]
    return roots[0] != roots[1]


def root_of(joined: dict[str, str], end: str) -> str:
    """The end that stands for all that `end` is joined to."""
    while joined.get(end, end) != end:
        end = joined[end]
    return end
