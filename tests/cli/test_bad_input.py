"""What a user does wrong: one message, what to do, the right exit code, nothing changed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import CommandLine

TINY = "vms:\n  a:\n  b:\n"
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Still root by name, but without a single capability."""

INTERRUPTED = (130, -signal.SIGINT)
"""A shell says 130 for both; Python ends itself by the signal where it was running a string."""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="makes a lab in this kernel: needs root")


def check(
    done: subprocess.CompletedProcess[str], code: int, *said: str, command: CommandLine
) -> None:
    """The command ended with `code` and said all of `said`, and no lab came of it."""
    assert "Traceback" not in done.stderr + done.stdout
    for words in said:
        assert words in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    assert command.traces() == []


FILES = {
    "bad YAML": ("vms: {a: [}\n", "lab.yaml:1:"),
    "unknown key": ("vmss: {a: {}}\n", "did you mean 'vms'?"),
    "wrong type": ("vms: [a]\n", "lab.yaml:1:6 vms: got a list, expected a mapping"),
    "no such hypervisor": (
        "hypervisors: {hv1: {}, hv2: {}}\nvms: {a: {on: hv3}}\n",
        "did you mean",
    ),
    "VLAN 4095": ("networks: {web: {vlan: 4095}}\nvms: {a: }\n", "expected 1-4094"),
    "one address twice": (
        (
            "networks: {n: {ipv4: 10.0.0.0/24}}\nvms:\n"
            "  a: {nics: [{network: n, ipv4: 10.0.0.9}]}\n"
            "  b: {nics: [{network: n, ipv4: 10.0.0.9}]}\n"
        ),
        "lab.yaml:4:",
    ),
    "undefined variable": ("vms: {a: {on: {{ nowhere }}}}\n", "nowhere"),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_wrong_topology_is_told_with_its_place(vnetlab: CommandLine, fault: str) -> None:
    """Line and column of the user's own file, and what to write instead."""
    text, said = FILES[fault]
    vnetlab.write("lab.yaml", text)
    check(vnetlab("up", "lab.yaml"), 2, "lab.yaml:", said, command=vnetlab)


def test_every_problem_is_told_at_once(vnetlab: CommandLine) -> None:
    """Nobody has to run it again to see the next one."""
    vnetlab.write("lab.yaml", "vmss: {}\nnetworks: {w: {vlan: 0}}\nvms: {a: {on: nowhere}}\n")
    done = vnetlab("up", "lab.yaml")
    check(done, 2, "lab.yaml:1:", "lab.yaml:2:", "lab.yaml:3:", command=vnetlab)


@pytest.mark.parametrize("path", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(vnetlab: CommandLine, path: str) -> None:
    """A missing file and a directory."""
    check(vnetlab("up", path), 2, path, command=vnetlab)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["down", "nowhere"], "no lab 'nowhere' is up"),
        (["status"], "no lab is up"),
        (["probe", "a", "b"], "no lab is up"),
        (["exec", "a", "--", "true"], "no lab is up"),
        (["kernel", "remove", "nothing"], "nothing"),
        (["up", "lab.yaml", "--set", "nonsense"], "expected NAME=VALUE"),
        (["up", "lab.yaml", "--set", "unused=1"], "unused"),
        (["up", "lab.yaml", "--vars", "missing.yaml"], "missing.yaml"),
    ],
)
def test_what_is_not_there_is_said(vnetlab: CommandLine, arguments: list[str], said: str) -> None:
    """A lab, a kernel, a variable."""
    vnetlab.write("lab.yaml", TINY)
    check(vnetlab(*arguments), 2, said, command=vnetlab)


@pytest.mark.parametrize(
    "arguments", [["up"], ["fly"], ["up", "lab.yaml", "--realm", "moon"], ["exec", "a"]]
)
def test_wrong_usage_ends_with_2(vnetlab: CommandLine, arguments: list[str]) -> None:
    """A missing argument, an unknown command, an unknown choice."""
    done = vnetlab(*arguments)
    assert done.returncode == 2
    assert "Usage:" in done.stderr


@root_only
def test_a_lab_of_another_file_with_the_same_name_is_refused(vnetlab: CommandLine) -> None:
    """The one that runs stays as it is."""
    vnetlab.write("one.yaml", "name: same\n" + TINY)
    vnetlab.write("two.yaml", "name: same\nvms: {c: }\n")
    assert vnetlab("up", "one.yaml").returncode == 0
    before = vnetlab.traces()
    done = vnetlab("up", "two.yaml")
    assert (done.returncode, "up already from" in done.stderr) == (2, True), done.stderr
    assert vnetlab.traces() == before


@root_only
def test_the_same_file_by_another_path_is_the_same_lab(vnetlab: CommandLine) -> None:
    """`up ./x/../lab.yaml` finds the lab of `up lab.yaml`."""
    vnetlab.write("lab.yaml", TINY)
    (vnetlab.home / "x").mkdir()
    assert vnetlab("up", "lab.yaml").returncode == 0
    done = vnetlab("up", "x/../lab.yaml")
    assert "nothing to change" in done.stdout, done.stderr


@root_only
def test_an_unknown_node_is_answered_with_the_likely_one(vnetlab: CommandLine) -> None:
    """`exec`, `shell` and both ends of `probe`."""
    vnetlab.write("lab.yaml", "vms: {web1: , web2: }\n")
    vnetlab("up", "lab.yaml")
    for arguments in (["exec", "web3", "--", "true"], ["shell", "wep1"], ["probe", "web1", "web3"]):
        done = vnetlab(*arguments)
        assert (done.returncode, "did you mean 'web" in done.stderr) == (2, True), done.stderr


@root_only
def test_a_name_of_sixty_characters_simply_works(vnetlab: CommandLine) -> None:
    """The kernel's fifteen are not the user's business."""
    name = "a" * 60
    vnetlab.write("lab.yaml", f"vms: {{{name}: , b: }}\n")
    assert vnetlab("up", "lab.yaml").returncode == 0
    assert vnetlab("probe", name, "b").returncode == 0


@pytest.mark.parametrize("realm", ["uml", "rootless"])
def test_a_realm_without_a_way_to_the_host_is_refused(vnetlab: CommandLine, realm: str) -> None:
    """`external` is for realm host: another one is told of by name, before it is started."""
    vnetlab.write("lab.yaml", "vms: {a: }\nrouters: {gw: {external: true}}\n")
    said = f"realm {realm} (as asked for) has no way to the host's network"
    done = vnetlab("up", "lab.yaml", "--realm", realm)
    check(done, 5, said, "routers.gw.external", command=vnetlab)


@root_only
def test_a_realm_that_cannot_hold_the_lab_is_refused_by_feature(vnetlab: CommandLine) -> None:
    """`--realm host` names each feature that this kernel has not, and changes nothing."""
    from vnetlab.kernel.features import missing_features
    from vnetlab.state.features import Feature

    wanted = (Feature.BRIDGE_VLAN_FILTERING, Feature.NETEM)
    missing = missing_features(wanted)
    if not missing:
        pytest.skip("this kernel has them all")
    vnetlab.write(
        "lab.yaml",
        "networks: {w: {vlan: 5}}\n"
        "physical_switches: {s: }\n"
        "hypervisors: {hv1: {pnics: {eno1: {to: s, delay: 1ms}}}}\n"
        "vms: {a: , b: }\n",
    )
    said = [feature.label for feature in missing]
    check(vnetlab("up", "lab.yaml", "--realm", "host"), 5, *said, command=vnetlab)


@root_only
def test_without_permission_it_is_said_what_to_do(vnetlab: CommandLine) -> None:
    """In the host realm the permission is named; without a lab kernel, how to get one."""
    vnetlab.write("lab.yaml", TINY)
    for realm, said in (("host", "no permission"), ("uml", "vnetlab kernel install")):
        done = vnetlab("up", "lab.yaml", "--realm", realm, prefix=WITHOUT_RIGHTS)
        check(done, 5, said, command=vnetlab)


def test_a_reader_that_leaves_early_is_no_error(vnetlab: CommandLine) -> None:
    """`vnetlab plan FILE | head -1` prints a line and no traceback."""
    vnetlab.write("lab.yaml", TINY)
    command = f"{sys.executable} -m vnetlab plan lab.yaml | head -1"
    done = subprocess.run(
        command,
        shell=True,
        cwd=vnetlab.home,
        env=vnetlab.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


@root_only
def test_the_exit_code_of_exec_is_the_commands_own(vnetlab: CommandLine) -> None:
    """One that is not there, or cannot be run, is said in a line, with a shell's exit code."""
    vnetlab.write("lab.yaml", TINY)
    vnetlab("up", "lab.yaml")
    assert vnetlab("exec", "a", "--", "sh", "-c", "exit 7").returncode == 7
    done = vnetlab("exec", "a", "--", "no-such-command")
    assert (done.returncode, done.stderr.count("\n")) == (127, 1)
    done = vnetlab("exec", "a", "--", "/etc/passwd")
    assert (done.returncode, done.stderr.count("\n")) == (126, 1)


@root_only
@pytest.mark.parametrize("delay_s", [0.05, 0.15, 0.25, 0.35])
def test_an_interrupted_up_leaves_all_or_nothing(vnetlab: CommandLine, delay_s: float) -> None:
    """Ctrl-C at some moment: a line, 130, and nothing of a lab that was not complete."""
    vnetlab.write("lab.yaml", "vms:\n" + "".join(f"  v{i}:\n" for i in range(50)))
    process = subprocess.Popen(
        [sys.executable, "-m", "vnetlab", "up", "lab.yaml"],
        cwd=vnetlab.home,
        env=vnetlab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay_s)  # the moment itself is what is tested
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    if process.returncode == 0:
        assert "nothing to change" in vnetlab("up", "lab.yaml").stdout
    elif "vnetlab: interrupted" in stderr:
        assert process.returncode in INTERRUPTED
        assert vnetlab.traces() == []
    else:  # Python itself had not started yet
        assert vnetlab.traces() == []
