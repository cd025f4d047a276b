"""Debian packages for an ordinary user, none of them installed (effect: runs apt and dpkg-deb).

How it works: apt runs with a state, a cache and a list of sources of its own below one
directory, so that nothing of the system changes and no root is needed. The mirror and the keys
that must have signed it are those of the machine's own apt sources; only the suite is ours. The
machine's other settings stay in force (proxies, pinned certificates), but for the commands that
it hangs onto updates. apt checks the signatures, dpkg-deb unpacks.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from vnetlab.errors import MissingFeatureError
from vnetlab.realm.kernels.apt_sources import (
    Mirror,
    debian_mirrors,
    parse_deb822_sources,
    parse_one_line_sources,
    sources_stanza,
)
from vnetlab.realm.kernels.command import CommandError, run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vnetlab.realm.kernels.progress import Progress

SUITES: Final = ("sid", "testing")
"""Where Debian keeps kernels of today, the newest first."""

NO_APT_FIX: Final = (
    "put a User Mode Linux kernel named 'linux.uml' on PATH, or run 'vnetlab kernel build' on a "
    "Debian machine and copy its directory below ~/.cache/vnetlab/kernels to the same place here"
)

_CONFIGURATION: Final = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "root"; // the sandbox's user cannot enter a home directory
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::AllowInsecureRepositories "false";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Dir::State "{root}/state";
Dir::State::lists "{root}/state/lists";
Dir::State::status "{root}/state/status";
Dir::Cache "{root}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{root}/sources.d";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{root}/none.d";
"""


class PrivateApt(Struct, frozen=True, kw_only=True):
    """An apt of our own below the directory `root`, which knows the packages of one suite."""

    root: Path

    def newest(self, pattern: str) -> str:
        """The package with the highest numbers among those whose names match `pattern`.

        This and the other questions raise MissingFeatureError if the suite has no such package.
        """
        prefix = re.split(r"[\\(\[.]", pattern, maxsplit=1)[0]
        names = self._run(["apt-cache", "pkgnames", prefix]).split()
        matching = [name for name in names if re.fullmatch(pattern, name)]
        if not matching:
            raise self._lacks(f"{prefix}*")
        return max(matching, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])

    def version(self, package: str) -> str:
        """The version of `package` that would be downloaded."""
        fields = self._run(["apt-cache", "policy", package])
        match = re.search(r"^  Candidate: (\d\S*)$", fields, re.MULTILINE)
        if match is None:
            raise self._lacks(package)
        return match[1]

    def download(self, package: str, progress: Progress) -> Path:
        """The file of `package`, checked by apt; if it was downloaded before, that one."""
        step = f"downloading {package}"
        progress(step, 0.0)
        command = ["apt-get", "-q", "-o", "APT::Status-Fd=1", "download", package]
        self._run(command, on_line=partial(_report_download, step, progress))
        version = self.version(package).replace(":", "%3a")
        return next((self.root / "packages").glob(f"{package}_{version}_*.deb"))

    def unpack(self, package: str, into: Path, progress: Progress) -> None:
        """Download `package` and unpack its files below the directory `into`."""
        deb = self.download(package, progress)
        into.mkdir(parents=True, exist_ok=True)
        self._run(["dpkg-deb", "-x", str(deb), str(into)])
        deb.unlink()

    def _lacks(self, package: str) -> MissingFeatureError:
        source = (self.root / "sources.d" / "lab-kernel.sources").read_text()
        suite = source.partition("Suites: ")[2].partition("\n")[0]
        return MissingFeatureError(
            f"Debian {suite}: got no package '{package}', expected one",
            fix="try again in a day: Debian's development suites change daily",
        )

    def _run(self, command: Sequence[str], on_line: Callable[[str], None] | None = None) -> str:
        environment = _environment(self.root)
        packages = self.root / "packages"
        try:
            return run_command(command, cwd=packages, environment=environment, on_line=on_line)
        except CommandError as error:
            raise apt_failed(error) from error


def open_apt(root: Path, progress: Progress) -> PrivateApt:
    """Make a private apt below `root` and have it read what Debian offers now.

    Raises MissingFeatureError if the machine has no apt or no source of Debian packages, or if
    none of its mirrors answers.
    """
    require_apt()
    mirrors = debian_mirrors(_system_mirrors(root.parent))
    if not mirrors:
        raise MissingFeatureError(
            "apt sources: got no source of Debian packages, expected one to take the mirror from",
            fix=NO_APT_FIX,
        )
    _write_configuration(root)
    apt = PrivateApt(root=root)
    progress("reading Debian's package list", None)
    failures = []
    for suite in SUITES:
        for mirror in mirrors:
            try:
                _update(apt, mirror, suite)
            except CommandError as error:
                failures.append(error)
            else:
                return apt
    raise apt_failed(failures[0])


def require_apt() -> None:
    """Raise MissingFeatureError unless this machine can fetch and unpack Debian packages."""
    if os.uname().machine != "x86_64":
        raise MissingFeatureError(
            f"lab kernel: got a machine of type {os.uname().machine}, expected x86_64",
            fix="use a realm without a lab kernel here ('vnetlab doctor' lists them)",
        )
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise MissingFeatureError(
            f"lab kernel: {' and '.join(missing)} not found on PATH, expected on a Debian system",
            fix=NO_APT_FIX,
        )


def apt_failed(error: CommandError) -> MissingFeatureError:
    """What to tell the user when apt could not do its work."""
    complaint = re.search(r"^E: (.*)$", error.tail, re.MULTILINE)
    words = complaint[1] if complaint else error.tail
    fix = "check the network and the machine's apt sources, then run the command again"
    if "Release file" in words:  # as on Ubuntu, whose mirrors have no Debian
        fix = f"if this machine's mirror has no Debian, {NO_APT_FIX}"
    return MissingFeatureError(f"{error.program}: {words}", fix=fix)


def _update(apt: PrivateApt, mirror: Mirror, suite: str) -> None:
    source = apt.root / "sources.d" / "lab-kernel.sources"
    source.write_text(sources_stanza(mirror, suite))
    run_command(
        ["apt-get", "-q", "update"],
        cwd=apt.root,
        environment=_environment(apt.root),
    )


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "APT_CONFIG": str(root / "apt.conf")}


def _system_mirrors(cwd: Path) -> list[Mirror]:
    """The sources of the machine's own apt, of both formats, in apt's order."""
    where = _system_settings(cwd)
    parts = sorted(where["PARTS"].iterdir()) if where["PARTS"].is_dir() else []
    mirrors: list[Mirror] = []
    for file in (where["LIST"], *parts):
        parse = {".list": parse_one_line_sources, ".sources": parse_deb822_sources}.get(file.suffix)
        if parse and os.access(file, os.R_OK) and file.is_file():
            mirrors += parse(file.read_text(errors="replace"))
    return mirrors


def _system_settings(cwd: Path) -> dict[str, Path]:
    """Where the machine's apt has its sources (LIST, PARTS) and settings (CONF, CONFPARTS)."""
    names = {
        "LIST": "Dir::Etc::sourcelist/f",
        "PARTS": "Dir::Etc::sourceparts/d",
        "CONF": "Dir::Etc::main/f",
        "CONFPARTS": "Dir::Etc::parts/d",
    }
    wanted = [word for pair in names.items() for word in pair]
    try:
        answer = run_command(["apt-config", "shell", *wanted], cwd=cwd)
    except CommandError as error:
        raise apt_failed(error) from error
    assignments = (word.partition("=") for word in shlex.split(answer) if "=" in word)
    return {name: Path(value) for name, _, value in assignments}


def _write_configuration(root: Path) -> None:
    """Write apt's settings: the machine's own, then ours.

    apt reads the file that APT_CONFIG names first and the machine's settings after it, so that
    those would win; therefore our file names a directory that has them all in the right order.
    """
    where = _system_settings(root.parent)
    shutil.rmtree(root / "apt.conf.d", ignore_errors=True)
    for directory in ("apt.conf.d", "sources.d", "none.d", "packages", "state", "cache"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "state" / "status").touch()
    for part in where["CONFPARTS"].glob("*") if where["CONFPARTS"].is_dir() else ():
        (root / "apt.conf.d" / part.name).symlink_to(part)
    if where["CONF"].is_file():
        (root / "apt.conf.d" / "zz-machine").symlink_to(where["CONF"])
    (root / "apt.conf.d" / "zzz-vnetlab").write_text(_CONFIGURATION.format(root=root))
    (root / "apt.conf").write_text(
        f'Dir::Etc::parts "{root}/apt.conf.d";\nDir::Etc::main "/dev/null";\n'
    )


def _report_download(step: str, progress: Progress, line: str) -> None:
    match = re.match(r"dlstatus:\d+:([\d.]+):", line)
    if match:
        progress(step, min(float(match[1]) / 100, 1.0))
