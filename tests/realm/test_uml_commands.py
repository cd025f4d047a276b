"""Commands in a real lab kernel: what a user sees is what the command does on the host."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vnetlab.realm.kernels import best_kernel
from vnetlab.realm.uml.boot import Guest
from vnetlab.realm.uml.connection import kernel_dir, running
from vnetlab.realm.uml.frames import OUTPUT_WINDOW
from vnetlab.realm.uml.lifecycle import ensure_running, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
COMMAND = [sys.executable, str(HERE / "uml_command.py")]
GUEST = Guest(main="uml_command:main", labs="uml_command:labs")
DEADLINE_S = 60.0


@pytest.fixture(scope="module", autouse=True)
def lab_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lab kernel in a run directory of its own, with a lab, so that it does not end by itself."""
    kernel = best_kernel()
    if kernel is None:
        pytest.skip("no lab kernel; get one: vnetlab kernel install")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VNETLAB_RUN_DIR", str(tmp_path_factory.mktemp("uml") / "run"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parents[1]), str(HERE)]))
        patch.syspath_prepend(HERE)
        ensure_running(kernel, GUEST)
        run("python", "Path('/run/vnetlab/labs/test').mkdir(parents=True)")
        yield
        stop()


def run(
    *words: str, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the lab kernel, as a user's pipeline would."""
    flag = [] if stdin is None else ["--stdin"]
    return subprocess.run(
        [*COMMAND, *flag, *words], input=stdin, capture_output=True, cwd=cwd,
        timeout=DEADLINE_S, check=False,
    )  # fmt: skip


def start(*words: str, **options: object) -> subprocess.Popen[bytes]:
    """Start a command in the lab kernel with pipes on all sides."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*COMMAND, *words], **(pipes | options))  # type: ignore[call-overload,no-any-return]


class Terminal:
    """A command with a terminal of 50 columns and 20 rows, and a person at it."""

    def __init__(self, *words: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
            os.environ["TERM"] = "xterm"
            os.execv(COMMAND[0], [*COMMAND, *words])
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        """Drag the window to another size."""
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.fd, text.encode())

    def expect(self, pattern: str) -> str:
        """Wait until the pattern has appeared; forget everything up to its end."""
        end = time.monotonic() + DEADLINE_S
        while (match := re.search(pattern.encode(), self.seen)) is None:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))
            data = self._read() if ready else b""
            assert data, f"{pattern!r} did not appear in {self.seen!r}"
            self.seen += data
        self.seen = self.seen[match.end() :]
        return match.group().decode()

    def wait(self) -> int:
        """Return the command's exit code once it has ended."""
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bytes:
        try:
            return os.read(self.fd, 65536)
        except OSError:
            return b""


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    """A command at a terminal, closed afterwards."""
    person = Terminal(*words)
    try:
        yield person
    finally:
        os.close(person.fd)


def eventually(condition: object, what: str) -> None:
    """Poll until a function returns something true."""
    assert callable(condition)
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def alive_in_lab_kernel(marker: str) -> bool:
    """True if a process whose command line has the marker runs in the lab kernel."""
    code = (
        "print(any(sys.argv[2].encode() in (p / 'cmdline').read_bytes()"
        " for p in Path('/proc').glob('[0-9]*')))"
    )
    return run("python", code.replace("sys.argv[2]", repr(marker))).stdout == b"True\n"


# -- one command


@pytest.mark.parametrize("status", [0, 1, 5, 255])
def test_the_exit_code_is_the_commands(status: int) -> None:
    """A command that exits with a code makes the user's command exit with it."""
    assert run("exit", str(status)).returncode == status


def test_a_signals_death_is_reported_as_a_shell_does() -> None:
    """A command that a signal kills makes the user's command exit with 128 + the signal."""
    assert run("python", "os.kill(os.getpid(), signal.SIGKILL)").returncode == 128 + 9


def test_the_command_runs_in_the_lab_kernel() -> None:
    """The command sees another kernel than the user's, and knows where it is."""
    told = run("python", "print(os.uname().release, os.environ['VNETLAB_INSIDE'])").stdout.split()
    assert told[0] != os.uname().release.encode()
    assert told[1] == b"uml"


def test_the_command_inherits_cwd_environment_and_umask(tmp_path: Path) -> None:
    """A relative path leads to the host's file; variables and umask are the user's."""
    (tmp_path / "file").write_text("from the host")
    code = (
        "print(open('file').read(), os.environ['TEST_WORD'], end='');"
        "open('new', 'w').write('from the lab kernel')"
    )
    words = [*COMMAND, "python", code]
    environ = os.environ | {"TEST_WORD": "wörd"}
    ran = subprocess.run(
        words, cwd=tmp_path, env=environ, umask=0o27, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout.decode()) == (0, "from the host wörd")
    assert (tmp_path / "new").read_text() == "from the lab kernel"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_file_that_changes_on_the_host_is_read_anew(tmp_path: Path) -> None:
    """Each command sees what a file holds now, not what an earlier one saw."""
    for content in ("one", "two!", "2"):
        (tmp_path / "file").write_text(content)
        assert run("run", "cat", "file", cwd=tmp_path).stdout.decode() == content


def test_the_hosts_run_directory_shows_but_not_its_kernel_objects() -> None:
    """What lies below /run on the host can be named, save vnetlab's own and named namespaces."""
    shown = set(run("python", "print(*os.listdir('/run'), sep='\\n')").stdout.decode().split())
    expected = {path.name for path in Path("/run").iterdir() if path.is_dir()} - {
        "netns", "vnetlab",
    }  # fmt: skip
    assert expected <= shown
    assert "netns" not in shown


def test_a_cwd_that_the_lab_kernel_has_not_is_refused() -> None:
    """A directory in a file system of the host's kernel is refused in one line."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        ran = run("echo", cwd=Path(name))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().splitlines() == [
        f"vnetlab: {name}: not in the lab kernel: No such file or directory"
    ]


def test_a_cwd_that_is_gone_is_refused(tmp_path: Path) -> None:
    """A removed directory is refused in one line, as it leads nowhere."""
    code = "import os, sys; os.rmdir(os.getcwd()); os.execv(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", code, *COMMAND, "echo"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"the current directory is gone")


def test_an_unknown_exception_is_printed_and_the_agent_survives() -> None:
    """A crash in a command is that command's traceback and exit code 1, nothing more."""
    ran = run("python", "1/0")
    assert ran.returncode == 1
    assert b"ZeroDivisionError" in ran.stderr
    assert run("exit", "3").returncode == 3


# -- input and output


def test_input_and_output_are_binary_clean() -> None:
    """Every byte travels unchanged, both ways, and the end of input arrives."""
    data = bytes(range(256)) * 4096 + os.urandom(100_000)
    ran = run("cat", stdin=data)
    assert ran.returncode == 0
    assert hashlib.sha256(ran.stdout).digest() == hashlib.sha256(data).digest()


def test_large_output_arrives_whole() -> None:
    """50 MB of output arrive in order and complete."""
    code = (
        "for i in range(50): sys.stdout.buffer.write(i.to_bytes(2, 'big') * 500_000);"
        "sys.stdout.buffer.flush()"
    )
    expected = b"".join(i.to_bytes(2, "big") * 500_000 for i in range(50))
    assert hashlib.sha256(run("python", f"exec({code!r})").stdout).digest() == (
        hashlib.sha256(expected).digest()
    )


def test_stdout_and_stderr_stay_apart() -> None:
    """What goes to standard error does not appear in standard output."""
    ran = run("python", "print('out'); print('err', file=sys.stderr)")
    assert (ran.stdout, ran.stderr) == (b"out\n", b"err\n")


def test_a_command_that_does_not_read_leaves_stdin_alone() -> None:
    """What a pipe holds for the next command in a script is still there afterwards."""
    readable, writable = os.pipe()
    os.write(writable, b"for somebody else")
    os.close(writable)
    subprocess.run([*COMMAND, "echo"], stdin=readable, capture_output=True, check=True)
    assert os.read(readable, 100) == b"for somebody else"
    os.close(readable)


def test_a_command_that_never_reads_its_input_does_not_block_its_writer() -> None:
    """Input that nobody reads does not keep the command from ending."""
    assert run("run", "true", stdin=b"x" * 1_000_000).returncode == 0


def test_a_reader_that_stops_ends_the_command_quietly() -> None:
    """`| head` ends an endless command by SIGPIPE, without a traceback."""
    endless = start("python", "while True: print('line')")
    assert endless.stdout is not None
    assert endless.stdout.readline() == b"line\n"
    endless.stdout.close()
    assert endless.wait(DEADLINE_S) == 128 + signal.SIGPIPE
    assert endless.stderr is not None
    assert endless.stderr.read() == b""


def test_a_full_disk_behind_stdout_is_not_silent() -> None:
    """Output that cannot be written ends the command with an error."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, "python", "while True: print('line')"], stdout=full, check=False
        )
    assert ran.returncode != 0


def test_a_background_process_does_not_keep_the_command() -> None:
    """A command that leaves a process behind ends when it ends, with all its own output."""
    ran = run("run", "sh", "-c", "sleep 1000 & echo started")
    assert (ran.returncode, ran.stdout) == (0, b"started\n")


# -- many commands


def test_twenty_commands_at_once() -> None:
    """Each of twenty concurrent commands gets its own output and exit code."""

    def one(number: int) -> tuple[int, bytes]:
        ran = run("python", f"print('n' * {number} * 1000); sys.exit({number})")
        return ran.returncode, ran.stdout

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(one, range(20)))
    assert results == [(number, b"n" * number * 1000 + b"\n") for number in range(20)]


def test_a_slow_reader_holds_up_nobody_else() -> None:
    """While the reader of one large output pauses, other commands work, and nothing is lost."""
    slow = start("python", "sys.stdout.buffer.write(b'x' * 20_000_000)")
    assert slow.stdout is not None
    assert slow.stdout.read(1) == b"x"
    status = running()
    assert status is not None
    for _ in range(3):
        assert run("echo", "hi").stdout == b"hi\n"
    assert slow.poll() is None
    assert resident_bytes(status.keeper_pid) < 60_000_000
    assert len(slow.stdout.read()) == 19_999_999
    assert slow.wait(DEADLINE_S) == 0


def test_output_that_waits_for_its_reader_survives_the_commands_end() -> None:
    """What a command wrote before it ended is delivered, however late its reader comes."""
    count = OUTPUT_WINDOW + 100_000  # the rest: 64 KiB in the reader's pipe, some in the command's
    late = start("run", "head", "-c", str(count), "/dev/zero")
    assert late.stdout is not None
    assert late.stdout.read(1) == b"\0"
    eventually(lambda: not alive_in_lab_kernel(f"head\0-c\0{count}"), "the command's end")
    assert run("echo", "hi").stdout == b"hi\n"
    assert late.poll() is None
    assert len(late.stdout.read()) == count - 1
    assert late.wait(DEADLINE_S) == 0


def test_a_writer_whose_command_does_not_read_holds_up_nobody_else() -> None:
    """While one command leaves its input unread, others work."""
    lazy = start("--stdin", "python", "sys.stdin.buffer.read(1); time.sleep(1000)")
    assert lazy.stdin is not None
    os.set_blocking(lazy.stdin.fileno(), False)
    written = lazy.stdin.raw.write(b"x" * 10_000_000) if hasattr(lazy.stdin, "raw") else 0
    assert written is None or written >= 0
    assert run("cat", stdin=b"hello").stdout == b"hello"
    lazy.kill()
    lazy.communicate()


def resident_bytes(pid: int) -> int:
    """Return the memory that a process occupies."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# -- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_sent_on(number: signal.Signals) -> None:
    """A signal to the user's command reaches the command, which ends in its own way."""
    code = (
        f"signal.signal({int(number)}, lambda *_: sys.exit(42));"
        "print('ready', flush=True); time.sleep(1000)"
    )
    waiting = start("python", code)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"ready\n"
    waiting.send_signal(number)
    assert waiting.wait(DEADLINE_S) == 42
    waiting.communicate()


def test_ctrl_c_without_a_handler_ends_with_130() -> None:
    """An interrupted command ends with 130, as a shell reports it."""
    waiting = start("python", "print('ready', flush=True); time.sleep(1000)")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"ready\n"
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(DEADLINE_S) == 130
    assert b"Traceback" not in waiting.communicate()[1]


def test_a_killed_user_command_takes_its_session_with_it() -> None:
    """`kill -9` of the user's command ends the command in the lab kernel."""
    marker = "987654"
    doomed = start("run", "sh", "-c", f"echo ready; sleep {marker}")
    assert doomed.stdout is not None
    assert doomed.stdout.readline() == b"ready\n"
    assert alive_in_lab_kernel(f"sleep\0{marker}")
    doomed.kill()
    doomed.communicate()
    eventually(lambda: not alive_in_lab_kernel(f"sleep\0{marker}"), "the session's end")


# -- terminals


def test_a_terminal_is_a_terminal_of_the_same_size() -> None:
    """Output to a terminal is output to one of the same size there, and looks the same."""
    code = "print(sys.stdout.isatty(), sys.stderr.isatty(), *os.get_terminal_size())"
    with terminal("python", code) as person:
        person.expect("^True True 50 20\r\n$")
        assert person.wait() == 0


def test_a_pipe_beside_a_terminal_stays_a_pipe() -> None:
    """With standard output in a pipe and errors on the terminal, only the errors are a terminal."""
    near, far = pty.openpty()
    code = "print(sys.stdout.isatty(), sys.stderr.isatty())"
    ran = subprocess.run(
        [*COMMAND, "python", code], stdout=subprocess.PIPE, stderr=far, timeout=DEADLINE_S,
        check=False,
    )  # fmt: skip
    assert ran.stdout == b"False True\n"
    os.close(near)
    os.close(far)


def test_ctrl_c_at_a_terminal_interrupts() -> None:
    """Ctrl-C, typed while a command that reads nothing runs, interrupts it there."""
    code = (
        "print('ready', flush=True)\n"
        "try: time.sleep(1000)\n"
        "except KeyboardInterrupt: sys.exit('stopped')"
    )
    with terminal("python", code) as person:
        person.expect("ready")
        person.type("\x03")
        person.expect("stopped")
        assert person.wait() == 1


def test_a_shell_has_job_control() -> None:
    """Ctrl-Z stops a shell's job, fg continues it, Ctrl-C ends it, the shell goes on."""
    with terminal("--stdin", "run", "bash", "--norc", "-i") as person:
        person.expect("[$#] ")
        person.type("PS1='rea''dy> '; unset PROMPT_COMMAND\n")
        person.expect("ready> ")
        person.type("sleep 1000\n")
        eventually(lambda: alive_in_lab_kernel("sleep\x001000"), "the job")
        person.type("\x1a")
        person.expect("Stopped")
        person.expect("ready> ")
        person.type("fg\n")
        person.expect("sleep 1000\r\n")
        person.type("\x03")
        person.expect("ready> ")
        person.type("echo $((6*7)); exit 9\n")
        person.expect("42")
        assert person.wait() == 9


@pytest.mark.parametrize("flags", [[], ["--stdin"]])
def test_a_resized_terminal_is_resized_there(flags: list[str]) -> None:
    """A new window size reaches the command, as a signal and as its terminal's size."""
    code = (
        "signal.signal(signal.SIGWINCH, lambda *_: print(*os.get_terminal_size(), flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1000)"
    )
    with terminal(*flags, "python", code) as person:
        person.expect("ready")
        person.resize(44, 99)
        person.expect("99 44")
        person.type("\x03")
        assert person.wait() == 130


def test_the_terminal_is_restored_after_a_session() -> None:
    """After a raw session the user's terminal has the mode that it had before."""
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    ran = subprocess.run(
        [*COMMAND, "--stdin", "exit", "4"], stdin=far, stdout=far, stderr=far,
        timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 4
    assert termios.tcgetattr(far) == before
    os.close(near)
    os.close(far)


def test_a_full_screen_program_works() -> None:
    """An editor draws, takes keys and saves; what it wrote is on the host."""
    pytest.importorskip("curses")
    code = (
        "import curses\n"
        "def draw(screen):\n"
        "    screen.addstr(3, 5, 'size %dx%d' % screen.getmaxyx()); screen.refresh()\n"
        "    return screen.getch()\n"
        "print('key', curses.wrapper(draw))"
    )
    with terminal("--stdin", "python", code) as person:
        person.expect("size \\d+x\\d+")
        person.type("q")
        person.expect(f"key {ord('q')}")
        assert person.wait() == 0


# -- the network


def test_loopback_is_up() -> None:
    """A command can talk to itself over the lab kernel's loopback."""
    code = (
        "s = socket.create_server(('127.0.0.1', 0));"
        "c = socket.create_connection(s.getsockname()); print('connected')"
    )
    assert run("python", code).stdout == b"connected\n"


def test_what_a_lab_needs_of_the_kernel_is_there() -> None:
    """Bridges and veth pairs, which may be modules, can be made."""
    added = "ip link add br0 type bridge vlan_filtering 1 && ip link add v0 type veth peer v1"
    ran = run("run", "sh", "-c", f"{added} && ip -j link show br0; ip link del br0; ip link del v0")
    assert json.loads(ran.stdout)[0]["ifname"] == "br0", ran.stderr


def test_no_file_but_the_keepers_own_is_in_the_run_directory() -> None:
    """The run directory holds the keeper's files, closed to everyone else."""
    names = {path.name for path in kernel_dir().iterdir()}
    assert names == {"agent.json", "console.log", "init", "pids", "socket", "uml"}
    assert kernel_dir().stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(kernel_dir() / "socket"))
