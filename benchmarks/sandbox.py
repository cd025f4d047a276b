"""EFFECT: namespaces of the benchmarks' own, in which all of them run.

A process, a mount and a network namespace: when their first process ends, however that is, the
kernel ends every other one in them, and with these all mounts, labs and links.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PLACE = Path("/run/benchmarks")
"""For files: a tmpfs of the sandbox's own is mounted on /run."""

OUTSIDE = PLACE / "outside"
"""The network namespace that the command was started in."""

_INSIDE = "VNETLAB_BENCHMARKS_INSIDE"


def enter(arguments: Sequence[str]) -> None:
    """Run this command again in there, and end with its exit code; go on if this is there."""
    if _INSIDE in os.environ:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        PLACE.mkdir()
        OUTSIDE.touch()
        fd = int(os.environ[_INSIDE])
        mount = ["mount", "--bind", f"/proc/self/fd/{fd}", str(OUTSIDE)]
        subprocess.run(mount, check=True, pass_fds=(fd,))
        return
    spaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = [*rights, *spaces, sys.executable, "-m", "benchmarks", *arguments]
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(outside, True)
    environment = {**_environment(), _INSIDE: str(outside)}
    os.execvpe("unshare", ["unshare", *command], environment)  # noqa: S606


def _environment() -> dict[str, str]:
    """Without what would change how Python runs, or where labs are; compiled modules are kept."""
    ours = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONOPTIMIZE", "VNETLAB_RUN_DIR")
    path = os.environ.get("PYTHONPATH", "")
    here = str(Path(__file__).parents[1])
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PYTHONPATH": f"{here}:{path}" if path else here}
