"""What a user does wrong with `trace`: one message, what to do, the right exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("words", [["tcp", "prt", "80"], ["host"], ["port 99999"], ["((icmp"]])
def test_a_wrong_filter_is_told_before_anything_else(
    vnetlab: CommandLine, words: list[str]
) -> None:
    """What was given, what libpcap says of it, an example."""
    done = vnetlab("trace", *words)
    assert done.returncode == 2
    assert f"got the filter '{' '.join(words)}'" in done.stderr
    assert "pcap-filter(7)" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_lab_there_is_nothing_to_follow(vnetlab: CommandLine) -> None:
    """As of every command that needs one."""
    done = vnetlab("trace", "icmp")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no lab is up" in done.stderr


def test_a_missing_libpcap_is_named(vnetlab: CommandLine) -> None:
    """A Python whose cypcap cannot be loaded: exit code 5, and the package to install."""
    broken = vnetlab.home / "broken" / "cypcap"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libpcap.so.1')\n")
    path = f"{broken.parent}{os.pathsep}{Path(__file__).parents[2]}"
    done = vnetlab("trace", prefix=("env", f"PYTHONPATH={path}"))
    assert done.returncode == 5
    assert "pip install cypcap" in done.stderr
