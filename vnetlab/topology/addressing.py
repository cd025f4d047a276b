"""Addresses and MACs for whatever the file gives none to (pure).

How it works: each asks for an address by a key of its own (`vm web1 web 0`), and a hash of the key
says which one of the prefix it gets, so that it does not depend on the others. Where two hash to
the same one, the earlier in the file has it and the later hashes again: what is appended to a file
moves nobody, and what is inserted moves another only if it takes exactly that one's address.
Addresses that the file gives are reserved first, and gateways always, whether used or not.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from vnetlab.topology.model import HostNic, Nic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from vnetlab.topology.findings import Findings
    from vnetlab.topology.model import File, Host, RouterNetwork, Vm
    from vnetlab.topology.model import Network as NetworkPart
    from vnetlab.topology.model_overlays import HypervisorNic
    from vnetlab.topology.model_ports import Tagged
    from vnetlab.topology.topology import Address, Interface, Network

    _Nic = Nic | HostNic | HypervisorNic
    _Nics = Mapping[str, tuple[_Nic, ...]]

_HASHED_BITS = 32  # of an IPv6 address, so that it stays readable: fd00::8a2e:370
_MAC_BITS = 40
_LOCAL_MAC = 0x02 << _MAC_BITS  # locally administered, unicast (IEEE 802-2014, 8.4)
_TRIES = 8


class HostRange(Struct, frozen=True):
    """The addresses of a prefix that hosts can have, as numbers."""

    version: int
    first: int
    last: int

    def __contains__(self, address: Address) -> bool:
        return address.version == self.version and self.first <= int(address) <= self.last

    def __str__(self) -> str:
        return f"{self._address(self.first)}-{self._address(self.last)}"

    def _address(self, number: int) -> Address:
        return ip_address(number.to_bytes(4 if self.version == 4 else 16))


class Addresses(Struct, frozen=True, kw_only=True):
    """The addresses and MACs of all interfaces, by the name of the node and the interface's index.

    A router has one MAC, that of its physical port. `tagged` has those of VMs and hosts by the
    index among the nic's tagged networks too.
    """

    vms: Mapping[tuple[str, int], tuple[Interface, ...]]
    vm_macs: Mapping[tuple[str, int], str]
    hosts: Mapping[tuple[str, int], tuple[Interface, ...]]
    host_macs: Mapping[tuple[str, int], str]
    tagged: Mapping[tuple[str, int, int], tuple[Interface, ...]]
    hypervisors: Mapping[tuple[str, int], tuple[Interface, ...]]
    hypervisor_macs: Mapping[tuple[str, int], str]
    routers: Mapping[tuple[str, int], tuple[Interface, ...]]
    router_macs: Mapping[str, str]

    def held(self) -> frozenset[Address]:
        """Every address that somebody has."""
        kinds = (self.vms, self.hosts, self.tagged, self.hypervisors, self.routers)
        return frozenset(
            interface.ip for of_kind in kinds for its in of_kind.values() for interface in its
        )


def host_range(prefix: Network) -> HostRange:
    """The host addresses of `prefix`.

    Not its first address (the network's in IPv4, every router's in IPv6: RFC 4291, 2.6.1), nor
    the last of IPv4 (broadcast); but all of a prefix for two or one (RFC 3021, RFC 6164).
    """
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    if prefix.prefixlen < prefix.max_prefixlen - 1:
        first, last = first + 1, last - (prefix.version == 4)
    return HostRange(prefix.version, first, last)


def prefixes_of(network: NetworkPart) -> tuple[Network, ...]:
    """The network's prefixes, IPv4 before IPv6."""
    return tuple(prefix for prefix in (network.ipv4, network.ipv6) if prefix)


def prefix_of(network: NetworkPart, version: int) -> Network | None:
    """The network's prefix of the IP version 4 or 6."""
    return next((it for it in prefixes_of(network) if it.version == version), None)


def gateways_of(network: NetworkPart) -> tuple[Address, ...]:
    """The addresses that the network's router has, or would have if there were one."""
    given = {address.version: address for address in network.gateway or ()}
    return tuple(
        given.get(prefix.version) or type(prefix.network_address)(host_range(prefix).first)
        for prefix in prefixes_of(network)
    )


def assign_addresses(file: File, findings: Findings) -> Addresses:
    """Addresses and MACs for everything in `file`, which is filled in and has no faults left.

    Adds prefixes that are too small to `findings`.
    """
    pools = _make_pools(file)
    routers = _assign_to_routers(file, pools)
    vms = _assign_to_nics("vm", _nics_of_vms(file), file, pools)
    hosts = _assign_to_nics("host", _nics_of_hosts(file), file, pools)
    tagged = _assign_to_tagged(file, pools)
    hypervisors = _assign_to_nics("hypervisor", _nics_of_hypervisors(file), file, pools)
    for (name, version), pool in pools.items():
        if pool.refused:
            needed = len(pool.taken) + pool.refused
            text = (
                f"{pool.prefix} has {len(pool.taken)} addresses for hosts, "
                f"{needed} are needed (that of the gateway is one of them)"
            )
            findings.add(
                ("networks", name, f"ipv{version}"), text, fix="take a shorter prefix length"
            )
    taken = {_mac_number(nic.mac) for nic in _all_nics(file) if nic.mac}
    router_macs = {name: _take_mac(f"{file.name} router {name}", taken) for name in file.routers}
    return Addresses(
        vms=vms,
        vm_macs=_assign_macs(f"{file.name} vm", _nics_of_vms(file), taken),
        hosts=hosts,
        host_macs=_assign_macs(f"{file.name} host", _nics_of_hosts(file), taken),
        tagged=tagged,
        hypervisors=hypervisors,
        hypervisor_macs=_assign_macs(f"{file.name} hypervisor", _nics_of_hypervisors(file), taken),
        routers=routers,
        router_macs=router_macs,
    )


class _Pool:
    """The host addresses of one prefix, and which of them are taken."""

    def __init__(self, prefix: Network) -> None:
        hosts = host_range(prefix)
        self.prefix = prefix
        self.taken: set[int] = set()  # as offsets from the first host address
        self.refused = 0
        self._first = hosts.first
        self._size = min(hosts.last - hosts.first + 1, 1 << _HASHED_BITS)

    def take(self, key: str) -> tuple[Interface, ...]:
        """The address for `key`; none where all are taken."""
        offset = _choose(key, self._size, self.taken)
        if offset is None:
            self.refused += 1
            return ()
        return (self.reserve(self._first + offset),)

    def reserve(self, number: int) -> Interface:
        """Take the address `number`."""
        self.taken.add(number - self._first)
        kind = IPv4Interface if self.prefix.version == 4 else IPv6Interface
        return kind((number, self.prefix.prefixlen))


def _choose(key: str, size: int, taken: AbstractSet[int]) -> int | None:
    """The number below `size` that `key` hashes to and that is not taken; None if all are."""
    for attempt in range(_TRIES):
        number = _hash(f"{key} {attempt}") % size
        if number not in taken:
            return number
    following = ((number + step) % size for step in range(min(size, len(taken) + 1)))
    return next((number for number in following if number not in taken), None)


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


def _make_pools(file: File) -> dict[tuple[str, int], _Pool]:
    pools: dict[tuple[str, int], _Pool] = {}
    for name, network in file.networks.items():
        for prefix, gateway in zip(prefixes_of(network), gateways_of(network), strict=True):
            pools[name, prefix.version] = _Pool(prefix)
            pools[name, prefix.version].reserve(int(gateway))
    for attached in (*_all_nics(file), *_all_tagged(file), *_of_routers(file)):
        for address in filter(None, (attached.ipv4, attached.ipv6)):
            pools[str(attached.network), address.version].reserve(int(address))
    return pools


def _assign_to_routers(
    file: File, pools: Mapping[tuple[str, int], _Pool]
) -> dict[tuple[str, int], tuple[Interface, ...]]:
    """The first router of a network takes its gateway addresses."""
    assigned = {}
    served: set[tuple[str, int]] = set()
    for name, router in file.routers.items():
        for index, attached in enumerate(router.networks or ()):
            network_name = str(attached.network)
            addresses: tuple[Interface, ...] = ()
            for gateway in gateways_of(file.networks[network_name]):
                pool = pools[network_name, gateway.version]
                given = attached.ipv4 if gateway.version == 4 else attached.ipv6
                if given is not None:
                    addresses += (pool.reserve(int(given)),)
                elif (network_name, gateway.version) in served:
                    addresses += pool.take(f"router {name} {network_name}")
                else:
                    addresses += (pool.reserve(int(gateway)),)
                    served.add((network_name, gateway.version))
            assigned[name, index] = addresses
    return assigned


def _nics_of_vms(file: File) -> _Nics:
    return {name: vm.nics or () for name, vm in file.vms.items()}


def _nics_of_hosts(file: File) -> _Nics:
    return {name: host.nics or () for name, host in file.hosts.items()}


def _nics_of_hypervisors(file: File) -> _Nics:
    return {name: hypervisor.nics or () for name, hypervisor in file.hypervisors.items()}


def _all_nics(file: File) -> Iterator[_Nic]:
    for of_kind in (_nics_of_vms(file), _nics_of_hosts(file), _nics_of_hypervisors(file)):
        for nics in of_kind.values():
            yield from nics


def _all_tagged(file: File) -> Iterator[Tagged]:
    for nic in _all_nics(file):
        if isinstance(nic, Nic | HostNic):
            yield from nic.tagged


def _of_routers(file: File) -> Iterator[RouterNetwork]:
    for router in file.routers.values():
        yield from router.networks or ()


def _assign_to_tagged(
    file: File, pools: Mapping[tuple[str, int], _Pool]
) -> dict[tuple[str, int, int], tuple[Interface, ...]]:
    assigned = {}
    nodes: dict[str, Vm | Host] = {**file.vms, **file.hosts}
    for name, node in nodes.items():
        nics: tuple[Nic | HostNic, ...] = node.nics or ()
        for index, nic in enumerate(nics):
            for place, tagged in enumerate(nic.tagged):
                key = f"tagged {name} {index} {tagged.network}"
                assigned[name, index, place] = _take(key, tagged, file, pools)
    return assigned


def _assign_to_nics(
    kind: str, nics: _Nics, file: File, pools: Mapping[tuple[str, int], _Pool]
) -> dict[tuple[str, int], tuple[Interface, ...]]:
    assigned = {}
    for name, its in nics.items():
        times: Counter[str] = Counter()
        for index, nic in enumerate(its):
            network_name = str(nic.network)
            key = f"{kind} {name} {network_name} {times[network_name]}"
            times[network_name] += 1
            assigned[name, index] = _take(key, nic, file, pools)
    return assigned


def _take(
    key: str, attached: _Nic | Tagged, file: File, pools: Mapping[tuple[str, int], _Pool]
) -> tuple[Interface, ...]:
    """The addresses that the file gives, and those for `key`; none without a network."""
    addresses: tuple[Interface, ...] = ()
    network = file.networks.get(attached.network or "")
    for prefix in prefixes_of(network) if network else ():
        pool = pools[str(attached.network), prefix.version]
        given = attached.ipv4 if prefix.version == 4 else attached.ipv6
        addresses += (pool.reserve(int(given)),) if given else pool.take(key)
    return addresses


def _assign_macs(prefix: str, nics: _Nics, taken: set[int]) -> dict[tuple[str, int], str]:
    return {
        (name, index): nic.mac or _take_mac(f"{prefix} {name} {index}", taken)
        for name, its in nics.items()
        for index, nic in enumerate(its)
    }


def _take_mac(key: str, taken: set[int]) -> str:
    number = _choose(key, 1 << _MAC_BITS, taken)
    assert number is not None, "no lab has 2^40 interfaces"
    taken.add(number)
    return (_LOCAL_MAC | number).to_bytes(6).hex(":")


def _mac_number(mac: str) -> int:
    """The part of `mac` below the byte that ours all begin with; -1 if it begins otherwise."""
    number = int(mac.replace(":", ""), 16)
    return number ^ _LOCAL_MAC if number >> _MAC_BITS == _LOCAL_MAC >> _MAC_BITS else -1
