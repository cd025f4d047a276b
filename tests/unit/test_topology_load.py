"""Loading: from the file to the resolved topology."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from pathlib import Path

import pytest

from vnetlab.errors import TopologyError
from vnetlab.topology.cables import Cable, Shaping
from vnetlab.topology.load import load
from vnetlab.topology.store import dump, parse
from vnetlab.topology.topology import Topology

PLAIN = Cable(outbound=Shaping(), inbound=Shaping(), mtu=None)
SHIPPED = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))


def load_text(tmp_path: Path, text: str, /, **variables: object) -> Topology:
    """Load `text` as the file `lab.yaml`."""
    path = tmp_path / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, variables)


def errors_of(path: Path, /, **variables: object) -> list[str]:
    """What loading `path` complains about, without the directory."""
    with pytest.raises(TopologyError) as caught:
        load(path, variables)
    return str(caught.value).replace(f"{path.parent}/", "").split("\n")


def test_two_vms_and_nothing_else_make_a_lab(tmp_path: Path) -> None:
    """`vms: {a: {}, b: {}}` gives two VMs in one network on one hypervisor, without VLANs."""
    lab = load_text(tmp_path, "vms: {a: {}, b: {}}")
    assert lab.name == "lab"
    (segment,) = lab.segments
    assert (segment.name, segment.vlan, segment.mtu) == ("lan", None, 1500)
    assert segment.prefixes == (IPv4Network("10.0.0.0/24"),)
    assert segment.gateways == ()
    assert lab.physical_switches == ()
    (hypervisor,) = lab.hypervisors
    assert (hypervisor.name, hypervisor.pnics) == ("hv1", ())
    assert [vswitch.name for vswitch in hypervisor.vswitches] == ["vs0"]
    assert [(vm.name, vm.hypervisor) for vm in lab.vms] == [("a", "hv1"), ("b", "hv1")]
    assert {nic.vswitch for vm in lab.vms for nic in vm.nics} == {"vs0"}


def test_a_second_hypervisor_brings_uplinks_and_a_physical_switch(tmp_path: Path) -> None:
    """Hypervisors without pNICs get one each, to one physical switch, with all VLANs."""
    lab = load_text(
        tmp_path,
        """
        networks: {web: {vlan: 10}, old: {}}
        hypervisors: {hv1: {}, hv2: {}}
        """,
    )
    assert [switch.name for switch in lab.physical_switches] == ["tor1"]
    for hypervisor in lab.hypervisors:
        (pnic,) = hypervisor.pnics
        assert (pnic.name, pnic.switch, pnic.cable) == ("eno1", "tor1", PLAIN)
        assert pnic.vlans == (1, 10)
        assert hypervisor.vswitches[0].pnics == ("eno1",)


def test_an_empty_mapping_of_pnics_means_none(tmp_path: Path) -> None:
    """`pnics: {}` keeps a hypervisor off the physical network."""
    lab = load_text(tmp_path, "hypervisors: {hv1: {pnics: {}}, hv2: {}}")
    assert [len(hypervisor.pnics) for hypervisor in lab.hypervisors] == [0, 1]


def test_pnics_that_no_vswitch_names_go_to_the_first_that_does_not_say(tmp_path: Path) -> None:
    """Uplinks are shared out among vSwitches without asking for what is clear."""
    lab = load_text(
        tmp_path,
        """
        physical_switches: {tor1: {}, tor2: {}}
        hypervisors:
          hv1:
            pnics: {eno1: tor1, eno2: tor2, eno3: tor1}
            vswitches: {front: {pnics: [eno3]}, back: {}, inside: {}}
        """,
    )
    vswitches = {vswitch.name: vswitch.pnics for vswitch in lab.hypervisors[0].vswitches}
    assert vswitches == {"front": ("eno3",), "back": ("eno1", "eno2"), "inside": ()}


def test_default_prefixes_follow_the_vlan(tmp_path: Path) -> None:
    """A network without a prefix has 10.x.y.0/24, where x and y are its VLAN's two bytes."""
    lab = load_text(tmp_path, "networks: {a: {vlan: 10}, b: {vlan: 4094}, c: {}}")
    assert [str(segment.prefixes[0]) for segment in lab.segments] == [
        "10.0.10.0/24",
        "10.15.254.0/24",
        "10.0.1.0/24",
    ]


def test_the_first_router_of_a_network_is_its_gateway(tmp_path: Path) -> None:
    """It takes the first host address or that which `gateway` says; the next gets another."""
    lab = load_text(
        tmp_path,
        """
        networks:
          web: {vlan: 10, ipv4: 10.1.0.0/24, ipv6: "fd00:1::/64", gateway: 10.1.0.254}
          db: {vlan: 20, ipv4: 10.2.0.0/24}
        routers: {gw1: {networks: [web]}, gw2: {}}
        """,
    )
    web, db = lab.segments
    assert web.gateways == (IPv4Address("10.1.0.254"), IPv6Address("fd00:1::1"))
    assert db.gateways == (IPv4Address("10.2.0.1"),)
    first, second = lab.routers
    assert first.interfaces[0].addresses == (
        IPv4Interface("10.1.0.254/24"),
        IPv6Interface("fd00:1::1/64"),
    )
    assert [interface.segment for interface in second.interfaces] == ["web", "db"]
    assert not set(second.interfaces[0].addresses) & set(first.interfaces[0].addresses)
    assert second.interfaces[1].addresses == (IPv4Interface("10.2.0.1/24"),)
    assert first.mac != second.mac


def test_what_the_file_gives_is_taken(tmp_path: Path) -> None:
    """Addresses, MACs, rates, delays and VLANs come out as they were written."""
    lab = load_text(
        tmp_path,
        """
        name: given
        networks: {web: {vlan: 10, ipv4: 10.1.0.0/24, ipv6: "fd00::/64", mtu: 9000}}
        hypervisors: {hv1: {pnics: {up: {rate: 1.5mbit, delay: 1.5ms, vlans: [20, 10, 20]}}}}
        vms: {a: {nics: [{ipv4: 10.1.0.7, ipv6: "fd00::7", mac: 52:54:00:AB:00:01}, web]}}
        """,
    )
    assert (lab.name, lab.segments[0].mtu) == ("given", 9000)
    (pnic,) = lab.hypervisors[0].pnics
    shaping = Shaping(rate_bit_s=1_500_000, delay_ns=1_500_000)
    assert pnic.cable == Cable(outbound=shaping, inbound=shaping, mtu=None)
    assert pnic.vlans == (10, 20)
    first, second = lab.vms[0].nics
    assert (first.name, second.name) == ("eth0", "eth1")
    assert first.mac == "52:54:00:ab:00:01"
    assert first.addresses == (IPv4Interface("10.1.0.7/24"), IPv6Interface("fd00::7/64"))
    assert not set(first.addresses) & set(second.addresses)


def test_yaml_has_no_surprises(tmp_path: Path) -> None:
    """Keys and plain words such as `no`, `on`, `1e3` and `010` are names, as in YAML 1.2."""
    lab = load_text(tmp_path, "networks: {no: {vlan: 010}}\nvms: {on: {nics: [no]}, 1e3: , 0x1: }")
    assert [vm.name for vm in lab.vms] == ["on", "1e3", "0x1"]
    assert (lab.segments[0].name, lab.segments[0].vlan) == ("no", 10)


def test_aliases_work(tmp_path: Path) -> None:
    """An alias stands for what its anchor marks."""
    lab = load_text(tmp_path, "vms: {a: &vm {nics: [lan, lan]}, b: *vm}")
    assert [len(vm.nics) for vm in lab.vms] == [2, 2]


def test_a_name_of_sixty_characters_is_a_name(tmp_path: Path) -> None:
    """Names may be longer than those of the kernel."""
    name = "web-" + "x" * 56
    lab = load_text(tmp_path, f"vms: {{{name}: }}")
    assert lab.vms[0].name == name


@pytest.mark.parametrize(
    ("file", "name"),
    [("My Lab.yaml", "my-lab"), ("two.v2.yaml.j2", "two"), ("___.yaml", "lab"), (".yaml", "lab")],
)
def test_the_lab_is_named_after_its_file(tmp_path: Path, file: str, name: str) -> None:
    """The file's name up to its first dot, made a valid name."""
    path = tmp_path / file
    path.write_text("vms: {a: }")
    assert load(path).name == name


def test_lines_say_where_each_object_is(tmp_path: Path) -> None:
    """Each object that the file writes has an entry; defaults have none."""
    lab = load_text(
        tmp_path,
        """\
networks: {lan: }
hypervisors:
  hv1:
    pnics:
      eno1:
        rate: 1gbit
    vswitches: {vs0: }
vms:
  a:
    nics:
      - lan
      - network: lan
routers:
  gw: {networks: [lan]}
""",
    )
    where = {path: line.removeprefix(f"{tmp_path}/") for path, line in lab.lines}
    assert where == {
        "networks.lan": "lab.yaml:1",
        "hypervisors.hv1": "lab.yaml:3",
        "hypervisors.hv1.pnics.eno1": "lab.yaml:5",
        "hypervisors.hv1.vswitches.vs0": "lab.yaml:7",
        "vms.a": "lab.yaml:9",
        "vms.a.nics[0]": "lab.yaml:11",
        "vms.a.nics[1]": "lab.yaml:12",
        "routers.gw": "lab.yaml:14",
        "routers.gw.networks[0]": "lab.yaml:14",
    }
    assert list(lab.lines) == sorted(lab.lines)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_topologies_load_and_survive_the_store(path: Path) -> None:
    """Every file in topologies/ loads, always equal, and comes back from the store the same."""
    topology = load(path)
    assert dump(load(path)) == dump(topology)
    assert parse(dump(topology)) == topology


def test_the_demo_topology_can_lose_a_vlan() -> None:
    """`hv2_vlans` says which VLANs tor1's trunk port to hv2 carries."""
    path = next(path for path in SHIPPED if path.stem == "two-hypervisors")
    _, hv2 = load(path, {"hv2_vlans": [20]}).hypervisors
    assert hv2.pnics[0].vlans == (20,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "topology": {}}'])
def test_what_is_not_a_stored_topology_is_refused(text: str) -> None:
    """The store raises ValueError for anything that this version did not write."""
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error has the path as it was given."""
    assert errors_of(tmp_path / "lab.yaml") == ["lab.yaml: there is no such file"]


def test_a_directory_is_no_topology(tmp_path: Path) -> None:
    """A directory is refused as such."""
    (tmp_path / "labs").mkdir()
    assert errors_of(tmp_path / "labs") == ["labs: got a directory, expected a topology file"]


def test_a_file_below_a_file_cannot_be_read(tmp_path: Path) -> None:
    """What the system refuses is told in its words."""
    (tmp_path / "lab.yaml").touch()
    (error,) = errors_of(tmp_path / "lab.yaml" / "lab.yaml")
    assert error.endswith("cannot be read: Not a directory")


def test_a_file_without_end_is_refused() -> None:
    """Reading stops at the size limit."""
    assert errors_of(Path("/dev/zero")) == ["zero: got more than 16 MiB, expected less"]


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """The first byte that is not UTF-8 is named with its place."""
    (tmp_path / "lab.yaml").write_bytes("vms:\n  a: # größe\n".encode() + b"  \xe4: {}\n")
    assert errors_of(tmp_path / "lab.yaml") == [
        "lab.yaml:3:3 got byte 0xe4, expected text in UTF-8; save the file as UTF-8"
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark_do_not_matter(tmp_path: Path, ends: str) -> None:
    """Files of other systems load, and their errors have the right place."""
    text = ends.join(["\ufeffvms:", "  # größe", "  a: {no: 1}", ""])
    (tmp_path / "lab.yaml").write_bytes(text.encode())
    (error,) = errors_of(tmp_path / "lab.yaml")
    assert error.startswith("lab.yaml:3:7 vms.a.no: unknown key")


def test_control_characters_are_refused(tmp_path: Path) -> None:
    """What YAML does not allow is named by its code point."""
    (tmp_path / "lab.yaml").write_bytes(b"vms:\n  a\x07: {}\n")
    assert errors_of(tmp_path / "lab.yaml") == [
        "lab.yaml:2:4 got the character U+0007, which YAML does not allow"
    ]


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    """Nesting that would exhaust the stack is an error like any other."""
    (tmp_path / "lab.yaml").write_text("vms: " + "[" * 100_000)
    (error,) = errors_of(tmp_path / "lab.yaml")
    assert error.startswith("lab.yaml:1:")


def test_loading_a_plain_file_imports_no_jinja2(tmp_path: Path) -> None:
    """Only a file with a template in it pays for templates."""
    path = tmp_path / "lab.yaml"
    path.write_text("vms: {a: }")
    program = (
        "import sys; from pathlib import Path; from vnetlab.topology.load import load; "
        f"load(Path({str(path)!r})); sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_store_imports_no_pydantic() -> None:
    """Commands that only read a cached topology start fast."""
    program = (
        "import sys, vnetlab.topology.store; sys.exit(bool({'pydantic', 'yaml'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
