"""Assigned addresses and MACs: stable, unique, usable."""

from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vnetlab.topology.addressing import gateways_of, host_range
from vnetlab.topology.load import load
from vnetlab.topology.model import Network
from vnetlab.topology.store import dump
from vnetlab.topology.topology import Topology

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), unique=True, max_size=30)
in_one_directory = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
RESERVED = {"hv1", "tor1", "gw"}
IPV6 = "fd00:10::/64"


def load_vms(directory: Path, names: list[str], ipv4: str = "10.0.0.0/24") -> Topology:
    """A lab with the VMs `names`, a router, and the network `lan`."""
    path = directory / "lab.yaml"
    network = {"ipv4": ipv4, "ipv6": IPV6}
    vms = {name: None for name in names if name not in RESERVED}
    content = {"networks": {"lan": network}, "vms": vms, "routers": {"gw": None}}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load(path)


def addresses_of(topology: Topology) -> dict[str, tuple[str, ...]]:
    """MAC and addresses of every VM's first vNIC."""
    return {vm.name: (vm.nics[0].mac, *map(str, vm.nics[0].addresses)) for vm in topology.vms}


@in_one_directory
@given(names=NAMES)
def test_appending_a_vm_moves_nobody(tmp_path: Path, names: list[str]) -> None:
    """All earlier VMs keep their MACs and addresses, in a prefix that is nearly full too."""
    before = addresses_of(load_vms(tmp_path, names, "10.0.0.0/26"))
    after = addresses_of(load_vms(tmp_path, [*names, "appended-vm"], "10.0.0.0/26"))
    assert after.items() >= before.items()


@in_one_directory
@given(names=NAMES, data=st.data())
def test_inserting_a_vm_moves_nobody_in_a_wide_prefix(
    tmp_path: Path, names: list[str], data: st.DataObject
) -> None:
    """Where addresses are plenty, the order of the file does not matter."""
    index = data.draw(st.integers(0, len(names)))
    before = addresses_of(load_vms(tmp_path, names, "10.0.0.0/8"))
    inserted = [*names[:index], "inserted-vm", *names[index:]]
    after = addresses_of(load_vms(tmp_path, inserted, "10.0.0.0/8"))
    assert after.items() >= before.items()


@in_one_directory
@given(names=NAMES)
def test_addresses_are_unique_and_usable(tmp_path: Path, names: list[str]) -> None:
    """No two alike, none of the network, its broadcast or its gateway; MACs are local unicast."""
    lab = load_vms(tmp_path, names, "10.0.0.0/26")
    assert dump(lab) == dump(load_vms(tmp_path, names, "10.0.0.0/26"))
    nics = [nic for vm in lab.vms for nic in vm.nics]
    addresses = [interface.ip for nic in nics for interface in nic.addresses]
    macs = [nic.mac for nic in nics] + [router.mac for router in lab.routers]
    assert len({*addresses}) == len(addresses) == 2 * len(nics)
    assert not {*addresses} & {*lab.segments[0].gateways}
    assert len({*macs}) == len(macs)
    assert all(mac.startswith("02:") for mac in macs)
    for prefix in lab.segments[0].prefixes:
        hosts = host_range(prefix)
        assert all(address in hosts for address in addresses if address.version == prefix.version)


def test_every_address_of_a_prefix_can_be_assigned(tmp_path: Path) -> None:
    """A /28 holds its router and 13 VMs."""
    lab = load_vms(tmp_path, [f"vm{index}" for index in range(13)], "10.0.0.0/28")
    ends = {int(nic.addresses[0].ip) & 15 for vm in lab.vms for nic in vm.nics}
    assert ends == set(range(2, 15))


def test_addresses_stay_the_same_in_every_version(tmp_path: Path) -> None:
    """A lab that is up keeps its addresses when vnetlab is updated: changing this breaks it."""
    assert addresses_of(load_vms(tmp_path, ["web1", "web2"])) == {
        "web1": ("02:79:4d:fb:9c:75", "10.0.0.74/24", "fd00:10::2d66:3c1a/64"),
        "web2": ("02:cb:38:54:d5:d6", "10.0.0.103/24", "fd00:10::cc6f:39c3/64"),
    }


def test_fixed_addresses_are_reserved_before_others_are_assigned(tmp_path: Path) -> None:
    """A later VM's fixed address is not given to an earlier one."""
    taken = addresses_of(load_vms(tmp_path, ["a"]))["a"][1].removesuffix("/24")
    path = tmp_path / "lab.yaml"
    path.write_text(path.read_text() + "hypervisors: {hv1: }\n")
    text = path.read_text().replace("  a: null\n", f"  a:\n  b: {{nics: [{{ipv4: {taken}}}]}}\n")
    path.write_text(text)
    moved = addresses_of(load(path))
    assert moved["b"][1] == f"{taken}/24"
    assert moved["a"][1] != f"{taken}/24"


def test_two_vnics_in_one_network_have_addresses_each(tmp_path: Path) -> None:
    """A VM may have a network twice."""
    path = tmp_path / "lab.yaml"
    path.write_text("vms: {a: {nics: [lan, lan]}}")
    first, second = load(path).vms[0].nics
    assert first.addresses != second.addresses
    assert first.mac != second.mac


@pytest.mark.parametrize(
    ("prefix", "hosts", "gateway"),
    [
        ("10.0.0.0/24", "10.0.0.1-10.0.0.254", "10.0.0.1"),
        ("10.0.0.0/30", "10.0.0.1-10.0.0.2", "10.0.0.1"),
        ("10.0.0.0/31", "10.0.0.0-10.0.0.1", "10.0.0.0"),
        ("10.0.0.7/32", "10.0.0.7-10.0.0.7", "10.0.0.7"),
        ("fd00::/64", "fd00::1-fd00::ffff:ffff:ffff:ffff", "fd00::1"),
        ("fd00::/127", "fd00::-fd00::1", "fd00::"),
    ],
)
def test_a_prefix_has_its_host_addresses(prefix: str, hosts: str, gateway: str) -> None:
    """All but those that no host can have; the gateway is the first."""
    network = ip_network(prefix)
    assert str(host_range(network)) == hosts
    part = Network.model_validate({f"ipv{network.version}": prefix})
    assert [str(address) for address in gateways_of(part)] == [gateway]
