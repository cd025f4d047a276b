"""A lab kernel's life: booted once, ended in order or not, and nothing left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vnetlab.errors import KernelRefusedError
from vnetlab.realm.kernels.inventory import LabKernel, best_kernel
from vnetlab.realm.uml.boot import Guest
from vnetlab.realm.uml.connection import Status, kernel_dir, running
from vnetlab.realm.uml.lifecycle import ensure_running, last_death, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
COMMAND = [sys.executable, str(HERE / "uml_command.py")]
GUEST = Guest(main="uml_command:main", labs="uml_command:labs")
DEADLINE_S = 60.0
MAKE_A_LAB = "Path('/run/vnetlab/labs/test').mkdir(parents=True)"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabKernel]:
    """A lab kernel to boot, in a run directory of its own; stopped at the end if it runs."""
    best = best_kernel()
    if best is None:
        pytest.skip("no lab kernel; get one: vnetlab kernel install")
    monkeypatch.setenv("VNETLAB_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parents[1]), str(HERE)]))
    monkeypatch.syspath_prepend(HERE)
    yield best
    stop()


def start(*words: str) -> subprocess.Popen[str]:
    """Start a command in the lab kernel."""
    return subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(code: str) -> None:
    """Run Python code in the lab kernel."""
    subprocess.run([*COMMAND, "python", code], check=True, timeout=DEADLINE_S)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Poll until a function returns true."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of all processes that name a run directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in command:
            found.append(command)
    return found


def assert_nothing_is_left(status: Status) -> None:
    """Check that no process and no file of a lab kernel is there any more."""
    assert running() is None
    assert not kernel_dir().exists(), list(kernel_dir().iterdir())
    eventually(lambda: not processes_of(kernel_dir()), "the end of its processes")
    for group in (status.pid, status.keeper_pid):
        eventually(partial(group_is_gone, group), "the end of a process group")


def group_is_gone(group: int) -> bool:
    """True if a process group has no member any more, not even a zombie."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_stop_leaves_nothing(kernel: LabKernel) -> None:
    """After `stop` no process and no file is left, and the run directory can be used again."""
    status = ensure_running(kernel, GUEST)
    run(MAKE_A_LAB)
    assert stop()
    assert_nothing_is_left(status)
    assert last_death() == []
    assert not stop()


def test_a_running_lab_kernel_tells_its_state(kernel: LabKernel) -> None:
    """The state names the kernel and the labs in it, with their nodes."""
    assert running() is None
    ensure_running(kernel, GUEST)
    run(f"{MAKE_A_LAB}; Path('/run/vnetlab/labs/test/web1').touch()")
    status = running()
    assert status is not None
    assert (status.kernel, status.is_ready) == (kernel.name, True)
    assert status.labs == {"test": ["web1"]}


def test_two_first_commands_boot_one_lab_kernel(kernel: LabKernel) -> None:
    """Commands that start at the same time boot one lab kernel and all use it."""
    with ThreadPoolExecutor(4) as pool:
        booted = list(pool.map(lambda _: ensure_running(kernel, GUEST), range(4)))
    assert len({status.pid for status in booted}) == 1


def test_it_ends_with_its_last_lab(kernel: LabKernel) -> None:
    """It goes on while there is a lab, whether commands run or not, and ends with the last one."""
    status = ensure_running(kernel, GUEST)
    run(MAKE_A_LAB)
    run("time.sleep(3)")
    assert running() is not None
    run("Path('/run/vnetlab/labs/test').rmdir()")
    eventually(lambda: running() is None, "its end")
    eventually(lambda: not kernel_dir().exists(), "the end of its files")
    assert_nothing_is_left(status)


def test_it_ends_if_nobody_makes_a_lab(kernel: LabKernel) -> None:
    """A lab kernel that was booted for a command which then failed does not stay."""
    status = ensure_running(kernel, GUEST)
    eventually(lambda: not kernel_dir().exists(), "its end")
    assert_nothing_is_left(status)


def test_its_death_is_told_to_every_command(kernel: LabKernel) -> None:
    """When it dies, each running command ends with exit code 3 and the end of the log."""
    status = ensure_running(kernel, GUEST)
    run(MAKE_A_LAB)
    run("Path('/dev/kmsg').write_text('<0>its last words\\n')")
    waiting = [start("python", "print('up', flush=True); time.sleep(1000)") for _ in range(3)]
    for command in waiting:
        assert command.stdout is not None
        assert command.stdout.readline() == "up\n"
    os.kill(status.pid, signal.SIGKILL)
    for command in waiting:
        _, errors = command.communicate(timeout=DEADLINE_S)
        assert command.returncode == KernelRefusedError.exit_code
        assert errors.startswith("the lab kernel died; the end of its log:")
        assert "its last words" in errors
    eventually(lambda: running() is None, "its end")
    assert "its last words" in "\n".join(last_death())
    assert ensure_running(kernel, GUEST).pid != status.pid
    assert last_death() == []


def test_a_panic_is_told_with_its_reason(kernel: LabKernel) -> None:
    """When it crashes by itself, the command that runs sees the kernel's own words."""
    ensure_running(kernel, GUEST)
    crash = start("python", "Path('/proc/sysrq-trigger').write_text('c')")
    _, errors = crash.communicate(timeout=DEADLINE_S)
    if "sysrq" in errors and "No such file" in errors:
        pytest.skip("this lab kernel has no sysrq")
    assert crash.returncode == KernelRefusedError.exit_code
    assert "the lab kernel died" in errors


def test_a_killed_keeper_takes_the_lab_kernel_along(kernel: LabKernel) -> None:
    """`kill -9` of the keeper ends everything; the next command boots anew."""
    status = ensure_running(kernel, GUEST)
    run(MAKE_A_LAB)
    command = start("python", "print('up', flush=True); time.sleep(1000)")
    assert command.stdout is not None
    assert command.stdout.readline() == "up\n"
    os.kill(status.keeper_pid, signal.SIGKILL)
    _, errors = command.communicate(timeout=DEADLINE_S)
    assert (command.returncode, errors) == (3, "the lab kernel's keeper has ended\n")
    assert running() is None
    again = ensure_running(kernel, GUEST)
    assert again.pid != status.pid
    assert stop()
    assert_nothing_is_left(again)
    assert_nothing_is_left(status)


def test_stop_clears_what_a_killed_keeper_left(kernel: LabKernel) -> None:
    """`stop` right after a `kill -9` of the keeper leaves nothing either."""
    status = ensure_running(kernel, GUEST)
    os.kill(status.keeper_pid, signal.SIGKILL)
    assert stop()
    assert_nothing_is_left(status)


def test_stop_ends_a_keeper_that_hangs(kernel: LabKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that does not obey is killed with its lab kernel."""
    monkeypatch.setattr("vnetlab.realm.uml.lifecycle.STOP_S", 1.0)
    status = ensure_running(kernel, GUEST)
    os.kill(status.keeper_pid, signal.SIGSTOP)
    assert stop()
    assert_nothing_is_left(status)


def test_stop_ends_commands_with_the_reason(kernel: LabKernel) -> None:
    """A command that runs when the lab kernel is stopped says so, without a log."""
    ensure_running(kernel, GUEST)
    command = start("python", "print('up', flush=True); time.sleep(1000)")
    assert command.stdout is not None
    assert command.stdout.readline() == "up\n"
    assert stop()
    _, errors = command.communicate(timeout=DEADLINE_S)
    assert (command.returncode, errors) == (3, "the lab kernel was stopped\n")


def test_a_lab_kernel_that_crashes_on_boot_is_refused(kernel: LabKernel, tmp_path: Path) -> None:
    """What a broken lab kernel prints before it ends is in the error."""
    broken = tmp_path / "linux.uml"
    broken.write_text("#!/bin/sh\necho no memory for me\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(KernelRefusedError, match="no memory for me"):
        ensure_running(other(kernel, broken), GUEST)
    assert running() is None


def test_a_lab_kernel_that_is_no_program_is_refused(kernel: LabKernel, tmp_path: Path) -> None:
    """A lab kernel that cannot be executed is refused with the reason."""
    with pytest.raises(KernelRefusedError, match="No such file or directory"):
        ensure_running(other(kernel, tmp_path / "missing"), GUEST)
    assert running() is None


def test_a_lab_kernel_that_hangs_is_refused(kernel: LabKernel, tmp_path: Path) -> None:
    """One that boots for longer than the deadline is ended, with all its processes."""
    hanging = tmp_path / "linux.uml"
    hanging.write_text("#!/bin/sh\necho starting\nsleep 1000 &\nsleep 1000\n")
    hanging.chmod(0o755)
    waited: list[float] = []
    with pytest.raises(KernelRefusedError, match="not ready after 1 s") as caught:
        ensure_running(other(kernel, hanging), GUEST, progress=waited.append, deadline_s=1.0)
    assert "starting" in str(caught.value)
    assert waited == sorted(waited)
    assert len(waited) > 1
    assert not kernel_dir().exists()
    assert not processes_of(tmp_path)


def test_an_agent_that_cannot_import_is_told(kernel: LabKernel) -> None:
    """A broken installation shows as the agent's own error."""
    with pytest.raises(KernelRefusedError, match="No module named 'missing_module'"):
        ensure_running(kernel, Guest(main="uml_command:main", labs="missing_module:labs"))


def other(kernel: LabKernel, binary: Path) -> LabKernel:
    """Return a lab kernel with another program."""
    return LabKernel(
        name="other", origin=kernel.origin, version="0", binary=binary, modules=None, missing=()
    )
