"""A lab has more open files than a process usually may have."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT = 100
LAB = """
name: many
networks: {lan: {ipv4: 10.0.0.0/24}}
hypervisors: {hv1: }
vms:
  vm: {on: hv1, count: 60}
  told: {on: hv1, run: [{name: limit, command: "ulimit -Sn; exec sleep 60"}]}
"""
POWERLESS = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")


class CommandLine:
    """vnetlab with the limit, the soft or the hard one."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "VNETLAB_RUN_DIR": str(home / "run")}
        self.file = home / "many.yaml"
        self.file.write_text(LAB)

    def __call__(
        self, *words: str, hard: bool = False, before: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run it, the limit being the `hard` one; `before` it comes what starts it."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        pair = (LIMIT, LIMIT if hard else most)
        return subprocess.run(
            [*before, sys.executable, "-m", "vnetlab", *words],
            env=self.environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, pair),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def vnetlab(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line, whose lab is taken down afterwards."""
    command = CommandLine(tmp_path)
    yield command
    command("down", "many")


def test_the_limit_is_raised_for_vnetlab_alone(vnetlab: CommandLine) -> None:
    """What runs on the nodes has the one that vnetlab was started with."""
    done = vnetlab("up", "--realm", "host", str(vnetlab.file))
    assert done.returncode == 0, done.stderr
    shown = vnetlab("exec", "vm1", "--", "sh", "-c", "ulimit -Sn")
    assert shown.stdout == f"{LIMIT}\n"
    assert f"{LIMIT}\n" in vnetlab("logs", "told", "limit").stdout


def test_a_limit_that_cannot_be_raised_is_told(vnetlab: CommandLine) -> None:
    """Without the right to raise it the lab is refused, and nothing is left of it."""
    up = ("up", "--realm", "host", str(vnetlab.file))
    done = vnetlab(*up, hard=True, before=POWERLESS)
    assert done.returncode == 3, done.stderr
    assert f"more than the {LIMIT} files" in done.stderr
    assert "ulimit -n" in done.stderr
    assert "no lab is up" in vnetlab("ls").stderr
