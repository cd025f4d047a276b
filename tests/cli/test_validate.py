from __future__ import annotations

import json

from tests.cli.conftest import CommandLine

GOOD = "vms: {a: , b: }\n"
LIKELY_WRONG = """\
networks:
  db: {vlan: 20}
  web: {vlan: 10}
vms: {a: {nics: [web]}}
"""
BAD = """\
hypervisors: {hv1: , hv2: }
vms:
  a: {on: hv3}
  b: {on: hv1, cpus: 4}
"""


def test_a_valid_file_is_one_line(vnetlab: CommandLine) -> None:
    """Exit code 0, and what the lab consists of."""
    (vnetlab.home / "lab.yaml").write_text(GOOD)
    done = vnetlab("validate", "lab.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "lab.yaml is valid: 1 hypervisor, 2 VMs\n"


def test_everything_wrong_is_told(vnetlab: CommandLine) -> None:
    """Exit code 2, and a line per problem with its place."""
    (vnetlab.home / "lab.yaml").write_text(BAD)
    done = vnetlab("validate", "lab.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    places = [line.partition(" ")[0] for line in done.stderr.splitlines()]
    assert places == ["lab.yaml:3:11", "lab.yaml:4:16"]


def test_programs_read_the_same_as_json(vnetlab: CommandLine) -> None:
    """--json prints a list of problems in the same order, empty for a valid file."""
    (vnetlab.home / "bad.yaml").write_text(BAD)
    done = vnetlab("validate", "bad.yaml", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    first, second = json.loads(done.stdout)
    assert first == {
        "file": "bad.yaml",
        "line": 3,
        "column": 11,
        "path": "vms.a.on",
        "text": "no hypervisor 'hv3'",
        "fix": "did you mean 'hv2'? (hv1, hv2)",
        "severity": "error",
    }
    assert second["path"] == "vms.b.cpus"
    (vnetlab.home / "good.yaml").write_text(GOOD)
    done = vnetlab("validate", "good.yaml", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_what_is_likely_wrong_is_told_and_allowed(vnetlab: CommandLine) -> None:
    """A warning is a line on standard error, or one of the list, and the exit code stays 0."""
    (vnetlab.home / "lab.yaml").write_text(LIKELY_WRONG)
    done = vnetlab("validate", "lab.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("lab.yaml is valid: ")
    assert done.stderr.startswith("lab.yaml:2:3 warning: networks.db: no node is in this network; ")
    done = vnetlab("validate", "lab.yaml", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (warning,) = json.loads(done.stdout)
    assert (warning["severity"], warning["line"]) == ("warning", 2)
    assert "lab.yaml:2:3 warning: networks.db" in vnetlab("plan", "lab.yaml").stderr


def test_variables_count(vnetlab: CommandLine) -> None:
    """--set goes before --vars, as with `up`."""
    (vnetlab.home / "lab.yaml").write_text(
        "vms: { {% for i in range(n) %} v{{ i }}: , {% endfor %} }\n"
    )
    (vnetlab.home / "vars.yaml").write_text("n: 3\n")
    assert "3 VMs" in vnetlab("validate", "lab.yaml", "--vars", "vars.yaml").stdout
    done = vnetlab("validate", "lab.yaml", "--vars", "vars.yaml", "--set", "n=5")
    assert "5 VMs" in done.stdout


def test_a_file_that_is_not_there_is_one_line(vnetlab: CommandLine) -> None:
    """A missing file is a problem like any other, in JSON too."""
    done = vnetlab("validate", "none.yaml")
    assert (done.returncode, done.stderr) == (2, "none.yaml: there is no such file\n")
    done = vnetlab("validate", "none.yaml", "--json")
    assert json.loads(done.stdout)[0]["text"] == "there is no such file"
