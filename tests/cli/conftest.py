"""The real command line, in a run directory and a cache of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct


class CommandLine(Struct, frozen=True, kw_only=True):
    """`vnetlab` with a place of its own: it sees no lab and no lab kernel but its own."""

    home: Path

    def __call__(
        self, *arguments: str | Path, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, by the command `prefix` if there is one; return what it said."""
        return subprocess.run(
            [*prefix, sys.executable, "-m", "vnetlab", *map(str, arguments)],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees: no lab kernel is installed in its cache, none is on PATH."""
        return os.environ | {
            "VNETLAB_RUN_DIR": str(self.home / "run"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COLUMNS": "100",
        }

    def write(self, name: str, text: str) -> Path:
        """A file beside which the commands run; its path as a user there would type it."""
        (self.home / name).write_text(text)
        return Path(name)

    def traces(self) -> list[str]:
        """What there is of any lab of this place: mounts, names for ip-netns, directories."""
        netns = Path("/run/netns")
        links = [link for link in netns.iterdir() if link.is_symlink()] if netns.is_dir() else []
        return [
            *(
                m
                for m in Path("/proc/self/mountinfo").read_text().splitlines()
                if str(self.home) in m
            ),
            *(str(link) for link in links if str(self.home) in str(link.readlink())),
            *(str(path) for path in (self.home / "run").glob("labs/*")),
        ]


@pytest.fixture
def vnetlab() -> Iterator[CommandLine]:
    """The command line; labs that a test leaves up are taken down."""
    with tempfile.TemporaryDirectory(prefix="vl-", dir="/tmp") as home:
        command = CommandLine(home=Path(home))
        Path(home).chmod(0o755)
        yield command
        for lab in (command.home / "run" / "labs").glob("*"):
            command("down", lab.name)
