"""An ordinary user, who runs the real command line: somebody else where the tests run as root."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

NOBODY_ELSE = 64_321
"""A user id that no account has."""

DEADLINE_S = 60.0
PLAIN = """
hypervisors:
  hv1:
  hv2: {pnics: {eno1: {rate: 100mbit}}}
vms:
  web1: {on: hv1}
  web2: {on: hv2}
"""
"""A lab without VLANs: what it needs, a kernel with network namespaces has as a rule."""

_ROOT = Path(__file__).parents[2]
_WHY_NOT = """
from vnetlab.realm.rootless.refusal import Refusal
from vnetlab.realm.rootless.user_namespace import call_in_new
answer = call_in_new(lambda: None)
print(answer.reason if isinstance(answer, Refusal) else '')
"""


class Person(Struct, frozen=True, kw_only=True):
    """Somebody with a home of his own, and a Python that he can run."""

    uid: int
    home: Path
    python: str

    @property
    def run_dir(self) -> Path:
        """Where his labs are."""
        return self.home / "run"

    @property
    def realm_dir(self) -> Path:
        """Where the files of his realm are, while he has one."""
        return self.run_dir / "rootless"

    def write(self, name: str, text: str) -> Path:
        """A file in his home."""
        file = self.home / name
        file.write_text(text)
        return file

    def start(self, *words: str, python: bool = False) -> subprocess.Popen[str]:
        """Start vnetlab, or Python, with pipes on all sides."""
        command = [self.python, *([] if python else ["-m", "vnetlab"]), *words]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=self.home, env=self.environment(), **self._identity(),
        )  # fmt: skip

    def run(
        self, *words: str, python: bool = False, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run vnetlab, or Python, to its end."""
        command = self.start(*words, python=python)
        try:
            stdout, stderr = command.communicate(stdin, timeout=DEADLINE_S)
        finally:
            command.kill()
        return subprocess.CompletedProcess(command.args, command.returncode, stdout, stderr)

    def does(self, *words: str, stdin: str = "") -> str:
        """What vnetlab prints where it is to succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done
        return done.stdout

    def processes(self) -> dict[int, str]:
        """His processes that are alive, and their commands."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(self.home) in command:
                    found[int(entry.name)] = command
            except OSError:
                continue
        return found

    def keepers(self) -> list[int]:
        """The keepers of his realm."""
        return [pid for pid in self._keeping() if _user_namespace(pid) != _user_namespace("self")]

    def guards(self) -> list[int]:
        """The guards of his realm: forks of its keepers that are not in it."""
        return [pid for pid in self._keeping() if _user_namespace(pid) == _user_namespace("self")]

    def _keeping(self) -> list[int]:
        return [pid for pid, command in self.processes().items() if "rootless.keeper" in command]

    def environment(self) -> dict[str, str]:
        """That of his commands."""
        return {
            "HOME": str(self.home),
            "VNETLAB_RUN_DIR": str(self.run_dir),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *site.getsitepackages()]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _identity(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.uid, "extra_groups": []}


@pytest.fixture
def person() -> Iterator[Person]:
    """An ordinary user; his labs are taken down and his home is removed."""
    uid = os.geteuid() or NOBODY_ELSE
    home = Path(tempfile.mkdtemp(prefix="vnetlab-", dir="/tmp"))
    os.chown(home, uid, -1)
    found = Person(uid=uid, home=home, python=_python_for(uid, home))
    if why := found.run("-c", _WHY_NOT, python=True).stdout.strip():
        pytest.skip(why)
    found.write("plain.yaml", PLAIN)
    yield found
    for _ in found.keepers():
        while found.run("down").returncode == 0:
            pass
    shutil.rmtree(home)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Poll until a function returns true."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def assert_it_ends(person: Person) -> None:
    """Check that neither a process nor a file of the realm stays."""
    eventually(lambda: not person.realm_dir.exists(), "the end of its files")
    eventually(lambda: not person.keepers() + person.guards(), "the end of its keeper")


def _user_namespace(pid: int | str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/user").readlink())
    except FileNotFoundError:
        return ""


def _python_for(uid: int, home: Path) -> str:
    """A Python like this one that the user can run: root's own may be closed to him."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        candidate = Person(uid=uid, home=home, python=python)
        try:
            if candidate.run("--version").returncode == 0:
                return python
        except PermissionError:
            continue
    pytest.skip(f"user {uid} can run neither {sys.executable} nor /usr/bin/python{version}")
