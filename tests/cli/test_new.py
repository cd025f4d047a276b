from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from vnetlab.topology.generators import leaf_spine
from vnetlab.topology.load import load, load_with_warnings

SUGGESTION = re.compile(r" *# ([a-z_0-9]+:|- )")
"""A line of the starter that is a key or an item, but for its `#`."""


def test_a_starter_is_a_valid_topology(vnetlab: CommandLine) -> None:
    """What `new` writes has comments, and can be built as it is."""
    done = vnetlab("new", "shop.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "wrote shop.yaml; 'vnetlab up shop.yaml' builds the lab\n"
    text = (vnetlab.home / "shop.yaml").read_text()
    assert text.startswith("# ")
    assert "vnetlab up shop.yaml " in text
    topology = load(vnetlab.home / "shop.yaml")
    assert (topology.name, len(topology.vms), len(topology.routers)) == ("shop", 3, 1)


def test_what_is_commented_out_is_valid_too(vnetlab: CommandLine) -> None:
    """The suggestions of the starter work once their # is removed."""
    vnetlab("new", "shop.yaml")
    text = (vnetlab.home / "shop.yaml").read_text()
    (vnetlab.home / "others.yaml").write_text("vms: {other: {on: hv1, nics: [web]}}\n")
    lines = [
        line.replace("# ", "", 1) if SUGGESTION.match(line) else line
        for line in text.splitlines()
        if "eno1: {rate" not in line
    ]
    (vnetlab.home / "shop.yaml").write_text("\n".join(lines))
    topology = load(vnetlab.home / "shop.yaml")
    assert [segment.name for segment in topology.segments] == ["web", "db", "storage"]
    assert topology.hypervisors[1].pnics[0].vlans == (20,)
    assert [vm.name for vm in topology.vms][-4:] == ["more1", "more2", "more3", "more4"]
    assert topology.vms[0].name == "other"
    assert len(topology.vms[3].nics) == 3


@pytest.mark.parametrize("hosts", [1, 3, 300])
def test_a_star_has_as_many_hosts_as_are_asked_for(vnetlab: CommandLine, hosts: int) -> None:
    """A VM on each of N hypervisors; `--set hosts=` makes it another number."""
    assert vnetlab("new", "star.yaml", "--star", str(hosts)).returncode == 0
    topology = load(vnetlab.home / "star.yaml")
    assert len(topology.vms) == len(topology.hypervisors) == hosts
    assert len(load(vnetlab.home / "star.yaml", {"hosts": 2}).vms) == 2


def test_a_file_that_is_there_is_never_written_over(vnetlab: CommandLine) -> None:
    """Exit code 2, and the file stays as it was."""
    (vnetlab.home / "lab.yaml").write_text("mine\n")
    done = vnetlab("new", "lab.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "lab.yaml is there already" in done.stderr
    assert (vnetlab.home / "lab.yaml").read_text() == "mine\n"


@pytest.mark.parametrize("words", [("none/lab.yaml",), (".",), ("lab.yaml", "--star", "0")])
def test_what_cannot_be_written_is_told(vnetlab: CommandLine, words: tuple[str, ...]) -> None:
    """No directory, a directory, no hosts: a message and exit code 2."""
    done = vnetlab("new", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("leaves", "spines", "vms"), [(1, 1, 0), (4, 2, 8), (12, 9, 100)])
def test_a_leaf_spine_links_every_leaf_to_every_spine(
    vnetlab: CommandLine, leaves: int, spines: int, vms: int
) -> None:
    """As many of each as are asked for; the file is a template, so --set makes it another size."""
    words = ("--leaf-spine", leaves, spines, "--vms", vms)
    assert vnetlab("new", "fabric.yaml", *map(str, words)).returncode == 0
    topology, warnings = load_with_warnings(vnetlab.home / "fabric.yaml")
    links = [link for switch in topology.physical_switches for link in switch.links]
    assert len(topology.physical_switches) == leaves + spines
    assert len(links) == leaves * spines
    assert (len(topology.hypervisors), len(topology.vms)) == (leaves, vms)
    assert warnings == () or vms < 2
    fewer = load(vnetlab.home / "fabric.yaml", {"leaves": 2, "vms": 3})
    assert (len(fewer.hypervisors), len(fewer.vms)) == (2, 3)


def test_a_leaf_spine_has_two_vms_on_each_leaf(vnetlab: CommandLine) -> None:
    """Unless --vms says otherwise."""
    assert vnetlab("new", "fabric.yaml", "--leaf-spine", "3", "1").returncode == 0
    on = [vm.hypervisor for vm in load(vnetlab.home / "fabric.yaml").vms]
    assert on == ["hv1", "hv1", "hv2", "hv2", "hv3", "hv3"]


def test_the_shipped_leaf_spine_is_what_new_writes() -> None:
    """`vnetlab new topologies/leaf-spine.yaml --leaf-spine 3 2 --vms 6`."""
    file = "topologies/leaf-spine.yaml"
    text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
    assert text == leaf_spine(file, leaves=3, spines=2, vms=6)


@pytest.mark.parametrize("k", [2, 4, 8])
def test_a_fat_tree_has_its_switches_links_and_hosts(vnetlab: CommandLine, k: int) -> None:
    """5k²/4 switches, k³/2 links between them, k³/4 hosts, no hypervisor."""
    assert vnetlab("new", "tree.yaml", "--fat-tree", str(k)).returncode == 0
    topology, warnings = load_with_warnings(vnetlab.home / "tree.yaml")
    links = [link for switch in topology.physical_switches for link in switch.links]
    assert len(topology.physical_switches) == 5 * k * k // 4
    assert len(links) == k**3 // 2
    assert (len(topology.hosts), len(topology.hypervisors)) == (k**3 // 4, 0)
    assert warnings == ()


@pytest.mark.parametrize(
    "words",
    [
        ("--leaf-spine", "0", "2"),
        ("--leaf-spine", "2", "2", "--star", "3"),
        ("--vms", "3"),
        ("--fat-tree", "3"),
        ("--fat-tree", "18"),
    ],
)
def test_shapes_that_cannot_be_are_told(vnetlab: CommandLine, words: tuple[str, ...]) -> None:
    """No leaves, two shapes at once, an odd fat tree: a message, exit code 2, no file."""
    done = vnetlab("new", "lab.yaml", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (vnetlab.home / "lab.yaml").exists()
