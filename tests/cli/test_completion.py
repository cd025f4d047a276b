"""What the shell completes, asked as the completion script of `--install-completion` asks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import CommandLine


def complete(vnetlab: CommandLine, line: str) -> list[str]:
    """What bash would offer at the end of `line`."""
    words = line.split(" ")
    asked = {
        "_VNETLAB_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "vnetlab"],
        cwd=vnetlab.home,
        env=vnetlab.environment | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.split()


def test_commands_are_completed(vnetlab: CommandLine) -> None:
    """`vnetlab do<TAB>` offers both that begin so."""
    assert sorted(complete(vnetlab, "vnetlab do")) == ["doctor", "down"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a lab in this kernel: needs root")
def test_labs_and_nodes_are_completed(vnetlab: CommandLine) -> None:
    """Of the labs that are up, in whichever realm."""
    vnetlab.write("office.yaml", "vms: {web1: , web2: , db: }\n")
    vnetlab("up", "office.yaml")
    assert complete(vnetlab, "vnetlab down o") == ["office"]
    assert complete(vnetlab, "vnetlab status --json off") == ["office"]
    assert complete(vnetlab, "vnetlab probe we") == ["web1", "web2"]
    assert complete(vnetlab, "vnetlab exec --lab of") == ["office"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes labs in this kernel: needs root")
def test_nodes_of_a_named_lab_alone_are_completed(vnetlab: CommandLine) -> None:
    """Where `--lab` says which, the nodes of others are none of it."""
    vnetlab.write("one.yaml", "vms: {web1: }\n")
    vnetlab.write("two.yaml", "vms: {web2: }\n")
    vnetlab("up", "one.yaml")
    vnetlab("up", "two.yaml")
    assert complete(vnetlab, "vnetlab exec we") == ["web1", "web2"]
    assert complete(vnetlab, "vnetlab exec --lab two we") == ["web2"]
