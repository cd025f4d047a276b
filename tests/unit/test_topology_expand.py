"""`include`, `defaults`, `count` and `groups`: what is said once and stands for more."""

from pathlib import Path

import pytest

from tests.unit.test_topology_load import errors_of, load_text
from vnetlab.topology.kinds import all_items, items_of
from vnetlab.topology.load import load
from vnetlab.topology.model import File
from vnetlab.topology.model_file import Defaults
from vnetlab.topology.store import dump, parse


def write(folder: Path, **files: str) -> Path:
    """Files by their names without the ending; the first is returned."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


def test_included_files_are_one_topology(tmp_path: Path) -> None:
    """Sections are joined, what is included before what includes; the name is the outer file's."""
    path = write(
        tmp_path,
        lab="name: shop\ninclude: [nets.yaml, more.yaml]\nvms: {c: {nics: [web]}}",
        nets="name: nets\nnetworks: {web: {vlan: 10}, db: {vlan: 20}}",
        more="include: nets.yaml\nvms:\n  a: {nics: [db]}\n  b: {nics: [web]}\n",
    )
    lab = load(path)
    assert lab.name == "shop"
    assert [segment.name for segment in lab.segments] == ["web", "db"]
    assert [vm.name for vm in lab.vms] == ["a", "b", "c"]


def test_an_include_is_relative_to_its_own_file(tmp_path: Path) -> None:
    """A file in a folder includes what is beside it, and each object's line names its file."""
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", vms="include: nets.yaml\nvms:\n  a:\n", nets="networks: {web: }")
    lab = load(write(tmp_path, lab="include: parts/vms.yaml\nvms: {b: }"))
    assert dict(lab.lines) == {
        "networks.web": f"{tmp_path}/parts/nets.yaml:1",
        "vms.a": f"{tmp_path}/parts/vms.yaml:3",
        "vms.b": f"{tmp_path}/lab.yaml:2",
    }


def test_every_file_is_a_template_with_the_same_variables(tmp_path: Path) -> None:
    """A variable counts as used if any of the files uses it."""
    text = "vms: { {% for i in range(n) %} v{{ i }}: , {% endfor %} }"
    path = write(tmp_path, lab="include: vms.yaml", vms=text)
    assert len(load(path, {"n": 3}).vms) == 3
    assert errors_of(path, n=1, m=2) == ["lab.yaml: uses no variable 'm'; choose from n"]


def test_what_is_wrong_in_an_included_file_is_told_there(tmp_path: Path) -> None:
    """File and line are those of the file that says it."""
    path = write(tmp_path, lab="include: vms.yaml\nnetworks: {web: }", vms="vms:\n  a: {nics: [x]}")
    assert errors_of(path) == ["vms.yaml:2:14 vms.a.nics[0]: no network 'x'; choose from web"]


def test_lists_of_several_files_are_one_after_the_other(tmp_path: Path) -> None:
    """Group members cannot be joined, but whole sections can be empty, and no list is lost."""
    path = write(tmp_path, lab="include: x.yaml\nvms:\ngroups: {g: a}", x="vms: {a: }")
    assert [group.nodes for group in load(path).groups] == [("a",)]


def test_every_kind_of_object_has_defaults() -> None:
    """A section or list of objects that is new to the model is one of `defaults`, too."""
    assert set(Defaults.model_fields) == set(all_items())
    sections = {key for key, part in items_of(File).items() if part.takes_defaults}
    assert sections <= set(Defaults.model_fields)


def test_defaults_are_for_what_objects_do_not_say(tmp_path: Path) -> None:
    """Those that the file names and those that it takes for granted; nothing unsets a default."""
    lab = load_text(
        tmp_path,
        """
        defaults:
          networks: {mtu: 9000}
          pnics: {rate: 1gbit, delay: 1ms}
          vms: {on: hv2, nics: [web, {network: db}]}
        networks: {web: {vlan: 10}, db: {vlan: 20, mtu: 1400}}
        hypervisors: {hv1: {pnics: {eno1: {rate: }, eno2: {delay: 0, vlans: []}}}, hv2: }
        vms: {a: , b: {on: hv1, nics: [db]}}
        """,
    )
    assert [segment.mtu for segment in lab.segments] == [9000, 1400]
    shaping = [
        (p.cable.outbound.rate_bit_s, p.cable.outbound.delay_ns)
        for hv in lab.hypervisors
        for p in hv.pnics
    ]
    assert shaping == [(None, 10**6), (10**9, 0), (10**9, 10**6)]
    assert [(vm.name, vm.hypervisor, len(vm.nics)) for vm in lab.vms] == [
        ("a", "hv2", 2),
        ("b", "hv1", 1),
    ]


def test_defaults_reach_the_objects_in_defaults(tmp_path: Path) -> None:
    """A hypervisor's pNICs that are themselves a default have the defaults of pNICs."""
    lab = load_text(
        tmp_path,
        """
        defaults: {hypervisors: {pnics: {up: , down: {vlans: []}}}, pnics: {delay: 1ms}}
        networks: {web: {vlan: 10}}
        """,
    )
    assert [(p.name, p.cable.outbound.delay_ns) for p in lab.hypervisors[0].pnics] == [
        ("up", 10**6),
        ("down", 10**6),
    ]


def test_a_count_makes_many_and_a_group(tmp_path: Path) -> None:
    """`web` with `count: 3` is web1, web2, web3; as a group, it is all of them."""
    lab = load_text(
        tmp_path,
        """
        hypervisors: {hv: {count: 2}, big: }
        vms: {web: {count: 3, on: hv}, db: {count: 1, on: big}, a: {on: big}}
        groups: {all: [back, web], back: [db, big], web-too: web}
        """,
    )
    assert [(vm.name, vm.hypervisor) for vm in lab.vms] == [
        ("web1", "hv1"),
        ("web2", "hv2"),
        ("web3", "hv1"),
        ("db1", "big"),
        ("a", "big"),
    ]
    groups = {group.name: group.nodes for group in lab.groups}
    assert groups["hv"] == ("hv1", "hv2")
    assert groups["all"] == ("db1", "big", "web1", "web2", "web3")
    assert groups["web-too"] == groups["web"] == ("web1", "web2", "web3")
    lines = dict(lab.lines)
    assert lines["vms.web1"] == lines["vms.web3"] == f"{tmp_path}/lab.yaml:3"
    assert "vms.web" not in lines
    assert parse(dump(lab)) == lab


def test_more_of_a_count_move_nobody(tmp_path: Path) -> None:
    """Addresses and MACs of those that were there stay."""
    few, many = (
        load_text(tmp_path, f"vms: {{web: {{count: {count}}}}}").vms for count in (20, 100)
    )
    assert many[:20] == few


@pytest.mark.parametrize("name", ["/dev/zero", "x" * 5000, "../lab.yaml/x", "a\\0b"])
def test_what_is_no_file_is_not_included(tmp_path: Path, name: str) -> None:
    """Devices, impossible names: one problem, in the line of the include."""
    (error,) = errors_of(write(tmp_path, lab=f'vms: {{a: }}\ninclude: ["{name}"]\n'))
    assert error.startswith("lab.yaml:2:11 include[0]: ")
