from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vnetlab.errors import KernelRefusedError, MissingFeatureError
from vnetlab.realm.kernels.command import CommandError, run_command
from vnetlab.realm.kernels.disk import explained_disk_errors, require_space
from vnetlab.realm.kernels.locks import locked
from vnetlab.realm.kernels.progress import ignore_progress


def test_output_is_returned_logged_and_passed_on(tmp_path: Path) -> None:
    """Both output streams go to the caller, to its function line by line, and to the log."""
    lines: list[str] = []
    log = tmp_path / "log"
    script = "echo out; echo err >&2; echo $WORD"
    output = run_command(
        ["sh", "-c", script],
        cwd=tmp_path,
        environment={**os.environ, "WORD": "w"},
        log=log,
        on_line=lines.append,
    )
    assert output == log.read_text() == "out\nerr\nw\n"
    assert lines == ["out", "err", "w"]


def test_a_failure_carries_the_last_lines(tmp_path: Path) -> None:
    """A program that fails is named, with the end of what it printed."""
    with pytest.raises(CommandError) as raised:
        run_command(["sh", "-c", "seq 100; exit 7"], cwd=tmp_path)
    assert raised.value.program == "sh"
    assert raised.value.tail.splitlines() == [str(number) for number in range(89, 101)]


def test_a_silent_failure_is_told_by_its_exit_code(tmp_path: Path) -> None:
    """A program that fails without a word is reported with its exit code."""
    with pytest.raises(CommandError, match="exit code 7"):
        run_command(["sh", "-c", "exit 7"], cwd=tmp_path)


def test_a_program_that_meets_a_full_disk_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """What the program says of it becomes one error that names the cache directory."""
    with (
        pytest.raises(KernelRefusedError, match=f"{tmp_path}: the disk is full"),
        explained_disk_errors(tmp_path),
    ):
        run_command(["sh", "-c", "seq 100000 > /dev/full"], cwd=tmp_path)


def test_a_directory_that_cannot_be_made_is_a_missing_permission(tmp_path: Path) -> None:
    """A file where the directory should be is named in the message."""
    (tmp_path / "file").touch()
    with pytest.raises(MissingFeatureError) as raised, explained_disk_errors(tmp_path / "file"):
        (tmp_path / "file" / "kernels").mkdir(parents=True)
    assert str(tmp_path / "file") in raised.value.message
    assert "XDG_CACHE_HOME" in raised.value.fix


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    """An error that has nothing to do with the disk is not disguised."""
    with pytest.raises(OSError, match="no program"), explained_disk_errors(tmp_path):
        raise OSError(errno.ENOEXEC, "no program")


def test_too_little_space_is_refused_beforehand(tmp_path: Path) -> None:
    """The message says how much there is and how much is needed."""
    with pytest.raises(KernelRefusedError, match="expected 9000000000 MB"):
        require_space(tmp_path, 9_000_000_000)


def test_ctrl_c_ends_the_program_and_its_children(tmp_path: Path) -> None:
    """An interrupted wait leaves no process of the program's group behind."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    held = f"exec 9>{fifo}; (sleep 1000 & echo started; wait)"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match="started"):
        run_command(["sh", "-c", held], cwd=tmp_path, on_line=interrupt)
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # ends once no process of the group holds the pipe
    os.close(reader)


def test_a_second_maker_says_that_it_waits(tmp_path: Path) -> None:
    """A lock that another process holds is waited for, and the wait is announced."""
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        ["flock", path, "sh", "-c", "echo held; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []

    def progress(step: str, done: float | None) -> None:
        assert done is None
        said.append(step)
        holder.communicate("go\n")

    with locked(path, progress):
        assert said == ["waiting for another vnetlab that does the same"]


def test_a_lock_outlives_its_holder_in_what_the_holder_started(tmp_path: Path) -> None:
    """If we are killed, the program that still works for us keeps the lock."""
    script = textwrap.dedent(
        """
        import os, pathlib, signal, sys
        from vnetlab.realm.kernels.command import run_command
        from vnetlab.realm.kernels.locks import locked
        with locked(pathlib.Path("lock"), print):
            die = lambda line: os.kill(os.getpid(), signal.SIGKILL)
            run_command(["sh", "-c", "echo; read line < fifo"], cwd=pathlib.Path(), on_line=die)
        """
    )
    os.mkfifo(tmp_path / "fifo")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=False)
    with (tmp_path / "lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (tmp_path / "fifo").write_text("go\n")
        fcntl.flock(lock, fcntl.LOCK_EX)  # granted when the program has ended


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    """The same process takes a lock again and again, one after the other."""
    for _ in range(2):
        with locked(tmp_path / "lock", ignore_progress):
            pass
