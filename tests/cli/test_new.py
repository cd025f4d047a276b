from __future__ import annotations

import re

import pytest

from tests.cli.conftest import CommandLine
from vnetlab.topology.load import load

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
