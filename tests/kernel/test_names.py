"""Node names are host names on every node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.conftest import Bench
from tests.kernel.topologies import FLAT

RESOLVE = """\
import socket, sys
print(*sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], None)}))
"""


def _run(bench: Bench, node: str, *command: str) -> str:
    """What `command` prints on `node` of the lab, as `exec` runs it: or fails with it."""
    code = f"""\
import sys
from pathlib import Path
from vnetlab.lab import become
become("bench", {node!r}, sys.argv[1:], Path({str(bench.root)!r}))
"""
    words = [sys.executable, "-c", code, *command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _resolve(bench: Bench, node: str, name: str) -> list[str]:
    return _run(bench, node, sys.executable, "-c", RESOLVE, name).split()


def _addresses(bench: Bench, node: str) -> list[str]:
    (vm,) = (vm for vm in bench.load(FLAT).vms if vm.name == node)
    return sorted(str(address.ip) for address in vm.nics[0].addresses)


def test_a_vm_is_reached_by_its_name(bench: Bench) -> None:
    """On a, `b` and `b.bench` are b's addresses of both families, and so is `b.lan`."""
    bench.up(FLAT)
    for name in ("b", "b.bench", "b.lan", "b.eth0"):
        assert _resolve(bench, "a", name) == _addresses(bench, "b")


def test_the_host_file_is_left_alone(bench: Bench) -> None:
    """The machine's own /etc/hosts is what it was, and a node cannot write to the lab's."""
    before = Path("/etc/hosts").read_bytes()
    bench.up(FLAT)
    assert _run(bench, "a", "cat", "/etc/hosts") == bench.lab().hosts.read_text()
    assert "denied" in _run(bench, "a", "sh", "-c", "echo x >>/etc/hosts || echo denied")
    assert Path("/etc/hosts").read_bytes() == before


def test_a_running_process_sees_the_names_of_vms_that_are_added(bench: Bench) -> None:
    """`up` changes the file that a shell opened before has as its /etc/hosts."""
    bench.up(FLAT)
    code = f"""\
from pathlib import Path
from vnetlab.lab import become
become("bench", "a", ["sh", "-c", "echo ready; read _; cat /etc/hosts"], Path({str(bench.root)!r}))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout
        assert shell.stdout.readline() == "ready\n"
        bench.up(FLAT + "  c: {on: hv2}\n")
        text, _ = shell.communicate("\n")
    assert " c c.lan " in text
    bench.up(FLAT)
    assert " c " not in bench.lab().hosts.read_text()


@pytest.mark.parametrize("hosts", ["missing", "dangling", "link", "file"])
def test_it_works_whatever_etc_hosts_is(bench: Bench, tmp_path: Path, hosts: str) -> None:
    """No file, a link to none, a link to one, a file: the lab's names are what is read."""
    bench.up(FLAT)
    etc = tmp_path / "etc"
    (etc / "dir").mkdir(parents=True)
    (etc / "dir" / "inner").write_text("inner\n")
    (etc / "passwd").write_text("root\n")
    (etc / "mtab").symlink_to("../proc/self/mounts")
    if hosts in {"dangling", "link"}:
        (etc / "hosts").symlink_to("../target")
    if hosts in {"link", "file"}:
        (etc / "hosts").write_text("the machine's own\n")
    before = sorted(etc.iterdir())
    code = f"""\
from pathlib import Path
from vnetlab import syscalls
from vnetlab.kernel.etc_hosts import show_as_etc_hosts
syscalls.unshare(syscalls.CLONE_NEWNS)
syscalls.mount("none", Path("/"), None, syscalls.MS_SLAVE | syscalls.MS_REC)
etc = Path({str(etc)!r})
show_as_etc_hosts(Path({str(bench.lab().hosts)!r}), etc)
print((etc / "passwd").read_text() + (etc / "dir" / "inner").read_text(), (etc / "mtab").readlink())
print((etc / "hosts").read_text())
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown == f"root\ninner\n ../proc/self/mounts\n{bench.lab().hosts.read_text()}\n"
    assert sorted(etc.iterdir()) == before
