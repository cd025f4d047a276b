"""Labs of an ordinary user in this kernel: all that a lab does, without root."""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path

import pytest

from tests.realm.conftest import Person, assert_it_ends

VLANS = """
networks: {web: {vlan: 10}}
vms:
  web1: {nics: [web]}
"""
NO_NAMESPACES = """
import os, sys
from vnetlab import syscalls
user = os.geteuid()
syscalls.unshare(syscalls.CLONE_NEWUSER)
open('/proc/self/uid_map', 'w').write(f'{user} {user} 1')
open('/proc/sys/user/max_user_namespaces', 'w').write('0')
os.execv(sys.executable, [sys.executable, '-m', 'vnetlab', *sys.argv[1:]])
"""
NO_SETNS = """
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number = {'x86_64': 308, 'aarch64': 268}[os.uname().machine]
load, equal, answer = 0x20, 0x15, 0x06
program = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in (
    (load, 0, 0, 0),
    (equal, 0, 1, number),
    (answer, 0, 0, 0x00050000 | errno.EPERM),
    (answer, 0, 0, 0x7fff0000),
)))
class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('lines', ctypes.c_void_p)]
asked = Filter(4, ctypes.addressof(program))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.byref(asked)) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
os.execv(sys.executable, [sys.executable, '-m', 'vnetlab', *sys.argv[1:]])
"""
"""Runs vnetlab under a filter that forbids setns(2), and nothing else: seccomp(2)."""


def test_a_lab_is_built_probed_and_taken_down(person: Person) -> None:
    """`up` chooses the realm by itself and says so; the other commands find the lab there."""
    up = person.run("up", "plain.yaml")
    assert up.stderr == "realm rootless: this kernel has all it needs, without root\n"
    assert "plain is up: 1 physical switch, 2 hypervisors, 2 VMs" in up.stdout
    assert person.does("up", "plain.yaml") == "plain is up already: nothing to change\n"
    assert person.does("plan", "plain.yaml") == "nothing to change\n"
    assert person.does("ls").splitlines()[1].split() == ["plain", "rootless", "5"]
    assert "as the topology says" in person.does("status")
    for protocol in ("icmp", "udp", "tcp"):
        assert "web1 reached web2" in person.does("probe", "web1", "web2", "--proto", protocol)
    assert person.does("down") == "plain is down\n"
    assert person.run("ls").stderr == "no lab is up; 'vnetlab up FILE' builds one\n"


def test_a_change_by_hand_is_seen_and_repaired(person: Person) -> None:
    """Whoever is root on a node may change its links; `status` tells, `up` repairs."""
    person.does("up", "plain.yaml")
    person.does("exec", "web1", "--", "ip", "link", "set", "eth0", "down")
    assert "eth0" in person.does("status").split("the kernel")[-1]
    lost = person.run("probe", "web1", "web2")
    assert lost.returncode != 0, lost
    assert "changed" in person.does("up", "plain.yaml")
    assert "web1 reached web2" in person.does("probe", "web1", "web2")


def test_a_command_on_a_node_is_the_users_own(person: Person) -> None:
    """It has his directory, files, standard input and exit code, and the node's network."""
    person.does("up", "plain.yaml")
    script = 'cat > copy; pwd; hostname; ls /sys/class/net; test "$VNETLAB_NODE" = web1; exit 7'
    done = person.run("exec", "web1", "--", "sh", "-c", script, stdin="his own words")
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.split() == [str(person.home), "web1", "eth0", "lo"]
    copy = person.home / "copy"
    assert (copy.read_text(), copy.stat().st_uid) == ("his own words", person.uid)


def test_files_that_a_command_writes_are_the_users(person: Person) -> None:
    """A capture lies in his directory, and belongs to him."""
    person.does("up", "plain.yaml")
    person.does("probe", "web1", "web2", "--pcap", "probe.pcapng")
    capture = person.home / "probe.pcapng"
    assert capture.stat().st_size > 0
    assert capture.stat().st_uid == person.uid


def test_nothing_is_seen_of_it_outside(person: Person) -> None:
    """Neither mounts nor named namespaces show up in the user's own mount namespace."""
    named = set(_entries(Path("/run/netns")))
    person.does("up", "plain.yaml")
    assert str(person.run_dir) not in Path("/proc/self/mountinfo").read_text()
    assert not any(name.startswith("plain.") for name in set(_entries(Path("/run/netns"))) - named)
    assert _entries(person.realm_dir / "labs") == []


def test_a_command_on_a_node_sees_its_realm_only(person: Person) -> None:
    """From inside, the labs are at hand as they are in any realm."""
    person.does("up", "plain.yaml")
    command = ["exec", "web1", "--", person.python, "-m", "vnetlab", "ls", "--json"]
    assert [lab["realm"] for lab in json.loads(person.does(*command))] == ["rootless"]


def test_a_lab_is_not_taken_down_from_inside(person: Person) -> None:
    """`down` and `up` on one of its nodes are refused, with or without the node's environment."""
    person.does("up", "plain.yaml")
    bare = ("env", "-i", f"PYTHONPATH={person.environment()['PYTHONPATH']}")
    for prefix, words in product(((), bare), (("down", "plain"), ("down",), ("up", "plain.yaml"))):
        command = (*prefix, person.python, "-m", "vnetlab", *words)
        done = person.run("exec", "web1", "--", *command)
        assert (done.returncode, "inside lab 'plain'" in done.stderr) == (2, True), done
    assert "as the topology says" in person.does("status")


def test_what_the_kernel_lacks_is_told(person: Person) -> None:
    """A lab that this kernel cannot hold goes to a lab kernel, of which he has none here."""
    person.write("vlans.yaml", VLANS)
    reports = {r["realm"]: r for r in json.loads(person.run("doctor", "--json").stdout)}
    has = {check["name"]: check["present"] for check in reports["rootless"]["checks"]}
    up = person.run("up", "vlans.yaml", "--realm", "auto")
    if has["bridge-vlan-filtering"]:
        assert up.stderr.startswith("realm rootless: "), up
    else:
        assert up.returncode == 5
        assert "no lab kernel is installed (this kernel has no bridge-vlan-filtering" in up.stderr
        refused = person.run("up", "vlans.yaml", "--realm", "rootless")
        assert refused.returncode == 5
        assert "this kernel has no bridge-vlan-filtering (needed by" in refused.stderr


def test_without_user_namespaces_the_reason_is_told(person: Person) -> None:
    """Where the limit is 0, `up` names the setting, and `doctor` says what to do about it."""
    refused = person.run(
        "-c", NO_NAMESPACES, "up", "plain.yaml", "--realm", "rootless", python=True
    )
    assert refused.returncode == 5
    assert refused.stderr == (
        "vnetlab: user namespaces are off: user.max_user_namespaces is 0; "
        "sysctl -w user.max_user_namespaces=10000, as root\n"
    )
    up = person.run("-c", NO_NAMESPACES, "up", "plain.yaml", python=True)
    assert "(no root, and user namespaces are off: user.max_user_namespaces is 0)" in up.stderr
    doctor = person.run("-c", NO_NAMESPACES, "doctor", python=True)
    assert "-> user namespaces are off: user.max_user_namespaces is 0: sysctl -w" in doctor.stdout
    assert not person.realm_dir.exists()


def test_a_filter_of_setns_alone_is_found_before_anything_is_made(person: Person) -> None:
    """A realm that no command could join is refused by name, and `up` looks for another one."""
    refused = person.run("-c", NO_SETNS, "up", "plain.yaml", "--realm", "rootless", python=True)
    assert refused.returncode == 5
    assert refused.stderr == (
        "vnetlab: a seccomp filter forbids to join namespaces (EPERM); "
        "allow setns in its profile, or run it outside of the container\n"
    )
    up = person.run("-c", NO_SETNS, "up", "plain.yaml", python=True)
    assert up.returncode == 5
    assert "(no root, and a seccomp filter forbids to join namespaces (EPERM))" in up.stderr
    doctor = person.run("-c", NO_SETNS, "doctor", "--json", python=True)
    reports = {report["realm"]: report for report in json.loads(doctor.stdout)}
    missing = [c["name"] for c in reports["rootless"]["checks"] if not c["present"]]
    assert missing == ["joining"]
    assert_it_ends(person)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could have it")
def test_root_under_a_filter_of_setns_is_refused_too(person: Person) -> None:
    """Realm `host` goes from node to node by setns(2) as well."""
    root = Person(uid=0, home=person.home, python=person.python)
    for directory in (person.home, *person.run_dir.parent.glob(person.run_dir.name)):
        os.chown(directory, 0, 0)
    refused = root.run("-c", NO_SETNS, "up", "plain.yaml", "--realm", "host", python=True)
    assert refused.returncode == 5
    assert "no permission to make and enter network namespaces" in refused.stderr
    up = root.run("-c", NO_SETNS, "up", "plain.yaml", python=True)
    assert "(root without all its rights, and a seccomp filter forbids" in up.stderr


def test_another_realm_than_its_own_is_refused(person: Person) -> None:
    """A lab that is up stays where it is."""
    person.does("up", "plain.yaml")
    refused = person.run("up", "plain.yaml", "--realm", "host")
    assert refused.returncode == 2
    assert "lab 'plain' is up in realm rootless" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could be let into it")
def test_root_may_have_it_too(person: Person) -> None:
    """Root's rights are not needed, and do not harm."""
    root = Person(uid=0, home=person.home, python=person.python)
    for directory in (person.home, *person.run_dir.parent.glob(person.run_dir.name)):
        os.chown(directory, 0, 0)
    up = root.run("up", "plain.yaml", "--realm", "rootless")
    assert up.stderr == "realm rootless: as asked for\n"
    assert "web1 reached web2" in root.does("probe", "web1", "web2")
    assert root.does("down") == "plain is down\n"


def _entries(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()] if directory.is_dir() else []
