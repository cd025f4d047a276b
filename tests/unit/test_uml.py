"""The pure parts of the lab kernel's transport."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnetlab.errors import MissingFeatureError
from vnetlab.realm.rundir import run_dir
from vnetlab.realm.uml.boot import Program, choose_memory, command_line
from vnetlab.realm.uml.frames import (
    Frame,
    FrameReader,
    Kind,
    decode_numbers,
    encode,
    encode_number,
)
from vnetlab.realm.uml.guest_modules import order_modules, read_dependencies
from vnetlab.realm.uml.outbox import Outbox
from vnetlab.realm.uml.request import Request, Stdin


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(Kind), st.binary())),
    st.integers(1, 50),
)
def test_frames_survive_any_cut(sent: list[tuple[int, Kind, bytes]], size: int) -> None:
    """However a stream is cut into pieces, the frames that went in come out."""
    stream = b"".join(encode(*frame) for frame in sent)
    reader = FrameReader()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == [
        Frame(*frame) for frame in sent
    ]


def test_numbers_survive() -> None:
    """A frame of numbers carries negative ones too."""
    (frame,) = FrameReader().feed(encode_number(3, Kind.RESIZE, 24, -9))
    assert decode_numbers(frame.payload) == (24, -9)


def test_a_request_survives_bytes_that_are_no_text() -> None:
    """Arguments and variables keep bytes that are no UTF-8, as the kernel allows."""
    request = Request(
        argv=("up", os.fsdecode(b"lab-\xff.yaml")), cwd="/tmp", environ={"A": os.fsdecode(b"\xfe")},
        umask=0o22, stdin=Stdin.PIPE, stdout_tty=True, stderr_tty=False, rows=24, columns=80,
        encoding="utf-8",
    )  # fmt: skip
    assert Request.from_json(request.to_json()) == request


def test_an_outbox_stops_at_its_window() -> None:
    """No more than a window is written before the other end has acknowledged some of it."""
    readable, writable = os.pipe2(os.O_NONBLOCK)
    outbox = Outbox(writable, window=4)
    outbox.put(b"abc", b"defgh")
    outbox.flush()
    assert os.read(readable, 100) == b"abcd"
    outbox.acknowledge(3)
    outbox.flush()
    assert os.read(readable, 100) == b"efg"
    assert not outbox.is_blocked
    os.close(readable)
    os.close(writable)


def test_an_outbox_waits_for_a_full_descriptor() -> None:
    """What a pipe cannot take waits, and nothing of it is lost."""
    readable, writable = os.pipe2(os.O_NONBLOCK)
    outbox = Outbox(writable)
    data = os.urandom(200_000)
    outbox.put(data)
    outbox.flush()
    assert outbox.is_blocked
    seen = b""
    while len(seen) < len(data):
        seen += os.read(readable, 300_000)
        outbox.flush()
    assert seen == data
    assert not outbox.is_blocked
    os.close(readable)
    os.close(writable)


def test_modules_load_after_what_they_need() -> None:
    """Each wanted module comes once, after all that it needs, whatever '-' or '_' its name has."""
    needs = read_dependencies(
        "kernel/net/bridge/bridge.ko: kernel/net/802/stp.ko kernel/net/llc/llc.ko\n"
        "kernel/net/802/stp.ko: kernel/net/llc/llc.ko\n"
        "kernel/net/llc/llc.ko:\n"
        "kernel/net/sched/sch-htb.ko:\n"
        "kernel/fs/ext4.ko:\n"
    )
    assert order_modules(needs, ("bridge", "sch_*", "stp")) == [
        "kernel/net/llc/llc.ko",
        "kernel/net/802/stp.ko",
        "kernel/net/bridge/bridge.ko",
        "kernel/net/sched/sch-htb.ko",
    ]


def test_the_command_line_keeps_everything_below_the_run_directory() -> None:
    """A lab kernel's own files and its init are those of its run directory, blanks and all."""
    words = command_line(
        Program(name="k", binary="/k/linux.uml"), init=Path("/a b/init"), memory_mib=512, line=7
    )
    assert words[0] == "/k/linux.uml"
    assert {'init="/a b/init"', "uml_dir=/a b/uml", "mem=512M", "ssl0=fd:7"} <= set(words)


def test_memory_lies_where_there_is_room() -> None:
    """The chosen directory can be written, and has room for the memory or takes the least."""
    directory, memory_mib = choose_memory()
    assert os.access(directory, os.W_OK)
    free = os.statvfs(directory)
    assert memory_mib == 512 or free.f_bavail * free.f_frsize >= memory_mib << 20


def test_the_run_directory_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run directory comes into being closed to everyone else, whatever the umask."""
    monkeypatch.setenv("VNETLAB_RUN_DIR", str(tmp_path / "run"))
    assert run_dir() == tmp_path / "run"
    assert stat.S_IMODE(run_dir().stat().st_mode) == 0o700


def test_a_run_directory_of_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that others can enter, or a link to one, is refused with what to do."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "private")
    for name in ("open", "link"):
        monkeypatch.setenv("VNETLAB_RUN_DIR", str(tmp_path / name))
        with pytest.raises(MissingFeatureError, match="expected a directory of mode 0700"):
            run_dir()


def test_a_run_directory_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run directory below a file is refused with the system's reason."""
    monkeypatch.setenv("VNETLAB_RUN_DIR", "/etc/passwd/run")
    with pytest.raises(MissingFeatureError, match="Not a directory"):
        run_dir()
