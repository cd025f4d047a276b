from __future__ import annotations

from pathlib import Path

from vnetlab.topology.hosts import hosts_text
from vnetlab.topology.load import load

LAB = """\
networks:
  web: {vlan: 10, ipv4: 10.10.0.0/24, ipv6: "fd00:10::/64"}
  storage: {vlan: 20, ipv4: 10.20.0.0/24}
vms:
  web1: {nics: [{network: web, ipv4: 10.10.0.11, ipv6: "fd00:10::11"}]}
  db1:
    nics: [{network: web, ipv4: 10.10.0.5, ipv6: "fd00:10::5"}, {network: storage, ipv4: 10.20.0.5}]
routers: {gw: }
"""


def _entries(text: str, tmp_path: Path, name: str = "shop") -> dict[str, list[str]]:
    """The names of each address, as resolvers read the file."""
    file = tmp_path / f"{name}.yaml"
    file.write_text(text)
    words = (line.split() for line in hosts_text(load(file)).splitlines() if line[0] != "#")
    return {address: names for address, *names in words}


def test_a_node_is_named_by_itself_its_lab_its_network_and_its_vnic(tmp_path: Path) -> None:
    """Both families of a VM's vNIC have all its names, the plain one first: it is shown."""
    entries = _entries(LAB, tmp_path)
    assert entries["10.10.0.11"] == ["web1", "web1.web", "web1.eth0", "web1.shop"]
    assert entries["fd00:10::11"] == entries["10.10.0.11"]


def test_the_plain_name_is_the_first_vnics(tmp_path: Path) -> None:
    """A further vNIC is named by its network."""
    entries = _entries(LAB, tmp_path)
    assert entries["10.10.0.5"][0] == "db1"
    assert entries["10.20.0.5"] == ["db1.storage", "db1.eth1"]


def test_a_router_has_a_name_in_each_network(tmp_path: Path) -> None:
    """`gw` is the router's first interface, `gw.storage` the one in that network."""
    entries = _entries(LAB, tmp_path)
    assert entries["10.10.0.1"] == ["gw", "gw.web", "gw.shop"]
    assert entries["10.20.0.1"] == ["gw.storage"]


def test_localhost_stays_the_loopback(tmp_path: Path) -> None:
    """`localhost` is the node itself, even where a VM has that name."""
    entries = _entries(LAB.replace("web1:", "localhost:"), tmp_path)
    assert entries["127.0.0.1"] == ["localhost"]
    assert "localhost" in entries["::1"]
    assert entries["10.10.0.11"] == ["localhost.web", "localhost.eth0", "localhost.shop"]


def test_no_name_has_two_interfaces(tmp_path: Path) -> None:
    """In a lab of a network's name, `db1.storage` is the vNIC in that network."""
    twice = LAB.replace(", {network: storage", ", {network: web}, {network: storage")
    entries = _entries(twice, tmp_path, "storage")
    assert entries["10.20.0.5"] == ["db1.storage", "db1.eth2"]
    assert "db1.storage" not in entries["10.10.0.5"]
    assert ["db1.eth1"] in entries.values()
