"""What needs no lab: help, version, lists, JSON."""

from __future__ import annotations

import json
import os

import pytest

from tests.cli.conftest import CommandLine
from vnetlab import __version__

TINY = "vms: {a: , b: }\n"


def listed_commands(vnetlab: CommandLine, *group: str) -> list[str]:
    """The names below `Commands:` in a group's help."""
    text = vnetlab(*group, "--help").stdout
    lines = text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]


def test_every_command_helps_with_examples(vnetlab: CommandLine) -> None:
    """`COMMAND --help` shows a whole command line to begin with, for those of groups too."""
    commands = [[name] for name in listed_commands(vnetlab)]
    assert ["up"] in commands
    for command in commands:
        within = listed_commands(vnetlab, *command)
        commands += [[*command, name] for name in within]
        text = vnetlab(*command, "--help").stdout
        assert within or f"\n  vnetlab {' '.join(command)}" in text, text


def test_help_is_the_same_by_its_short_name(vnetlab: CommandLine) -> None:
    """`-h` and `--help`, in a group and in a command."""
    for command in ((), ("up",), ("kernel",), ("kernel", "list")):
        assert vnetlab(*command, "-h").stdout == vnetlab(*command, "--help").stdout


def test_commands_are_not_cut_in_the_list(vnetlab: CommandLine) -> None:
    """On 80 columns each command's purpose fits its line."""
    for group in ((), ("kernel",), ("link",)):
        commands = vnetlab(*group, "--help").stdout.partition("Commands:\n")[2]
        assert "..." not in commands


def test_version_is_one_line(vnetlab: CommandLine) -> None:
    """The program and its version."""
    done = vnetlab("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"vnetlab {__version__}\n", "")


def test_a_list_of_nothing_says_how_to_get_something(vnetlab: CommandLine) -> None:
    """On standard error: a script that reads the list sees that it is empty."""
    for command, said in ((("ls",), "vnetlab up"), (("kernel", "list"), "vnetlab kernel install")):
        done = vnetlab(*command)
        assert (done.returncode, done.stdout) == (0, "")
        assert said in done.stderr


@pytest.mark.parametrize("command", [("ls",), ("kernel", "list"), ("plan", "lab.yaml")])
def test_json_is_json_and_nothing_else(vnetlab: CommandLine, command: tuple[str, ...]) -> None:
    """Standard output can be read by a program as it is."""
    vnetlab.write("lab.yaml", TINY)
    done = vnetlab(*command, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert isinstance(json.loads(done.stdout), list)


def test_doctor_without_a_lab_kernel_says_how_to_get_one(vnetlab: CommandLine) -> None:
    """As text and as JSON; the exit code says whether some realm has everything."""
    reports = json.loads(vnetlab("doctor", "--json").stdout)
    assert [report["realm"] for report in reports] == ["host", "rootless", "uml", "tools"]
    text = vnetlab("doctor")
    assert "'vnetlab kernel install'" in text.stdout
    whole = any(all(c["present"] for c in report["checks"]) for report in reports[:3])
    assert text.returncode == (0 if whole else 5)


def test_doctor_tells_of_a_lab_kernel_that_does_not_boot(vnetlab: CommandLine) -> None:
    """It is one of the things that it finds: all else is reported too."""
    broken = vnetlab.home / "linux.uml"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo 6.1.99\n')
    broken.chmod(0o755)
    done = vnetlab("doctor", prefix=("env", f"PATH={vnetlab.home}:/usr/bin:/bin"))
    assert "MISSING  boot  every lab" in done.stdout
    assert "lab kernel system: died while it started" in done.stdout
    assert "tools: for managing lab kernels" in done.stdout
    assert "Traceback" not in done.stderr


def test_plan_changes_nothing(vnetlab: CommandLine) -> None:
    """Asked twice it says the same, and no lab came of it."""
    vnetlab.write("lab.yaml", TINY)
    first, second = vnetlab("plan", "lab.yaml"), vnetlab("plan", "lab.yaml")
    assert first.stdout == second.stdout
    assert "to add, 0 to change, 0 to remove" in first.stdout
    assert vnetlab.traces() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a lab in this kernel: needs root")
def test_the_json_of_a_running_lab(vnetlab: CommandLine) -> None:
    """`ls`, `status` and `probe` tell a program what they tell the user."""
    vnetlab.write("lab.yaml", TINY)
    vnetlab("up", "lab.yaml")
    (lab,) = json.loads(vnetlab("ls", "--json").stdout)
    assert lab == {"name": "lab", "realm": "host", "nodes": ["a", "b", "hv1"]}
    status = json.loads(vnetlab("status", "--json").stdout)
    assert [node["name"] for node in status["nodes"]] == ["hv1", "a", "b"]
    assert status["drift"] == []
    assert json.loads(vnetlab("probe", "a", "b", "--json").stdout)
